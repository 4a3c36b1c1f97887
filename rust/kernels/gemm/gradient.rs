//! Sums over the rows of a batch: the weight gradient and the bias gradient.
//!
//! Blocks of 256 rows are chains, whose sums meet in the tree of `reduce.rs` (N2).

use super::tile::{Balanced, Tile, Width, accumulate, by_height, registers};
use super::tree::{SLOTS, place};
use crate::kernels::fetch::LINE;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

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
        assert!(self.a.rows() == self.d.rows());
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
        assert!(self.a.cols() <= THIN && self.outputs == 1);
        self.rows_of::<S, F, THIN, 1>(finish);
    }

    #[inline(always)]
    fn rows_of<S: Simd, F: Finish<T>, const MR: usize, const NV: usize>(self, finish: F) {
        let rows = self.a.rows();
        if rows <= BLOCK_ROWS {
            let part = Part { start: 0, len: rows, slot: None };
            return self.tiles::<S, F, MR, NV>(finish, part);
        }
        self.in_blocks::<S, F, MR, NV>(finish);
    }

    /// All tiles over some rows.
    #[inline(always)]
    pub(super) fn tiles<S: Simd, F: Finish<T>, const MR: usize, const NV: usize>(
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

/// A block of rows of the batch, and where the sums over them rest unless they are complete.
#[derive(Clone, Copy)]
pub(super) struct Part<T> {
    pub start: usize,
    pub len: usize,
    /// Two panels of 16 rows.
    pub slot: Option<*mut T>,
}

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
