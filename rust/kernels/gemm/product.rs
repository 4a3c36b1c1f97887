//! C = bias + A B, by rows of A.

use super::ahead::next_part;
use super::tile::{Balanced, Tile, Width, accumulate, by_height, registers};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::tuning::SWEEP;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// C = bias + A B with A (m, k), B (k, n), C (m, n) in panels; bias (n) or empty for +0.
///
/// Each element is the chain acc = fma(a_k, b_k, acc), k ascending, from the bias (N1); sweeps over
/// blocks of k store the partial chain in C and go on from there. Columns of C past the last
/// register that holds a column below n are not touched.
pub struct Product<T> {
    /// Left operand; may not overlap C.
    pub a: Panels<T>,
    /// Right operand, as many rows as A has columns.
    pub b: Panels<T>,
    /// Result, as many rows as A.
    pub c: Panels<T>,
    /// Start of each column's chains: `n` rounded up to 16 elements, or none.
    pub bias: Span<T>,
}

impl<T> Clone for Product<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Product<T> {}

impl<T: Real> Kernel for Product<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        assert!(self.a.cols() == self.b.rows());
        assert!(self.a.rows() == self.c.rows());
        assert!(self.b.cols() == self.c.cols());
        match S::REGISTERS {
            32 => self.sweep::<S::Register<T>, S::Half<T>, 12, 2>(),
            16 => self.sweep::<S::Register<T>, S::Half<T>, 6, 2>(),
            8 => self.sweep::<S::Register<T>, S::Half<T>, 4, 1>(),
            _ => self.sweep::<S::Register<T>, S::Half<T>, 1, 1>(),
        }
    }
}

impl<T: Real> Product<T> {
    #[inline(always)]
    fn sweep<V: Vector<T>, H: Vector<T>, const MR: usize, const NV: usize>(self) {
        let k = self.a.cols();
        let mut start = 0;
        loop {
            let end = if k - start > SWEEP { start + SWEEP } else { k };
            let mut col = 0;
            while col < self.c.cols() {
                let width = Width::of::<T, V, H, NV>(self.c.cols() - col);
                match width {
                    Width::All => self.column::<V, MR, NV>(col, start, end),
                    Width::One => self.column::<V, MR, 1>(col, start, end),
                    Width::Half => self.column::<H, MR, 1>(col, start, end),
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
    fn column<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        col: usize,
        start: usize,
        end: usize,
    ) {
        let (split, tiles) = Balanced::new(self.c.rows(), MR);
        let ahead = next_part(self.b, NV * V::LANES, col, start, end);
        for tile in 0..tiles {
            let (row, height) = split.range(tile);
            let left = tiles - 1 - tile;
            let ahead = if left >= 2 && col == 0 && start < end {
                // The first tiles to read these columns of A fetch the next rows of them: with several
                // threads, half of those lie in another core's cache (2 threads: mnist 1.05x).
                (self.a.row(start / LANES, row + height).cast_const(), self.a.stride())
            } else {
                (ahead[if left < 2 { left } else { 2 }], LANES * LANES)
            };
            by_height!(height, MR, tile_of::<T, V; NV>(self, row, col, start, end, ahead));
        }
    }
}

/// One tile: rows `row..row + MR`, registers from column `col` on, k from `start` to `end`. Beside its
/// work it fetches a line each step, from an address on, and 16 steps later so many elements further.
#[inline(always)]
fn tile_of<T: Real, V: Vector<T>, const MR: usize, const NV: usize>(
    product: Product<T>,
    row: usize,
    col: usize,
    start: usize,
    end: usize,
    (mut ahead, ahead_step): (*const T, usize),
) {
    let Product { a, b, c, bias } = product;
    let mut acc: Tile<V, MR, NV> = [[V::zero(); NV]; MR];
    let mut right = [std::ptr::null_mut::<T>(); NV];
    if start < end {
        right = registers::<T, V, NV>(b, start, col);
    }
    for i in 0..MR {
        let place = registers::<T, V, NV>(c, row + i, col);
        for v in 0..NV {
            // SAFETY: the views' maker vouches for row `row + i` of C's panels and for the bias.
            unsafe {
                if start > 0 {
                    acc[i][v] = V::load(place[v]);
                } else if !bias.is_empty() {
                    acc[i][v] = V::load(bias.at(col + v * V::LANES));
                }
            }
        }
    }
    let mut k = start;
    while k < end {
        let len = if end - k < LANES { end - k } else { LANES };
        // SAFETY: `len` columns of A's panel in MR rows, and `len` rows of B's panels, exist; `k` is a
        // multiple of 16 as `start` is.
        unsafe {
            let left = a.row(k / LANES, row);
            accumulate::<T, V, MR, NV, 1, LANES, 1>(&mut acc, left, right, [ahead], len);
        }
        ahead = ahead.wrapping_add(ahead_step);
        for v in 0..NV {
            right[v] = right[v].wrapping_add(LANES * LANES);
        }
        k += len;
    }
    for i in 0..MR {
        let place = registers::<T, V, NV>(c, row + i, col);
        for v in 0..NV {
            // SAFETY: the views' maker vouches for row `row + i` of C's panels.
            unsafe { acc[i][v].store(place[v]) };
        }
    }
}
