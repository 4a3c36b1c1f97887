//! The search for NaNs and infinities.

use std::ops::Range;

use super::Source;
use super::search::first_in_matrix;
use crate::simd::{Isa, Real};

/// The first row of a range that has a NaN or an infinity, or a number that becomes infinite in `T`.
///
/// # Panics
/// If the range is not in the source.
#[must_use]
pub fn first_non_finite<T: Real>(isa: Isa, source: &Source, rows: Range<usize>) -> Option<usize> {
    assert!(rows.start <= rows.end && rows.end <= source.rows());
    match source {
        Source::Matrix(matrix) => first_in_matrix::<T>(isa, matrix, rows),
        Source::Columns(columns) => columns.first_non_finite::<T>(isa, rows),
        Source::Sparse(sparse) => sparse.first_non_finite::<T>(isa, rows),
    }
}

/// The first column in which that row has such a number.
#[must_use]
pub fn non_finite_column<T: Real>(isa: Isa, source: &Source, row: usize) -> Option<usize> {
    let has = |&col: &usize| {
        first_non_finite::<T>(isa, &source.columns(col, col + 1), row..row + 1).is_some()
    };
    (0..source.cols()).find(has)
}
