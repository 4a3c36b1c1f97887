//! A matrix that someone else owns.

use std::marker::PhantomData;

use crate::simd::Real;

/// Element types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE 754 half precision.
    F16,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// A byte: zero is false, all others are true.
    Bool,
}

impl DType {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::F16,
        Self::F32,
        Self::F64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::Bool,
    ];

    /// Bytes of an element.
    #[inline]
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// Whether it has infinities and NaNs.
    #[inline]
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }
}

/// A matrix in memory that others own: element (r, c) is at `ptr + r * row_stride + c * col_stride`
/// bytes, aligned or not. Strides may be zero or negative. `'a` is how long the memory is there.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    ptr: *const u8,
    dtype: DType,
    rows: usize,
    cols: usize,
    row_stride: isize,
    pub(super) col_stride: isize,
    memory: PhantomData<&'a [u8]>,
}

// SAFETY: an address; who made it vouches for the memory behind it in every thread (see `new`).
unsafe impl Send for Source<'_> {}
// SAFETY: as above.
unsafe impl Sync for Source<'_> {}

impl<'a> Source<'a> {
    /// # Safety
    /// As long as the source or a copy of it is in use, each of its elements lies in memory that is
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
        // SAFETY: the elements are inside the slice, which is borrowed for as long as the source.
        unsafe {
            let dtype = if size == 4 { DType::F32 } else { DType::F64 };
            Self::new(values.as_ptr().cast(), dtype, shape, ((cols * size) as isize, size as isize))
        }
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
