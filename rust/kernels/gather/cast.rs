//! Whole arrays of targets, weights and labels.

use super::Source;
use super::element::{Element, convert, with_element};
use crate::error::Result;
use crate::kernels::tuning::CONVERTED;
use crate::runtime::{memory, watch};
use crate::simd::Real;

/// All elements, row by row, each as the nearest `T`.
///
/// # Errors
/// `Error::Memory` if there is no room for them, `Error::Interrupted`.
pub fn to_vec<T: Real>(source: &Source) -> Result<Vec<T>> {
    with_element!(source.dtype(), D => collect(source, convert::<D, T>))
}

/// All elements, row by row, as integers. Those above `i64::MAX` become that; floats lose what
/// follows the point, so that only integers and booleans make sense.
///
/// # Errors
/// `Error::Memory` if there is no room for them, `Error::Interrupted`.
pub fn to_i64(source: &Source) -> Result<Vec<i64>> {
    with_element!(source.dtype(), D => collect(source, D::to_i64))
}

fn collect<D: Element, T>(source: &Source, convert: fn(D) -> T) -> Result<Vec<T>> {
    let mut all = memory::vector(source.rows().saturating_mul(source.cols()))?;
    watch::pieces(source.rows(), CONVERTED / source.cols().max(1), |rows| {
        for row in rows {
            for col in 0..source.cols() {
                // SAFETY: an element of the source.
                all.push(convert(unsafe { source.at(row, col).cast::<D>().read_unaligned() }));
            }
        }
        Ok(())
    })?;
    Ok(all)
}
