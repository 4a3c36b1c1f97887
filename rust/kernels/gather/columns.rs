//! Columns that lie apart, each of its own type.

use std::ops::Range;

use super::element::{Element, convert, with_element};
use super::search::first_in_matrix;
use super::{Matrix, RowOrder};
use crate::error::{Error, Result};
use crate::kernels::panels::Panels;
use crate::simd::{Isa, LANES, Real};

/// Columns that someone else owns, from left to right.
#[derive(Clone, Debug)]
pub struct ColumnArrays<'a>(Vec<Matrix<'a>>);

impl<'a> ColumnArrays<'a> {
    /// At least one, all of one length.
    ///
    /// # Errors
    /// `Error::Shape` for others.
    pub fn new(columns: Vec<Matrix<'a>>) -> Result<Self> {
        let Some(first) = columns.first() else {
            return Err(Error::Shape("X has no columns".into()));
        };
        let rows = first.rows();
        match columns.iter().position(|column| column.rows() != rows || column.cols() != 1) {
            Some(wrong) => Err(Error::Shape(format!(
                "column {wrong} of X has {} rows, the first has {rows}",
                columns[wrong].rows()
            ))),
            None => Ok(Self(columns)),
        }
    }
}

/// Some of these columns that follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a>(&'a [Matrix<'a>]);

impl<'a> Columns<'a> {
    /// All of them.
    #[must_use]
    pub fn new(all: &'a ColumnArrays<'a>) -> Self {
        Self(&all.0)
    }

    pub(super) fn rows(self) -> usize {
        self.0.first().map_or(0, Matrix::rows)
    }

    pub(super) fn cols(self) -> usize {
        self.0.len()
    }

    pub(super) fn columns(self, start: usize, end: usize) -> Self {
        Self(&self.0[start..end])
    }

    /// As [`Gather`](super::Gather). The rows of a column are as many streams as there are rows, so there
    /// is nothing for vectors to do, and it is compiled for no instruction set.
    #[inline(never)]
    pub(super) fn gather<T: Real>(self, rows: RowOrder<'_>, target: Panels<T>) {
        assert!(target.cols() == self.cols());
        for (col, column) in self.0.iter().enumerate() {
            with_element!(column.dtype(), D => copy::<D, T>(column, rows, target, col));
        }
        let used = target.cols() % LANES;
        if used > 0 {
            for i in 0..target.rows() {
                for lane in used..LANES {
                    // SAFETY: a panel's row holds 16 elements, for which the view's maker vouches.
                    unsafe { target.row(target.panels() - 1, i).add(lane).write(T::ZERO) };
                }
            }
        }
    }

    /// As [`first_non_finite`](super::first_non_finite).
    pub(super) fn first_non_finite<T: Real>(self, isa: Isa, rows: Range<usize>) -> Option<usize> {
        let mut found = None;
        for column in self.0 {
            let end = found.unwrap_or(rows.end);
            found = first_in_matrix::<T>(isa, column, rows.start..end).or(found);
        }
        found
    }
}

/// Fills column `col` of the target.
#[inline(always)]
fn copy<D: Element, T: Real>(
    column: &Matrix<'_>,
    rows: RowOrder<'_>,
    target: Panels<T>,
    col: usize,
) {
    let (panel, lane) = (col / LANES, col % LANES);
    for i in 0..target.rows() {
        // SAFETY: an element of the column; a panel's row holds 16.
        unsafe {
            let x = column.at(rows.at(i), 0).cast::<D>().read_unaligned();
            target.row(panel, i).add(lane).write(convert(x));
        }
    }
}
