//! Rows into panels.

use super::Source;
use super::element::{Element, load, load_partial, load_strided, with_element};
use crate::kernels::panels::Panels;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Which rows of a source, as many as the target has.
#[derive(Clone, Copy, Debug)]
pub enum RowOrder<'a> {
    /// Those from this one on.
    From(usize),
    /// These.
    List(&'a [u32]),
}

impl RowOrder<'_> {
    /// Rows `start..end` of these.
    #[inline]
    #[must_use]
    pub fn range(self, start: usize, end: usize) -> Self {
        match self {
            Self::From(first) => Self::From(first + start),
            Self::List(list) => Self::List(&list[start..end]),
        }
    }

    /// The source's row that is row `i` of these.
    #[inline(always)]
    #[must_use]
    pub fn at(self, i: usize) -> usize {
        match self {
            Self::From(start) => start + i,
            Self::List(list) => list[i] as usize,
        }
    }
}

/// Copies rows of a source into panels, each element as the nearest `T`; padding becomes +0.
///
/// Reads nothing outside the source's elements. Running it panics if the target's columns are not
/// the source's, if a list is shorter than the target, or if a row is not in the source.
#[derive(Clone, Copy, Debug)]
pub struct Gather<'a, T> {
    /// The matrix.
    pub source: Source<'a>,
    /// Row i of the target is row `rows[i]` of the source.
    pub rows: RowOrder<'a>,
    /// What is filled.
    pub target: Panels<T>,
}

impl<T: Real> Kernel for Gather<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        assert!(self.target.cols() == self.source.cols());
        with_element!(self.source.dtype(), D => self.copy::<S, D>());
    }
}

impl<T: Real> Gather<'_, T> {
    /// Whether rows are consecutive elements of type `T`.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Self { source, .. } = self;
        let size = size_of::<T>();
        source.dtype().is_float() && source.dtype().size() == size && source.has_contiguous_rows()
    }

    /// As `run`, of plain rows of up to 16 elements: little code, for kernels that gather on their way.
    #[inline(always)]
    pub fn run_plain<S: Simd>(self) {
        let Self { source, rows, target } = self;
        let width = target.cols();
        assert!(width == source.cols() && width <= LANES && self.is_plain());
        for i in 0..target.rows() {
            let row = source.at(rows.at(i), 0).cast::<T>();
            // SAFETY: the row has `width` elements of type T, and a panel's row holds 16.
            unsafe { S::Lanes::<T>::load_partial(row, width).store(target.row(0, i)) };
        }
    }

    #[inline(always)]
    fn copy<S: Simd, D: Element>(self) {
        if self.source.has_contiguous_rows() {
            self.copy_contiguous::<S, D>();
        } else {
            self.copy_strided::<S, D>();
        }
    }

    /// Row by row: each is one stream, of which the hardware fetches the next lines by itself.
    #[inline(always)]
    fn copy_contiguous<S: Simd, D: Element>(self) {
        let Self { source, rows, target } = self;
        let full = target.cols() / LANES;
        let rest = target.cols() % LANES;
        for i in 0..target.rows() {
            let mut p = source.at(rows.at(i), 0);
            let mut ahead = if i + 1 < target.rows() { source.at(rows.at(i + 1), 0) } else { p };
            for panel in 0..full {
                S::Register::<T>::prefetch(ahead.cast());
                // SAFETY: the row has 16 elements left, and a panel's row holds 16.
                unsafe { load::<S, D, T>(p).store(target.row(panel, i)) };
                p = p.wrapping_add(LANES * size_of::<D>());
                ahead = ahead.wrapping_add(LANES * size_of::<D>());
            }
            if rest > 0 {
                // SAFETY: the row has `rest` elements left, and a panel's row holds 16.
                unsafe { load_partial::<S, D, T>(p, rest).store(target.row(full, i)) };
            }
        }
    }

    /// Panel by panel: where columns are contiguous, 16 streams that cross rows of one L1 line.
    #[inline(always)]
    fn copy_strided<S: Simd, D: Element>(self) {
        let Self { source, rows, target } = self;
        for panel in 0..target.panels() {
            let width = target.width(panel);
            for i in 0..target.rows() {
                let p = source.at(rows.at(i), panel * LANES);
                // SAFETY: the row has `width` elements left, and a panel's row holds 16.
                unsafe {
                    load_strided::<S, D, T>(p, source.col_stride, width)
                        .store(target.row(panel, i));
                }
            }
        }
    }
}
