//! A matrix that someone else owns.

use std::marker::PhantomData;

use super::DType;
use crate::simd::Real;

/// A matrix in memory that others own: element (r, c) is at `ptr + r * row_stride + c * col_stride`
/// bytes, aligned or not. Strides may be zero or negative. `'a` is how long the memory is there.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    ptr: *const u8,
    dtype: DType,
    rows: usize,
    cols: usize,
    row_stride: isize,
    pub(super) col_stride: isize,
    memory: PhantomData<&'a [u8]>,
}

// SAFETY: an address; who made it vouches for the memory behind it in every thread (see `new`).
unsafe impl Send for Matrix<'_> {}
// SAFETY: as above.
unsafe impl Sync for Matrix<'_> {}

impl<'a> Matrix<'a> {
    /// # Safety
    /// As long as the matrix or a copy of it is in use, each of its elements lies in memory that is
    /// mapped and may be read. Other threads may write to that memory; the values read are then
    /// unspecified.
    #[must_use]
    pub unsafe fn new(
        ptr: *const u8,
        dtype: DType,
        (rows, cols): (usize, usize),
        (row_stride, col_stride): (isize, isize),
    ) -> Self {
        Self { ptr, dtype, rows, cols, row_stride, col_stride, memory: PhantomData }
    }

    /// Row-major elements of ours, `cols` in a row.
    ///
    /// # Panics
    /// If the elements are not whole rows.
    #[must_use]
    pub fn of_slice<T: Real>(values: &'a [T], cols: usize) -> Self {
        assert!(cols > 0 && values.len().is_multiple_of(cols));
        let size = size_of::<T>();
        let shape = (values.len() / cols, cols);
        // SAFETY: the elements are inside the slice, which is borrowed for as long as the matrix.
        unsafe {
            let dtype = if size == 4 { DType::F32 } else { DType::F64 };
            Self::new(values.as_ptr().cast(), dtype, shape, ((cols * size) as isize, size as isize))
        }
    }

    /// The matrix whose columns these are, if its rows lie in memory one element after the other.
    #[must_use]
    pub fn joined(columns: &[Self]) -> Option<Self> {
        let first = columns.first()?;
        let size = first.dtype.size();
        let follows = |(col, column): (usize, &Self)| {
            let Self { ptr, dtype, rows, cols, row_stride, .. } = *column;
            (dtype, rows, cols, row_stride) == (first.dtype, first.rows, 1, first.row_stride)
                && ptr == first.ptr.wrapping_add(col * size)
        };
        let one = columns.iter().enumerate().all(follows);
        one.then_some(Self { cols: columns.len(), col_stride: size as isize, ..*first })
    }

    /// The element type.
    #[inline]
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Rows.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    #[inline]
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Columns `start..end` alone.
    ///
    /// # Panics
    /// If there are no such columns.
    #[must_use]
    pub fn columns(&self, start: usize, end: usize) -> Self {
        assert!(start <= end && end <= self.cols);
        let ptr = self.ptr.wrapping_offset(self.col_stride * start as isize);
        Self { ptr, cols: end - start, ..*self }
    }

    /// Bytes of a row's elements.
    #[inline]
    pub(super) fn row_bytes(&self) -> usize {
        self.cols * self.dtype.size()
    }

    /// Whether the elements of a row follow each other.
    #[inline(always)]
    pub(super) fn has_contiguous_rows(&self) -> bool {
        self.col_stride == self.dtype.size() as isize || self.cols == 1
    }

    /// Whether the elements of a column follow each other.
    #[inline(always)]
    pub(super) fn has_contiguous_columns(&self) -> bool {
        self.row_stride == self.dtype.size() as isize || self.rows == 1
    }

    /// Whether each row follows the one before it.
    #[inline(always)]
    pub(super) fn is_contiguous(&self) -> bool {
        let row = (self.cols * self.dtype.size()) as isize;
        self.has_contiguous_rows() && (self.row_stride == row || self.rows == 1)
    }

    /// The address of an element.
    ///
    /// # Panics
    /// If there is no such row: the caller's indices may be wrong, but never read elsewhere.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, col: usize) -> *const u8 {
        assert!(row < self.rows && col < self.cols);
        self.ptr
            .wrapping_offset(self.row_stride * row as isize)
            .wrapping_offset(self.col_stride * col as isize)
    }
}
