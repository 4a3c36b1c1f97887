//! Rows of numbers in blocks of 16 columns, in panels or row-major.

use crate::kernels::panels::{Panels, Span};
use crate::simd::{LANES, Real, Vector};

/// A matrix that a loss reads or writes 16 columns of a row at a time.
///
/// A lane past the last column has an unspecified value when it is loaded.
pub(super) trait LossMatrix<T: Real>: Copy {
    fn rows(self) -> usize;
    fn cols(self) -> usize;
    fn load<V: Vector<T>>(self, row: usize, block: usize) -> V;
    /// One element.
    ///
    /// # Panics
    /// If the matrix has no such column: labels come from users.
    fn get(self, row: usize, column: usize) -> T;
    /// Lanes past the last column must be +0: panels keep them as their padding.
    fn store<V: Vector<T>>(self, row: usize, block: usize, lanes: V);

    /// Blocks of a row.
    #[inline(always)]
    fn blocks(self) -> usize {
        self.cols().div_ceil(LANES)
    }

    /// Columns in a block.
    #[inline(always)]
    fn width(self, block: usize) -> usize {
        let left = self.cols() - block * LANES;
        if left < LANES { left } else { LANES }
    }
}

impl<T: Real> LossMatrix<T> for Panels<T> {
    #[inline(always)]
    fn rows(self) -> usize {
        Panels::rows(self)
    }
    #[inline(always)]
    fn cols(self) -> usize {
        Panels::cols(self)
    }
    #[inline(always)]
    fn load<V: Vector<T>>(self, row: usize, block: usize) -> V {
        // SAFETY: the view's maker vouches for the 16 elements of its rows.
        unsafe { V::load(self.row(block, row)) }
    }
    #[inline(always)]
    fn get(self, row: usize, column: usize) -> T {
        assert!(column < self.cols());
        // SAFETY: the column is inside, and the view's maker vouches for its elements.
        unsafe { *self.row(column / LANES, row).add(column % LANES) }
    }
    #[inline(always)]
    fn store<V: Vector<T>>(self, row: usize, block: usize, lanes: V) {
        // SAFETY: the view's maker vouches for the 16 elements of its rows.
        unsafe { lanes.store(self.row(block, row)) }
    }
}

/// A row-major matrix without gaps, under the terms of [`Panels`].
pub(super) struct RowMajor<T> {
    ptr: *mut T,
    rows: usize,
    cols: usize,
}

impl<T> Clone for RowMajor<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for RowMajor<T> {}

impl<T> RowMajor<T> {
    /// # Safety
    /// While the view is in use, `ptr` is valid for reads, and for writes if it is written through,
    /// of `rows * cols` initialised elements, and nothing else writes them.
    pub(super) unsafe fn from_raw(ptr: *mut T, rows: usize, cols: usize) -> Self {
        Self { ptr, rows, cols }
    }

    /// Rows `start..end` alone.
    pub(super) fn slice(self, start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= self.rows);
        Self { ptr: self.ptr.wrapping_add(start * self.cols), rows: end - start, ..self }
    }

    #[inline(always)]
    fn at(self, row: usize, block: usize) -> *mut T {
        debug_assert!(row < self.rows && block * LANES < self.cols);
        self.ptr.wrapping_add(row * self.cols + block * LANES)
    }
}

impl<T: Real> LossMatrix<T> for RowMajor<T> {
    #[inline(always)]
    fn rows(self) -> usize {
        self.rows
    }
    #[inline(always)]
    fn cols(self) -> usize {
        self.cols
    }
    #[inline(always)]
    fn load<V: Vector<T>>(self, row: usize, block: usize) -> V {
        let width = self.width(block);
        // SAFETY: `width` elements of the block are inside the matrix.
        unsafe {
            if width == LANES {
                V::load(self.at(row, block))
            } else {
                V::load_partial(self.at(row, block), width)
            }
        }
    }
    #[inline(always)]
    fn get(self, row: usize, column: usize) -> T {
        assert!(column < self.cols);
        // SAFETY: the column is inside, and the view's maker vouches for its elements.
        unsafe { *self.at(row, 0).add(column) }
    }
    #[inline(always)]
    fn store<V: Vector<T>>(self, row: usize, block: usize, lanes: V) {
        let width = self.width(block);
        // SAFETY: `width` elements of the block are inside the matrix.
        unsafe {
            if width == LANES {
                lanes.store(self.at(row, block));
            } else {
                lanes.store_partial(self.at(row, block), width);
            }
        }
    }
}

/// The lane's number in each lane.
#[inline(always)]
pub(super) fn lane_numbers<T: Real, V: Vector<T>>() -> V {
    let mut numbers = [T::ZERO; LANES];
    for i in 0..LANES {
        numbers[i] = T::from_f64(i as f64);
    }
    from_array(&numbers)
}

/// The first `width` lanes, the others +0.
#[inline(always)]
pub(super) fn keep<T: Real, V: Vector<T>>(lanes: V, width: usize) -> V {
    keep_or(lanes, width, V::zero())
}

/// The first `width` lanes, and the others of `rest`.
#[inline(always)]
pub(super) fn keep_or<T: Real, V: Vector<T>>(lanes: V, width: usize, rest: V) -> V {
    if width == LANES {
        return lanes;
    }
    let inside = lane_numbers::<T, V>().lt(V::constant(width as f64));
    V::select(inside, lanes, rest)
}

/// 16 lanes from an array.
#[inline(always)]
pub(super) fn from_array<T: Real, V: Vector<T>>(array: &[T; LANES]) -> V {
    debug_assert!(V::LANES == LANES);
    // SAFETY: the array holds LANES elements.
    unsafe { V::load(array.as_ptr()) }
}

/// 16 lanes as an array.
#[inline(always)]
pub(super) fn to_array<T: Real, V: Vector<T>>(lanes: V) -> [T; LANES] {
    debug_assert!(V::LANES == LANES);
    let mut array = [T::ZERO; LANES];
    // SAFETY: the array holds LANES elements.
    unsafe { lanes.store(array.as_mut_ptr()) };
    array
}

/// Adds 16 lanes to sums in f64 (N4).
#[inline(always)]
pub(super) fn accumulate<T: Real, V: Vector<T>>(sums: &mut [f64; LANES], lanes: V) {
    let lanes = to_array(lanes);
    for i in 0..LANES {
        sums[i] += lanes[i].to_f64();
    }
}

/// Columns `block * 16 ..` of numbers that go with columns, each times `scale`, past their end 0; 1 if
/// there are none.
#[inline(always)]
pub(super) fn column_lanes<T: Real, V: Vector<T>>(numbers: &[f64], scale: f64, block: usize) -> V {
    if numbers.is_empty() {
        return V::splat(T::ONE);
    }
    let mut lanes = [T::ZERO; LANES];
    for i in 0..LANES {
        if block * LANES + i < numbers.len() {
            lanes[i] = T::from_f64(numbers[block * LANES + i] * scale);
        }
    }
    from_array(&lanes)
}

/// The numbers of rows `start..end`, if rows have any.
#[inline(always)]
pub(super) fn rows_of<T>(numbers: Span<T>, start: usize, end: usize) -> Span<T> {
    if numbers.is_empty() { numbers } else { numbers.slice(start, end) }
}

/// The first lanes of an array.
#[inline(always)]
pub(super) fn first_lanes<T: Real, V: Vector<T>>(array: &[T; LANES]) -> V {
    const { assert!(V::LANES <= LANES) };
    // SAFETY: the array holds at least as many elements as the vector.
    unsafe { V::load(array.as_ptr()) }
}

/// A vector at the front of an array.
#[inline(always)]
pub(super) fn lanes_of<T: Real, V: Vector<T>>(lanes: V) -> [T; LANES] {
    const { assert!(V::LANES <= LANES) };
    let mut array = [T::ZERO; LANES];
    // SAFETY: as above.
    unsafe { lanes.store(array.as_mut_ptr()) };
    array
}
