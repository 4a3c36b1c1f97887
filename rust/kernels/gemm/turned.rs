//! C = bias + A^T B, where the columns of A are rows of a batch, 16 in the lanes of each panel.

use super::ahead::next_part;
use super::tile::{Tile, Width, accumulate, registers};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::tuning::SWEEP;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// C = bias + A^T B with A (k, m), B (k, n), C (m, n) in panels; bias (n) or empty for +0.
///
/// Each element is the chain of [`super::Product`]: acc = fma(a_k, b_k, acc), k ascending. The lanes of a
/// panel of A are the rows of one tile or two, and a row of it is a cache line that those read by
/// broadcasts.
pub struct TurnedProduct<T> {
    /// Left operand, turned; may not overlap C.
    pub a: Panels<T>,
    /// Right operand, as many rows as A.
    pub b: Panels<T>,
    /// Result; at most as many rows as A has columns.
    pub c: Panels<T>,
    /// Start of each column's chains: `n` rounded up to 16 elements, or none.
    pub bias: Span<T>,
}

impl<T> Clone for TurnedProduct<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TurnedProduct<T> {}

impl<T: Real> Kernel for TurnedProduct<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        assert!(self.a.rows() == self.b.rows());
        assert!(self.c.rows() <= self.a.padded().cols());
        assert!(self.b.cols() == self.c.cols());
        // The heights of a panel's tiles, the first and the others.
        match S::REGISTERS {
            32 => self.sweep::<S::Register<T>, S::Half<T>, 8, 8, 2>(),
            16 => self.sweep::<S::Register<T>, S::Half<T>, 6, 5, 2>(),
            8 => self.sweep::<S::Register<T>, S::Half<T>, 4, 4, 1>(),
            _ => self.sweep::<S::Register<T>, S::Half<T>, 1, 1, 1>(),
        }
    }
}

impl<T: Real> TurnedProduct<T> {
    #[inline(always)]
    fn sweep<
        V: Vector<T>,
        H: Vector<T>,
        const FIRST: usize,
        const OTHER: usize,
        const NV: usize,
    >(
        self,
    ) {
        let k = self.b.rows();
        let mut start = 0;
        loop {
            let end = if k - start > SWEEP { start + SWEEP } else { k };
            let mut col = 0;
            while col < self.c.cols() {
                let width = Width::of::<T, V, H, NV>(self.c.cols() - col);
                match width {
                    Width::All => self.column::<V, FIRST, OTHER, NV>(col, start, end),
                    Width::One => self.column::<V, FIRST, OTHER, 1>(col, start, end),
                    Width::Half => self.column::<H, FIRST, OTHER, 1>(col, start, end),
                }
                col += width.lanes::<T, V, NV>();
            }
            start = end;
            if start == k {
                break;
            }
        }
    }

    #[inline(always)]
    fn column<V: Vector<T>, const FIRST: usize, const OTHER: usize, const NV: usize>(
        self,
        col: usize,
        start: usize,
        end: usize,
    ) {
        let rows = self.c.rows();
        let ahead = next_part(self.b, NV * V::LANES, col, start, end);
        let mut panel = 0;
        while panel < rows {
            let mut row = panel;
            if FIRST != OTHER {
                self.tile::<V, FIRST, NV>(row, col, start, end, ahead);
                row += FIRST;
            }
            while row < rows && row < panel + LANES {
                self.tile::<V, OTHER, NV>(row, col, start, end, ahead);
                row += OTHER;
            }
            panel += LANES;
        }
    }

    /// Rows `row..row + MR` of one panel, as far as C has them; the others are computed in vain.
    #[inline(always)]
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        col: usize,
        start: usize,
        end: usize,
        ahead: [*const T; 3],
    ) {
        let Self { a, b, c, bias } = self;
        let mut acc: Tile<V, MR, NV> = [[V::zero(); NV]; MR];
        for i in 0..MR {
            for v in 0..NV {
                // SAFETY: the views' maker vouches for the rows of C's panels and for the bias.
                unsafe {
                    if start > 0 && row + i < c.rows() {
                        acc[i][v] = V::load(registers::<T, V, NV>(c, row + i, col)[v]);
                    } else if !bias.is_empty() {
                        acc[i][v] = V::load(bias.at(col + v * V::LANES));
                    }
                }
            }
        }
        if start < end {
            let later = (c.rows() - row).div_ceil(MR) - 1;
            let ahead = ahead[if later < 2 { later } else { 2 }];
            let right = registers::<T, V, NV>(b, start, col);
            let left = a.row(row / LANES, start).wrapping_add(row % LANES);
            // SAFETY: rows `start..end` of A's panel and of B's panels exist.
            unsafe {
                accumulate::<T, V, MR, NV, 1, 1, LANES>(
                    &mut acc,
                    left,
                    right,
                    [ahead],
                    end - start,
                );
            }
        }
        for i in 0..MR {
            if row + i < c.rows() {
                let place = registers::<T, V, NV>(c, row + i, col);
                for v in 0..NV {
                    // SAFETY: the views' maker vouches for row `row + i` of C's panels.
                    unsafe { acc[i][v].store(place[v]) };
                }
            }
        }
    }
}
