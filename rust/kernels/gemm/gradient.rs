//! Sums over the rows of a batch: the weight gradient and the bias gradient.
//!
//! Blocks of 256 rows are chains, whose sums meet in the tree of `reduce.rs` (N2).

use super::tile::{Balanced, Tile, accumulate, by_height};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Partial sums on their way through the tree: enough for 2^16 - 1 blocks, 16 million rows; a slab
/// has 16 blocks.
const SLOTS: usize = 16;

/// One 16-column panel's worth, or two, of G = A^T D, over all rows of A and D.
///
/// G (k, n) with A (rows, k) and D (rows, n): this is the transposed weight gradient, whose rows are
/// inputs, in the layout of the packed transposed weights. One call computes rows
/// `input * 16 .. input * 16 + 16` of panels `output .. output + outputs` of it.
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
    /// Where the rows go: panel 0 takes those of `output`, panel 1 those of `output + 1`; row 0 is
    /// row `input * 16` of G.
    pub target: Panels<T>,
}

impl<T> Clone for WeightGradient<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for WeightGradient<T> {}

impl<T: Real> Kernel for WeightGradient<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        debug_assert_eq!(self.a.rows(), self.d.rows());
        // 8 rows of two registers: 16 chains, and the 16 inputs of a panel split evenly. With 16
        // registers 6 + 5 + 5 rows.
        match S::REGISTERS {
            32 => self.columns::<S::Register<T>, 8, 2>(),
            16 => self.columns::<S::Register<T>, 6, 2>(),
            _ => self.columns::<S::Register<T>, 4, 1>(),
        }
    }
}

impl<T: Real> WeightGradient<T> {
    #[inline(always)]
    fn columns<V: Vector<T>, const MR: usize, const NV: usize>(self) {
        let first = self.output * LANES;
        let end = if first + self.outputs * LANES < self.d.cols() {
            first + self.outputs * LANES
        } else {
            self.d.cols()
        };
        let mut col = first;
        while col < end {
            if NV == 2 && V::LANES == LANES && col + LANES >= end {
                self.rows_of::<V, MR, 1>(col);
                col += V::LANES;
            } else {
                self.rows_of::<V, MR, NV>(col);
                col += NV * V::LANES;
            }
        }
    }

    #[inline(always)]
    fn rows_of<V: Vector<T>, const MR: usize, const NV: usize>(self, col: usize) {
        let (split, tiles) = Balanced::new(self.a.width(self.input), MR);
        for tile in 0..tiles {
            let (row, height) = split.range(tile);
            by_height!(height, MR, tile_of::<T, V; NV>(self, row, col));
        }
    }
}

/// One tile: inputs `row..row + MR` of the panel, registers from column `col` of D on.
#[inline(always)]
fn tile_of<T: Real, V: Vector<T>, const MR: usize, const NV: usize>(
    gradient: WeightGradient<T>,
    row: usize,
    col: usize,
) {
    let WeightGradient { output, target, .. } = gradient;
    let rows = gradient.a.rows();
    let sum = if rows == 0 {
        [[V::zero(); NV]; MR]
    } else if rows <= BLOCK_ROWS {
        chain(&gradient, row, col, 0)
    } else {
        let mut nodes = [[[V::zero(); NV]; MR]; SLOTS];
        let mut tree = BlockTree::default();
        for block in 0..rows.div_ceil(BLOCK_ROWS) {
            nodes[tree.slot()] = chain(&gradient, row, col, block * BLOCK_ROWS);
            for i in tree.push() {
                merge(&mut nodes, i);
            }
        }
        for i in tree.finish() {
            merge(&mut nodes, i);
        }
        nodes[0]
    };
    for v in 0..NV {
        let at = col + v * V::LANES;
        for i in 0..MR {
            // SAFETY: the views' maker vouches for the target's rows.
            unsafe {
                sum[i][v].store(target.row(at / LANES - output, row + i).add(at % LANES));
            }
        }
    }
}

/// The tile's sum over the block of rows that begins at `start`.
#[inline(always)]
fn chain<T: Real, V: Vector<T>, const MR: usize, const NV: usize>(
    gradient: &WeightGradient<T>,
    row: usize,
    col: usize,
    start: usize,
) -> Tile<V, MR, NV> {
    let left = gradient.a.rows() - start;
    let len = if left < BLOCK_ROWS { left } else { BLOCK_ROWS };
    let mut acc: Tile<V, MR, NV> = [[V::zero(); NV]; MR];
    let mut right = [std::ptr::null::<T>(); NV];
    for v in 0..NV {
        let at = col + v * V::LANES;
        right[v] = gradient.d.row(at / LANES, start).wrapping_add(at % LANES);
    }
    let a = gradient.a.row(gradient.input, start).wrapping_add(row);
    // SAFETY: rows start..start + len of A's panel and of D's panels exist.
    unsafe { accumulate::<T, V, MR, NV, 1, LANES>(&mut acc, a, right, len) };
    acc
}

/// Adds slot `i + 1` to slot `i`.
#[inline(always)]
fn merge<T: Real, V: Vector<T>, const MR: usize, const NV: usize>(
    nodes: &mut [Tile<V, MR, NV>; SLOTS],
    slot: usize,
) {
    for i in 0..MR {
        for v in 0..NV {
            nodes[slot][i][v] = nodes[slot][i][v].add(nodes[slot + 1][i][v]);
        }
    }
}

/// The sums of one panel's columns over all rows (N2): the bias gradient.
pub struct ColumnSums<T> {
    /// Gradient with respect to the layer's output (rows, n).
    pub d: Panels<T>,
    /// Panel of D.
    pub output: usize,
    /// 16 elements.
    pub target: Span<T>,
}

impl<T: Real> Kernel for ColumnSums<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let rows = self.d.rows();
        let mut nodes = [[[S::Lanes::<T>::zero(); 1]; 1]; SLOTS];
        let mut tree = BlockTree::default();
        for block in 0..rows.div_ceil(BLOCK_ROWS) {
            let start = block * BLOCK_ROWS;
            let len = if rows - start < BLOCK_ROWS { rows - start } else { BLOCK_ROWS };
            let mut sum = S::Lanes::<T>::zero();
            for row in start..start + len {
                // SAFETY: the views' maker vouches for D's rows.
                sum = sum.add(unsafe { S::Lanes::<T>::load(self.d.row(self.output, row)) });
            }
            nodes[tree.slot()] = [[sum]];
            for i in tree.push() {
                merge::<T, _, 1, 1>(&mut nodes, i);
            }
        }
        for i in tree.finish() {
            merge::<T, _, 1, 1>(&mut nodes, i);
        }
        // SAFETY: the target holds 16 elements.
        unsafe { nodes[0][0][0].store(self.target.at(0)) };
    }
}
