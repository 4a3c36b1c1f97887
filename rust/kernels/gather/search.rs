//! The search for NaNs and infinities in one matrix.

use std::marker::PhantomData;
use std::ops::Range;

use super::element::{Element, Float16, convert, load, load_partial};
use super::{DType, Matrix};
use crate::kernels::tuning::SEARCHED;
use crate::simd::{Isa, Kernel, LANES, Real, Simd, Vector};

/// The first row of a range that has a NaN or an infinity, or a number that becomes infinite in `T`.
pub(super) fn first_in_matrix<T: Real>(
    isa: Isa,
    matrix: &Matrix<'_>,
    rows: Range<usize>,
) -> Option<usize> {
    assert!(rows.end <= matrix.rows());
    if !matrix.dtype().is_float() || matrix.cols() == 0 {
        return None;
    }
    isa.run(Search::<T> { matrix: *matrix, rows, element: PhantomData })
}

struct Search<'a, T> {
    matrix: Matrix<'a>,
    rows: Range<usize>,
    element: PhantomData<T>,
}

impl<T: Real> Kernel for Search<'_, T> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Option<usize> {
        match self.matrix.dtype() {
            DType::F16 => search::<S, Float16, T>(&self.matrix, self.rows),
            DType::F32 => search::<S, f32, T>(&self.matrix, self.rows),
            DType::F64 => search::<S, f64, T>(&self.matrix, self.rows),
            // No integer of 64 bits is infinite as f32.
            _ => None,
        }
    }
}

#[inline(always)]
fn search<S: Simd, D: Element, T: Real>(matrix: &Matrix, rows: Range<usize>) -> Option<usize> {
    let by_columns = matrix.has_contiguous_columns() && !matrix.has_contiguous_rows();
    // Runs down a column are to be long as well.
    let height = if by_columns { SEARCHED / 4 } else { SEARCHED.div_ceil(matrix.cols()) };
    let mut start = rows.start;
    while start < rows.end {
        let end = if rows.end - start < height { rows.end } else { start + height };
        let found = if matrix.is_contiguous() {
            // SAFETY: the elements of these rows follow each other.
            unsafe { any::<S, D, T>(matrix.at(start, 0), (end - start) * matrix.cols()) }
        } else if matrix.has_contiguous_rows() {
            let mut found = false;
            for row in start..end {
                // SAFETY: the elements of a row follow each other.
                found |= unsafe { any::<S, D, T>(matrix.at(row, 0), matrix.cols()) };
            }
            found
        } else if by_columns {
            let mut found = false;
            for col in 0..matrix.cols() {
                // SAFETY: the elements of a column follow each other.
                found |= unsafe { any::<S, D, T>(matrix.at(start, col), end - start) };
            }
            found
        } else {
            true
        };
        if found {
            for row in start..end {
                for col in 0..matrix.cols() {
                    // SAFETY: an element of the matrix.
                    let x = unsafe { matrix.at(row, col).cast::<D>().read_unaligned() };
                    if !convert::<D, T>(x).is_finite() {
                        return Some(row);
                    }
                }
            }
        }
        start = end;
    }
    None
}

/// Whether one of `n` elements that follow each other is not finite.
///
/// # Safety
/// They may be read.
#[inline(always)]
unsafe fn any<S: Simd, D: Element, T: Real>(p: *const u8, n: usize) -> bool {
    // x - x is 0 for finite x, else NaN, which stays in the sum.
    let mut sum = S::Lanes::<T>::zero();
    let mut p = p;
    for _ in 0..n / LANES {
        // SAFETY: 16 of the n elements are left.
        let x = unsafe { load::<S, D, T>(p) };
        sum = sum.add(x.sub(x));
        p = p.wrapping_add(LANES * size_of::<D>());
    }
    if !n.is_multiple_of(LANES) {
        // SAFETY: n % 16 elements are left.
        let x = unsafe { load_partial::<S, D, T>(p, n % LANES) };
        sum = sum.add(x.sub(x));
    }
    let zero = S::Lanes::<T>::zero();
    let one = S::Lanes::<T>::splat(T::ONE);
    S::Lanes::<T>::any(zero.lt(S::Lanes::<T>::select(sum.eq(zero), zero, one)))
}
