//! The rows of X, which someone else owns.

use super::{Columns, DType, Matrix, Sparse};
use crate::simd::Real;

/// A matrix, however its elements lie in memory.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// With the same step from row to row, and from column to column.
    Matrix(Matrix<'a>),
    /// Column by column, as in a data frame.
    Columns(Columns<'a>),
    /// Only those that are there, row by row.
    Sparse(Sparse<'a>),
}

impl<'a> Source<'a> {
    /// # Safety
    /// That of [`Matrix::new`].
    #[must_use]
    pub unsafe fn new(
        ptr: *const u8,
        dtype: DType,
        shape: (usize, usize),
        strides: (isize, isize),
    ) -> Self {
        // SAFETY: the caller vouches for the elements.
        Self::Matrix(unsafe { Matrix::new(ptr, dtype, shape, strides) })
    }

    /// Row-major elements of ours, `cols` in a row.
    ///
    /// # Panics
    /// If the elements are not whole rows.
    #[must_use]
    pub fn of_slice<T: Real>(values: &'a [T], cols: usize) -> Self {
        Self::Matrix(Matrix::of_slice(values, cols))
    }

    /// Rows.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Matrix(matrix) => matrix.rows(),
            Self::Columns(columns) => columns.rows(),
            Self::Sparse(sparse) => sparse.rows(),
        }
    }

    /// Columns.
    #[inline]
    #[must_use]
    pub fn cols(&self) -> usize {
        match self {
            Self::Matrix(matrix) => matrix.cols(),
            Self::Columns(columns) => columns.cols(),
            Self::Sparse(sparse) => sparse.cols(),
        }
    }

    /// Elements in memory.
    #[must_use]
    pub fn elements(&self) -> usize {
        match self {
            Self::Sparse(sparse) => sparse.elements(),
            dense => dense.rows().saturating_mul(dense.cols()),
        }
    }

    /// Columns `start..end` alone.
    ///
    /// # Panics
    /// If there are no such columns.
    #[must_use]
    pub fn columns(&self, start: usize, end: usize) -> Self {
        match self {
            Self::Matrix(matrix) => Self::Matrix(matrix.columns(start, end)),
            Self::Columns(columns) => Self::Columns(columns.columns(start, end)),
            Self::Sparse(sparse) => Self::Sparse(sparse.columns(start, end)),
        }
    }
}
