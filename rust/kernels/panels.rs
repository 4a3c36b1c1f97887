//! The one layout of matrices inside a plan.
//!
//! A matrix of `rows` x `cols` lies in panels of 16 columns: element (r, c) is at
//! `(c / 16) * stride + r * 16 + c % 16`. Rows of a panel follow each other without gaps, so a tile
//! of a product reads its right operand as one stream, and its left operand by broadcasts with
//! constant strides. The columns past `cols` in the last panel are padding.

use crate::simd::{LANES, Real, Vector};

/// A view of a matrix in panels: a pointer and sizes, which threads may share.
///
/// Kernels read and write through it with raw pointers; no reference to the memory is ever made,
/// so views of one buffer may overlap. Whoever makes a view vouches for its memory.
#[derive(Debug)]
pub struct Panels<T> {
    ptr: *mut T,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<T> Clone for Panels<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Panels<T> {}

// SAFETY: a view is an address; that threads do not write the same elements is promised by whoever
// made it (see `from_raw`).
unsafe impl<T: Send> Send for Panels<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Panels<T> {}

impl<T> Panels<T> {
    /// # Safety
    /// While the view or one derived from it is in use, `ptr` is valid for reads and writes of
    /// `(panels - 1) * stride + rows * 16` elements, all initialised, and nothing writes an element
    /// that a kernel reads or writes at the same time. Kernels that get the view get views of the sizes
    /// that they document, and the row and column numbers that are asked for are inside.
    #[must_use]
    pub unsafe fn from_raw(ptr: *mut T, rows: usize, cols: usize, stride: usize) -> Self {
        debug_assert!(stride >= rows * LANES || cols <= LANES);
        Self { ptr, rows, cols, stride }
    }

    /// Rows.
    #[inline(always)]
    #[must_use]
    pub fn rows(self) -> usize {
        self.rows
    }

    /// Columns, padding not counted.
    #[inline(always)]
    #[must_use]
    pub fn cols(self) -> usize {
        self.cols
    }

    /// Elements from one panel to the next.
    #[inline(always)]
    #[must_use]
    pub fn stride(self) -> usize {
        self.stride
    }

    /// Panels: `cols / 16`, rounded up.
    #[inline(always)]
    #[must_use]
    pub fn panels(self) -> usize {
        self.cols.div_ceil(LANES)
    }

    /// Columns of a panel that are not padding.
    #[inline(always)]
    #[must_use]
    pub fn width(self, panel: usize) -> usize {
        let left = self.cols - panel * LANES;
        if left < LANES { left } else { LANES }
    }

    /// The 16 elements of a panel's row.
    #[inline(always)]
    #[must_use]
    pub fn row(self, panel: usize, row: usize) -> *mut T {
        debug_assert!(panel < self.panels() && row < self.rows);
        self.ptr.wrapping_add(panel * self.stride + row * LANES)
    }

    /// Rows `start..end` alone.
    #[inline(always)]
    #[must_use]
    pub fn slice(self, start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= self.rows);
        Self { ptr: self.ptr.wrapping_add(start * LANES), rows: end - start, ..self }
    }

    /// Panels `start..end` alone, or as many of them as there are.
    #[inline(always)]
    #[must_use]
    pub fn columns(self, start: usize, end: usize) -> Self {
        let panels = self.panels();
        let end = if end < panels { end } else { panels };
        let start = if start < end { start } else { end };
        let cols = if end < panels { end * LANES } else { self.cols };
        Self { ptr: self.ptr.wrapping_add(start * self.stride), cols: cols - start * LANES, ..self }
    }

    /// The first `cols` columns alone, or as many of them as there are.
    #[inline]
    #[must_use]
    pub fn first_columns(self, cols: usize) -> Self {
        Self { cols: if cols < self.cols { cols } else { self.cols }, ..self }
    }

    /// Whether the other view begins at the same element.
    #[inline]
    #[must_use]
    pub fn is_same(self, other: Self) -> bool {
        std::ptr::eq(self.ptr, other.ptr)
    }

    /// A view of `rows` rows of which this one's first is row `first`; only rows that this one has may be
    /// used.
    #[inline(always)]
    #[must_use]
    pub(super) fn moved(self, first: usize, rows: usize) -> Self {
        Self { ptr: self.ptr.wrapping_sub(first * LANES), rows, ..self }
    }

    /// The first panel alone.
    #[inline(always)]
    #[must_use]
    pub fn first_panel(self) -> Self {
        let cols = if self.cols < LANES { self.cols } else { LANES };
        Self { cols, ..self }
    }

    /// The padding counted as columns.
    #[inline(always)]
    #[must_use]
    pub fn padded(self) -> Self {
        Self { cols: self.panels() * LANES, ..self }
    }

    /// The part from a panel and a row on.
    #[inline(always)]
    #[must_use]
    pub fn from(self, panel: usize, row: usize) -> Self {
        debug_assert!(panel < self.panels() && row <= self.rows);
        Self {
            ptr: self.ptr.wrapping_add(panel * self.stride + row * LANES),
            rows: self.rows - row,
            cols: self.cols - panel * LANES,
            stride: self.stride,
        }
    }

    /// Rows `start..end` of one panel as consecutive elements.
    #[inline(always)]
    #[must_use]
    pub fn span(self, panel: usize, start: usize, end: usize) -> Span<T> {
        debug_assert!(panel < self.panels() && start <= end && end <= self.rows);
        Span {
            ptr: self.ptr.wrapping_add(panel * self.stride + start * LANES),
            len: (end - start) * LANES,
        }
    }

    /// All elements of a view of one row whose panels follow each other, the padding included.
    #[inline(always)]
    #[must_use]
    pub fn flat(self) -> Span<T> {
        debug_assert!(self.rows == 1 && self.stride == LANES);
        Span { ptr: self.ptr, len: self.panels() * LANES }
    }

    /// The stride for panels of up to `rows` rows of elements of `size` bytes.
    ///
    /// One more cache line when panels would lie a multiple of 2 KB apart: tiles read one line of
    /// several panels at a time, and those would share a few sets of an L1 with 64 sets.
    #[must_use]
    pub fn padded_stride(rows: usize, size: usize) -> usize {
        let stride = rows * LANES;
        if (stride * size).is_multiple_of(2048) { stride + 64 / size } else { stride }
    }

    /// Elements of a buffer for `cols` columns in panels that lie `stride` apart; of more than memory
    /// holds, the largest number.
    #[must_use]
    pub fn buffer_len(cols: usize, stride: usize) -> usize {
        cols.div_ceil(LANES).saturating_mul(stride)
    }
}

/// A view of consecutive elements, under the terms of [`Panels`].
#[derive(Debug)]
pub struct Span<T> {
    ptr: *mut T,
    len: usize,
}

impl<T> Clone for Span<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Span<T> {}

// SAFETY: as for `Panels`.
unsafe impl<T: Send> Send for Span<T> {}
// SAFETY: as for `Panels`.
unsafe impl<T: Send> Sync for Span<T> {}

impl<T> Span<T> {
    /// # Safety
    /// While the view or one derived from it is in use, `ptr` is valid for reads and writes of
    /// `len` initialised elements, and nothing writes an element that a kernel reads or writes at
    /// the same time. What is asked for is inside, as with [`Panels::from_raw`].
    #[must_use]
    pub unsafe fn from_raw(ptr: *mut T, len: usize) -> Self {
        Self { ptr, len }
    }

    /// No elements.
    #[must_use]
    pub fn empty() -> Self {
        Self { ptr: std::ptr::NonNull::dangling().as_ptr(), len: 0 }
    }

    /// How many elements.
    #[inline(always)]
    #[must_use]
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline(always)]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The address of element `i`.
    #[inline(always)]
    #[must_use]
    pub fn at(self, i: usize) -> *mut T {
        debug_assert!(i < self.len);
        self.ptr.wrapping_add(i)
    }

    /// Element `i`.
    #[inline(always)]
    #[must_use]
    pub fn get(self, i: usize) -> T
    where
        T: Copy,
    {
        assert!(i < self.len);
        // SAFETY: i is inside, and the view's maker vouches for its elements.
        unsafe { *self.ptr.add(i) }
    }

    /// Writes element `i`.
    #[inline(always)]
    pub fn set(self, i: usize, value: T)
    where
        T: Copy,
    {
        assert!(i < self.len);
        // SAFETY: i is inside, and the view's maker vouches for its elements.
        unsafe { *self.ptr.add(i) = value }
    }

    /// A matrix in panels, (rows, cols), that begins at element `at`.
    #[inline(always)]
    #[must_use]
    pub fn panels(self, at: usize, (rows, cols): (usize, usize), stride: usize) -> Panels<T> {
        debug_assert!(at + (cols.div_ceil(LANES) - 1) * stride + rows * LANES <= self.len);
        Panels { ptr: self.ptr.wrapping_add(at), rows, cols, stride }
    }

    /// Elements `start..end` alone.
    #[inline(always)]
    #[must_use]
    pub fn slice(self, start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= self.len);
        Self { ptr: self.ptr.wrapping_add(start), len: end - start }
    }
}

/// The first `width` lanes, the others +0.
#[inline(always)]
pub(super) fn columns<T: Real, V: Vector<T>>(lanes: V, width: usize) -> V {
    if width == LANES {
        return lanes;
    }
    let mut kept = [T::ZERO; LANES];
    // SAFETY: the array holds 16 values, of which `width`, below 16, are written.
    unsafe {
        lanes.store_partial(kept.as_mut_ptr(), width);
        V::load(kept.as_ptr())
    }
}
