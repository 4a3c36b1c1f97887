//! Products of matrices of up to 16 x 16, every element a chain.

use super::layers::FOUR;
use crate::simd::{LANES, Real, Simd, Vector};

/// Where chains begin.
#[derive(Clone, Copy)]
pub(super) enum Start<T> {
    /// At +0.
    Zero,
    /// At a number for each row.
    Rows(*const T),
    /// At what the result holds.
    Result,
}

/// A left operand: element (i, k) is at `ptr + i * ROW + k * K`.
#[derive(Clone, Copy)]
pub(super) struct Left<T, const ROW: usize, const K: usize> {
    pub(super) ptr: *const T,
    pub(super) rows: usize,
}

impl<T: Real, const ROW: usize, const K: usize> Left<T, ROW, K> {
    /// C = start + A B, chains as in N1, for B of `len` rows and C of `cols` columns, both with 16
    /// elements from row to row. Registers of C that hold none of the columns are not touched.
    ///
    /// # Safety
    /// All elements of A and B and, with `Start::Rows`, one for each row are valid for reads; rows of
    /// C for reads and writes.
    #[inline(always)]
    pub(super) unsafe fn chains<S: Simd>(
        self,
        b: *const T,
        c: *mut T,
        len: usize,
        cols: usize,
        start: Start<T>,
    ) {
        // SAFETY: the caller vouches for both.
        unsafe {
            if cols <= FOUR {
                self.columns::<S::Four<T>, 1>(b, c, len, start);
                return;
            }
            let lanes = <S::Register<T> as Vector<T>>::LANES;
            let mut col = 0;
            while col < cols {
                let (b, c) = (b.add(col), c.add(col));
                if 2 * lanes <= LANES && cols - col > lanes {
                    self.columns::<S::Register<T>, 2>(b, c, len, start);
                    col += 2 * lanes;
                } else {
                    self.columns::<S::Register<T>, 1>(b, c, len, start);
                    col += lanes;
                }
            }
        }
    }

    /// All rows of `NV` registers of columns: four at a time, and those that are left together, for
    /// a lone row waits 4 cycles for each of its multiply-adds.
    ///
    /// # Safety
    /// As for `chains`.
    #[inline(always)]
    unsafe fn columns<V: Vector<T>, const NV: usize>(
        self,
        b: *const T,
        c: *mut T,
        len: usize,
        start: Start<T>,
    ) {
        let mut row = 0;
        if V::CALLS {
            while row < self.rows {
                // SAFETY: the row lies inside; the caller vouches for the rest.
                unsafe { self.tile::<V, 1, NV>(row, b, c, len, start) };
                row += 1;
            }
            return;
        }
        while row < self.rows {
            // SAFETY: the tile lies inside; the caller vouches for the rest.
            unsafe {
                match self.rows - row {
                    1 => self.tile::<V, 1, NV>(row, b, c, len, start),
                    2 => self.tile::<V, 2, NV>(row, b, c, len, start),
                    3 => self.tile::<V, 3, NV>(row, b, c, len, start),
                    _ => self.tile::<V, 4, NV>(row, b, c, len, start),
                }
            }
            row += 4;
        }
    }

    /// Rows `row..row + MR`, `NV` registers.
    ///
    /// # Safety
    /// As for `chains`.
    #[inline(always)]
    unsafe fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        b: *const T,
        c: *mut T,
        len: usize,
        start: Start<T>,
    ) {
        let mut acc = [[V::zero(); NV]; MR];
        // SAFETY: the caller vouches for the addresses.
        unsafe {
            let c = c.add(row * LANES);
            for i in 0..MR {
                for v in 0..NV {
                    match start {
                        Start::Zero => {}
                        Start::Rows(rows) => acc[i][v] = V::splat(*rows.add(row + i)),
                        Start::Result => acc[i][v] = V::load(c.add(i * LANES + v * V::LANES)),
                    }
                }
            }
            let mut a = self.ptr.add(row * ROW);
            let mut b = b;
            let end = b.add(len * LANES);
            while b != end {
                let mut right = [V::zero(); NV];
                for v in 0..NV {
                    right[v] = V::load(b.add(v * V::LANES));
                }
                for i in 0..MR {
                    let left = V::splat(*a.add(i * ROW));
                    for v in 0..NV {
                        acc[i][v] = left.fma(right[v], acc[i][v]);
                    }
                }
                a = a.add(K);
                b = b.add(LANES);
            }
            for i in 0..MR {
                for v in 0..NV {
                    acc[i][v].store(c.add(i * LANES + v * V::LANES));
                }
            }
        }
    }
}
