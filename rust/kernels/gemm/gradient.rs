//! Sums over the rows of a batch: the weight gradient and the bias gradient.
//!
//! Blocks of 256 rows are chains, whose sums meet in the tree of `reduce.rs` (N2).

use super::tile::{Balanced, Tile, Width, accumulate, by_height, registers};
use crate::kernels::fetch::LINE;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Partial sums on their way through the tree: enough for 2^16 - 1 blocks, 16 million rows; a slab
/// has 16 blocks.
const SLOTS: usize = 16;

/// Columns of A up to which all rows of the gradient are one tile: a layer of so few outputs has its
/// inputs in the lanes, which those outputs would fill in part.
pub const THIN: usize = 12;

/// How many rows ahead of the one that is summed are fetched into L1: 130 cycles of a tile of 8 x 2,
/// more than an L2 takes (1024 rows x 1024 x 1024: 1.1x).
const AHEAD: usize = 16;

/// One 16-column panel's worth, or two, of G = A^T D, over all rows of A and D.
///
/// G (k, n) with A (rows, k) and D (rows, n): this is the transposed weight gradient, whose rows are
/// inputs, in the layout of the packed transposed weights. One computes rows
/// `input * 16 .. input * 16 + 16` of panels `output .. output + outputs` of it, tile by tile.
pub struct WeightGradient<T> {
    /// The layer's input (rows, k).
    pub a: Panels<T>,
    /// Gradient with respect to the layer's output (rows, n).
    pub d: Panels<T>,
    /// Panel of A.
    pub input: usize,
    /// First panel of D.
    pub output: usize,
    /// Panels of D: 1 or 2.
    pub outputs: usize,
}

impl<T> Clone for WeightGradient<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for WeightGradient<T> {}

/// What becomes of a gradient while it is still in registers.
pub trait Finish<T: Real>: Copy {
    /// Takes the sums of `MR` rows of `NV` registers. Row 0 is row `row` of the block, register 0
    /// begins at its column `col`.
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        col: usize,
        sums: &[[V; NV]; MR],
    );

    /// What else is done, half of it before the first tile and half before another.
    #[inline(always)]
    fn between<V: Vector<T>>(self, half: usize) {
        let _ = half;
    }
}

impl<T: Real> WeightGradient<T> {
    /// Computes the gradient and gives each tile to `finish`.
    #[inline(always)]
    pub fn each_tile<S: Simd, F: Finish<T>>(self, finish: F) {
        debug_assert_eq!(self.a.rows(), self.d.rows());
        // 8 rows of two registers: 16 chains, and the 16 inputs of a panel split evenly. With 16
        // registers 6 + 5 + 5 rows.
        match S::REGISTERS {
            32 => self.rows_of::<S, F, 8, 2>(finish),
            16 => self.rows_of::<S, F, 6, 2>(finish),
            _ => self.rows_of::<S, F, 4, 1>(finish),
        }
    }

    /// As [`Self::each_tile`], of an A with up to [`THIN`] columns and one panel of D: two tiles would
    /// have too few chains.
    #[inline(always)]
    pub fn each_thin_tile<S: Simd, F: Finish<T>>(self, finish: F) {
        debug_assert!(self.a.cols() <= THIN && self.outputs == 1);
        self.rows_of::<S, F, THIN, 1>(finish);
    }

    #[inline(always)]
    fn rows_of<S: Simd, F: Finish<T>, const MR: usize, const NV: usize>(self, finish: F) {
        let rows = self.a.rows();
        if rows <= BLOCK_ROWS {
            let part = Part { start: 0, len: rows, slot: None };
            return self.tiles::<S, F, MR, NV>(finish, part);
        }
        let mut sums = Scratch::<T, BLOCK>::new();
        let sums = sums.ptr();
        finish.between::<S::Register<T>>(0);
        S::call(Tree::<T, MR, NV> { gradient: self, sums });
        finish.between::<S::Register<T>>(1);
        self.each_kept::<S, _>(Give { sums, finish });
    }

    /// Does the work for each register that tiles leave in a slot.
    #[inline(always)]
    fn each_kept<S: Simd, W: Kept<T>>(self, work: W) {
        for panel in 0..self.outputs {
            let width = self.d.width(self.output + panel);
            for row in 0..self.a.width(self.input) {
                let mut lane = 0;
                while lane < width {
                    let col = panel * LANES + lane;
                    if width - lane > S::Half::<T>::LANES {
                        work.register::<S::Register<T>>(row, col);
                        lane += S::Register::<T>::LANES;
                    } else {
                        work.register::<S::Half<T>>(row, col);
                        lane += S::Half::<T>::LANES;
                    }
                }
            }
        }
    }

    /// All tiles over some rows.
    #[inline(always)]
    fn tiles<S: Simd, F: Finish<T>, const MR: usize, const NV: usize>(
        self,
        finish: F,
        part: Part<T>,
    ) {
        let first = self.output * LANES;
        let end = if first + self.outputs * LANES < self.d.cols() {
            first + self.outputs * LANES
        } else {
            self.d.cols()
        };
        let mut col = first;
        while col < end {
            let width = Width::of::<T, S::Register<T>, S::Half<T>, NV>(end - col);
            match width {
                Width::All => self.column::<S::Register<T>, F, MR, NV>(finish, part, col),
                Width::One => self.column::<S::Register<T>, F, MR, 1>(finish, part, col),
                Width::Half => self.column::<S::Half<T>, F, MR, 1>(finish, part, col),
            }
            col += width.lanes::<T, S::Register<T>, NV>();
        }
    }

    /// The tiles of `NV` registers from column `col` of D on.
    #[inline(always)]
    fn column<V: Vector<T>, F: Finish<T>, const MR: usize, const NV: usize>(
        self,
        finish: F,
        part: Part<T>,
        col: usize,
    ) {
        let (split, tiles) = Balanced::new(self.a.width(self.input), MR);
        for tile in 0..tiles {
            let (row, height) = split.range(tile);
            by_height!(height, MR, tile_of::<T, V, F; NV>(self, finish, part, row, col));
        }
    }
}

/// A gradient over more rows than a block has, left in one slot.
struct Tree<T, const MR: usize, const NV: usize> {
    gradient: WeightGradient<T>,
    sums: *mut T,
}

impl<T: Real, const MR: usize, const NV: usize> Kernel for Tree<T, MR, NV> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { gradient, sums } = self;
        let rows = gradient.a.rows();
        // Not initialised, since 2 KB a slot would cost as much as a hundred rows.
        let mut others = Scratch::<T, { (SLOTS - 1) * BLOCK }>::new();
        let slots = Slots { first: sums, others: others.ptr() };
        let mut tree = BlockTree::default();
        let blocks = rows.div_ceil(BLOCK_ROWS);
        assert!(BlockTree::slots(blocks) <= SLOTS, "too many rows for one slab");
        for block in 0..blocks {
            let start = block * BLOCK_ROWS;
            let len = if rows - start < BLOCK_ROWS { rows - start } else { BLOCK_ROWS };
            let part = Part { start, len, slot: Some(slots.at(tree.slot())) };
            gradient.tiles::<S, Nothing, MR, NV>(Nothing, part);
            for i in tree.push() {
                gradient.each_kept::<S, _>(slots.merge(i));
            }
        }
        for i in tree.finish() {
            gradient.each_kept::<S, _>(slots.merge(i));
        }
    }
}

/// Slot i holds the sums of a whole subtree; the first is where the last sums go.
#[derive(Clone, Copy)]
struct Slots<T> {
    first: *mut T,
    others: *mut T,
}

impl<T: Copy> Slots<T> {
    #[inline(always)]
    fn at(self, i: usize) -> *mut T {
        if i == 0 { self.first } else { self.others.wrapping_add((i - 1) * BLOCK) }
    }

    /// Adds the slot after this one to it.
    #[inline(always)]
    fn merge(self, i: usize) -> Merge<T> {
        Merge { to: self.at(i), from: self.at(i + 1) }
    }
}

/// What is done with registers that tiles have left in a slot.
trait Kept<T: Real>: Copy {
    /// The register of one row of the block, from column `col` on.
    fn register<V: Vector<T>>(self, row: usize, col: usize);
}

/// Where a slot keeps it.
#[inline(always)]
fn place(row: usize, col: usize) -> usize {
    (col / LANES * LANES + row) * LANES + col % LANES
}

/// Adds one slot to another.
#[derive(Clone, Copy)]
struct Merge<T> {
    to: *mut T,
    from: *const T,
}

impl<T: Real> Kept<T> for Merge<T> {
    #[inline(always)]
    fn register<V: Vector<T>>(self, row: usize, col: usize) {
        let at = place(row, col);
        let (to, from) = (self.to.wrapping_add(at), self.from.wrapping_add(at));
        // SAFETY: tiles wrote these places of both slots.
        unsafe { V::load(to).add(V::load(from)).store(to) };
    }
}

/// Gives the sums of a slot to what finishes them.
#[derive(Clone, Copy)]
struct Give<T, F> {
    sums: *const T,
    finish: F,
}

impl<T: Real, F: Finish<T>> Kept<T> for Give<T, F> {
    #[inline(always)]
    fn register<V: Vector<T>>(self, row: usize, col: usize) {
        // SAFETY: the tree left a sum there.
        let sum = unsafe { V::load(self.sums.wrapping_add(place(row, col))) };
        self.finish.tile(row, col, &[[sum]]);
    }
}

/// For tiles whose sums rest in a slot.
#[derive(Clone, Copy)]
struct Nothing;

impl<T: Real> Finish<T> for Nothing {
    #[inline(always)]
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        _: usize,
        _: usize,
        _: &[[V; NV]; MR],
    ) {
    }
}

/// A block of rows of the batch, and where the sums over them rest unless they are complete.
#[derive(Clone, Copy)]
struct Part<T> {
    start: usize,
    len: usize,
    /// Two panels of 16 rows.
    slot: Option<*mut T>,
}

/// Elements of a slot: a block of the gradient.
const BLOCK: usize = 2 * LANES * LANES;

/// One tile: inputs `row..row + MR` of the panel, registers from column `col` of D on.
#[inline(always)]
fn tile_of<T: Real, V: Vector<T>, F: Finish<T>, const MR: usize, const NV: usize>(
    gradient: WeightGradient<T>,
    finish: F,
    part: Part<T>,
    row: usize,
    col: usize,
) {
    let WeightGradient { a, d, input, output, .. } = gradient;
    let mut sums: Tile<V, MR, NV> = [[V::zero(); NV]; MR];
    if part.len > 0 {
        let right = registers::<T, V, NV>(d, part.start, col);
        let left = a.row(input, part.start).wrapping_add(row);
        let next = |p: *mut T| p.wrapping_add(AHEAD * LANES).cast_const();
        let two = [next(left), next(right[0])];
        let three = [two[0], two[1], next(right[NV - 1])];
        let len = part.len;
        // SAFETY: rows start..start + len of A's panel and of D's panels exist.
        unsafe {
            if NV * V::LANES * size_of::<T>() > LINE {
                accumulate::<T, V, MR, NV, 3, 1, LANES>(&mut sums, left, right, three, len);
            } else {
                accumulate::<T, V, MR, NV, 2, 1, LANES>(&mut sums, left, right, two, len);
            }
        }
    }
    let Some(slot) = part.slot else {
        finish.between::<V>(usize::from(row > 0));
        return finish.tile(row, col - output * LANES, &sums);
    };
    for i in 0..MR {
        for v in 0..NV {
            let at = place(row + i, col - output * LANES + v * V::LANES);
            // SAFETY: the slot holds two panels of 16 rows.
            unsafe { sums[i][v].store(slot.wrapping_add(at)) };
        }
    }
}

/// The sums of columns over all rows (N2): the bias gradient. Two panels go together, whose chains of
/// additions hide each other's latency.
pub struct ColumnSums<T> {
    /// Gradient with respect to the layer's output (rows, n).
    pub d: Panels<T>,
    /// First panel of D.
    pub output: usize,
    /// Panels of D: 1 or 2.
    pub outputs: usize,
    /// 16 elements for each panel.
    pub target: Span<T>,
}

impl<T: Real> Kernel for ColumnSums<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match self.outputs {
            1 => self.sums::<S, 1>(),
            _ => self.sums::<S, 2>(),
        }
    }
}

impl<T: Real> ColumnSums<T> {
    #[inline(always)]
    fn sums<S: Simd, const N: usize>(self) {
        let rows = self.d.rows();
        if rows <= BLOCK_ROWS {
            // Without the tree's slots, which cost as much as 30 rows.
            return self.keep(self.block::<S::Lanes<T>, N>(0, rows));
        }
        let mut nodes = [[S::Lanes::<T>::zero(); N]; SLOTS];
        let mut tree = BlockTree::default();
        for block in 0..rows.div_ceil(BLOCK_ROWS) {
            let start = block * BLOCK_ROWS;
            let len = if rows - start < BLOCK_ROWS { rows - start } else { BLOCK_ROWS };
            nodes[tree.slot()] = self.block(start, len);
            for i in tree.push() {
                merge_nodes(&mut nodes, i);
            }
        }
        for i in tree.finish() {
            merge_nodes(&mut nodes, i);
        }
        self.keep(nodes[0]);
    }

    /// The chains over `len` rows from row `start` on.
    #[inline(always)]
    fn block<V: Vector<T>, const N: usize>(&self, start: usize, len: usize) -> [V; N] {
        let mut sums = [V::zero(); N];
        for row in start..start + len {
            for n in 0..N {
                // SAFETY: the views' maker vouches for D's rows.
                sums[n] = sums[n].add(unsafe { V::load(self.d.row(self.output + n, row)) });
            }
        }
        sums
    }

    #[inline(always)]
    fn keep<V: Vector<T>, const N: usize>(&self, sums: [V; N]) {
        for n in 0..N {
            // SAFETY: the target holds 16 elements for each panel.
            unsafe { sums[n].store(self.target.at(n * LANES)) };
        }
    }
}

/// Adds the node after this one to it.
#[inline(always)]
fn merge_nodes<T: Real, V: Vector<T>, const N: usize>(nodes: &mut [[V; N]; SLOTS], at: usize) {
    for n in 0..N {
        nodes[at][n] = nodes[at][n].add(nodes[at + 1][n]);
    }
}
