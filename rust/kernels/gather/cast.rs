//! Whole arrays of targets, weights and labels.

use super::Matrix;
use super::element::{Element, convert, with_element};
use crate::error::Result;
use crate::kernels::tuning::CONVERTED;
use crate::runtime::{memory, watch};
use crate::simd::Real;

/// All elements, row by row, each as the nearest `T`.
///
/// # Errors
/// `Error::Memory` if there is no room for them, `Error::Interrupted`.
pub fn to_vec<T: Real>(matrix: &Matrix) -> Result<Vec<T>> {
    with_element!(matrix.dtype(), D => collect(matrix, convert::<D, T>))
}

/// All elements, row by row, as integers. Those above `i64::MAX` become that; floats lose what
/// follows the point, so that only integers and booleans make sense.
///
/// # Errors
/// `Error::Memory` if there is no room for them, `Error::Interrupted`.
pub fn to_i64(matrix: &Matrix) -> Result<Vec<i64>> {
    with_element!(matrix.dtype(), D => collect(matrix, D::to_i64))
}

fn collect<D: Element, T>(matrix: &Matrix, convert: fn(D) -> T) -> Result<Vec<T>> {
    let mut all = memory::vector(matrix.rows().saturating_mul(matrix.cols()))?;
    watch::pieces(matrix.rows(), CONVERTED / matrix.cols().max(1), |rows| {
        for row in rows {
            for col in 0..matrix.cols() {
                // SAFETY: an element of the matrix.
                all.push(convert(unsafe { matrix.at(row, col).cast::<D>().read_unaligned() }));
            }
        }
        Ok(())
    })?;
    Ok(all)
}
