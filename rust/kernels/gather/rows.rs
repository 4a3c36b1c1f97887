//! Rows into panels.

use super::element::{Element, load, load_partial, load_strided, with_element};
use super::{Matrix, RowOrder, Source};
use crate::kernels::panels::Panels;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

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
        match self.source {
            Source::Matrix(matrix) => {
                with_element!(matrix.dtype(), D => self.copy::<S, D>(&matrix));
            }
            Source::Columns(columns) => columns.gather(self.rows, self.target),
            Source::Sparse(sparse) => sparse.gather(self.rows, self.target),
        }
    }
}

impl<T: Real> Gather<'_, T> {
    /// The source, if its rows are consecutive elements of type `T`.
    #[inline(always)]
    fn plain(&self) -> Option<Matrix<'_>> {
        let Source::Matrix(matrix) = self.source else { return None };
        let dtype = matrix.dtype();
        let same = dtype.is_float() && dtype.size() == size_of::<T>();
        (same && matrix.has_contiguous_rows()).then_some(matrix)
    }

    /// Whether rows are consecutive elements of type `T`.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain().is_some()
    }

    /// As `run`, of plain rows of up to 16 elements: little code, for kernels that gather on their way.
    #[inline(always)]
    pub fn run_plain<S: Simd>(self) {
        let Self { rows, target, .. } = self;
        let width = target.cols();
        let source = self.plain().expect("plain rows");
        assert!(width == source.cols() && width <= LANES);
        for i in 0..target.rows() {
            let row = source.at(rows.at(i), 0).cast::<T>();
            // SAFETY: the row has `width` elements of type T, and a panel's row holds 16.
            unsafe { S::Lanes::<T>::load_partial(row, width).store(target.row(0, i)) };
        }
    }

    #[inline(always)]
    fn copy<S: Simd, D: Element>(self, source: &Matrix<'_>) {
        if source.has_contiguous_rows() {
            self.copy_contiguous::<S, D>(source);
        } else {
            self.copy_strided::<S, D>(source);
        }
    }

    /// Row by row: each is one stream, of which the hardware fetches the next lines by itself.
    #[inline(always)]
    fn copy_contiguous<S: Simd, D: Element>(self, source: &Matrix<'_>) {
        let Self { rows, target, .. } = self;
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
    fn copy_strided<S: Simd, D: Element>(self, source: &Matrix<'_>) {
        let Self { rows, target, .. } = self;
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
