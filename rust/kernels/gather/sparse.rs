//! Rows of which only some elements are in memory; the others are +0.

use std::ops::Range;

use super::element::{Element, convert, with_element};
use super::search::first_in_matrix;
use super::{DType, Matrix, RowOrder};
use crate::error::{Error, Result};
use crate::kernels::panels::Panels;
use crate::simd::{Isa, LANES, Real};

/// A matrix in compressed rows (CSR), which someone else owns: the elements of row r are those from
/// `starts[r]` up to `starts[r + 1]`, each with its column.
///
/// Others may write to its memory, so what `new` has checked is checked again wherever it is read: an
/// element that has left its place counts as none.
#[derive(Clone, Copy, Debug)]
pub struct CompressedRows<'a> {
    values: Matrix<'a>,
    columns: Matrix<'a>,
    starts: Matrix<'a>,
    cols: usize,
}

impl<'a> CompressedRows<'a> {
    /// Values, their columns and the starts of rows, each a single column, the last two of integers of
    /// 32 or 64 bits; and how many columns the matrix has.
    ///
    /// # Errors
    /// `Error::Value` for numbers that are no compressed rows.
    pub fn new([values, columns, starts]: [Matrix<'a>; 3], cols: usize) -> Result<Self> {
        let wrong = |what: String| Err(Error::Value(format!("X is no sparse matrix: {what}")));
        for (name, part) in [("indices", &columns), ("indptr", &starts)] {
            if !matches!(part.dtype(), DType::I32 | DType::I64) || part.cols() != 1 {
                return wrong(format!("{name} must hold integers of 32 or 64 bits"));
            }
        }
        let count = values.rows();
        if columns.rows() != count || values.cols() != 1 {
            return wrong(format!("data has {count} elements, indices {}", columns.rows()));
        }
        let mut last = 0;
        for at in 0..starts.rows() {
            let start = whole(&starts, at);
            if start < last || start > count as i64 || at == 0 && start != 0 {
                return wrong(format!("indptr[{at}] is {start} after {last}, data has {count}"));
            }
            last = start;
        }
        if starts.rows() == 0 {
            return wrong("indptr is empty".into());
        }
        match (0..count).map(|at| whole(&columns, at)).find(|&col| col < 0 || col >= cols as i64) {
            Some(col) => wrong(format!("indices has {col}, it has {cols} columns")),
            None => Ok(Self { values, columns, starts, cols }),
        }
    }

    /// The elements of rows `rows.start..rows.end`, of all columns.
    fn elements(&self, rows: Range<usize>) -> Range<usize> {
        let count = self.values.rows();
        let [start, end] = [rows.start, rows.end]
            .map(|row| whole(&self.starts, row).clamp(0, count as i64) as usize);
        start..end
    }
}

/// All columns of such a matrix, or some that follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Sparse<'a> {
    all: &'a CompressedRows<'a>,
    first: usize,
    cols: usize,
}

impl<'a> Sparse<'a> {
    /// All of them.
    #[must_use]
    pub fn new(all: &'a CompressedRows<'a>) -> Self {
        Self { all, first: 0, cols: all.cols }
    }

    pub(super) fn rows(self) -> usize {
        self.all.starts.rows() - 1
    }

    pub(super) fn cols(self) -> usize {
        self.cols
    }

    pub(super) fn elements(self) -> usize {
        self.all.values.rows()
    }

    pub(super) fn columns(self, start: usize, end: usize) -> Self {
        assert!(start <= end && end <= self.cols);
        Self { first: self.first + start, cols: end - start, ..self }
    }

    /// The column of an element, if it is one of these.
    #[inline(always)]
    fn column(self, at: usize) -> Option<usize> {
        let col = whole(&self.all.columns, at).wrapping_sub(self.first as i64);
        (col >= 0 && col < self.cols as i64).then_some(col as usize)
    }

    /// As [`Gather`](super::Gather). Elements of one place are added up.
    #[inline(never)]
    pub(super) fn gather<T: Real>(self, rows: RowOrder<'_>, target: Panels<T>) {
        assert!(target.cols() == self.cols);
        for panel in 0..target.panels() {
            for i in 0..target.rows() {
                // SAFETY: a panel's row holds 16 elements, for which the view's maker vouches.
                unsafe { target.row(panel, i).cast::<[T; LANES]>().write([T::ZERO; LANES]) };
            }
        }
        with_element!(self.all.values.dtype(), D => self.add::<D, T>(rows, target));
    }

    #[inline(always)]
    fn add<D: Element, T: Real>(self, rows: RowOrder<'_>, target: Panels<T>) {
        for i in 0..target.rows() {
            let row = rows.at(i);
            for at in self.all.elements(row..row + 1) {
                let Some(col) = self.column(at) else { continue };
                let place = target.row(col / LANES, i).wrapping_add(col % LANES);
                // SAFETY: an element of the source, and one of the target's: the column is below its
                // number of columns.
                unsafe {
                    let x = self.all.values.at(at, 0).cast::<D>().read_unaligned();
                    place.write(place.read().add(convert(x)));
                }
            }
        }
    }

    /// As [`first_non_finite`](super::first_non_finite).
    pub(super) fn first_non_finite<T: Real>(self, isa: Isa, rows: Range<usize>) -> Option<usize> {
        let values = &self.all.values;
        first_in_matrix::<T>(isa, values, self.all.elements(rows.clone()))?;
        let wrong = |&at: &usize| {
            self.column(at).is_some() && first_in_matrix::<T>(isa, values, at..at + 1).is_some()
        };
        rows.into_iter().find(|&row| self.all.elements(row..row + 1).any(|at| wrong(&at)))
    }
}

/// Number `at` of a column of integers.
#[inline(always)]
fn whole(numbers: &Matrix<'_>, at: usize) -> i64 {
    let p = numbers.at(at, 0);
    // SAFETY: an element of the column, of one of two types.
    unsafe {
        match numbers.dtype() {
            DType::I32 => i64::from(p.cast::<i32>().read_unaligned()),
            _ => p.cast::<i64>().read_unaligned(),
        }
    }
}
