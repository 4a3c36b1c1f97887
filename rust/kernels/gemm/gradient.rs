//! Sums over the rows of a batch: the weight gradient and the bias gradient.
//!
//! Blocks of 256 rows are chains, whose sums meet in the tree of `reduce.rs` (N2).

use super::sums::{Finish, RowBlock, SLOTS, WeightGradient};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::tuning::THIN;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

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
            8 => self.rows_of::<S, F, 4, 1>(finish),
            _ => self.rows_of::<S, F, 1, 1>(finish),
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
            let part = RowBlock { start: 0, len: rows, slot: None };
            return self.tiles::<S, F, MR, NV>(finish, part);
        }
        self.in_blocks::<S, F, MR, NV>(finish);
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
