//! `Table`: an X that is no array.

use pyo3::prelude::*;

use super::array::{Held, Lends, View};
use super::entry::entry;
use crate::error::{Error, Result};
use crate::kernels::gather::{ColumnArrays, Columns, CompressedRows, Matrix, Source, Sparse};
use crate::runtime::memory;

/// An X that is not one array: the arrays that hold it, which stay where they are.
///
/// Sizes are those of the memory, whatever the arrays' classes say.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Table {
    parts: Held<Parts>,
    names: Vec<String>,
}

enum Parts {
    /// Columns whose elements follow each other row by row.
    Matrix(Matrix<'static>),
    Columns(ColumnArrays<'static>),
    Rows(CompressedRows<'static>),
}

impl Parts {
    fn of_columns(columns: Vec<Matrix<'static>>) -> Result<Self> {
        match Matrix::joined(&columns) {
            Some(matrix) => Ok(Self::Matrix(matrix)),
            None => ColumnArrays::new(columns).map(Self::Columns),
        }
    }
}

impl Lends for Table {
    fn source(&self) -> Source<'_> {
        match self.parts.get() {
            Parts::Matrix(matrix) => Source::Matrix(*matrix),
            Parts::Columns(columns) => Source::Columns(Columns::new(columns)),
            Parts::Rows(rows) => Source::Sparse(Sparse::new(rows)),
        }
    }
}

impl Table {
    /// The name of a column as Python writes it, or else its number.
    pub fn column(&self, column: usize) -> Option<String> {
        Some(self.names.get(column).cloned().unwrap_or_else(|| column.to_string()))
    }
}

#[pymethods]
impl Table {
    /// Columns (n,) of one length, of any dtypes; `names` are for messages.
    #[staticmethod]
    fn of_columns(
        py: Python<'_>,
        columns: Vec<Bound<'_, PyAny>>,
        names: Vec<String>,
    ) -> PyResult<Self> {
        entry(|| {
            let mut views = memory::vector(columns.len())?;
            for (index, array) in columns.iter().enumerate() {
                views.push(View::column(&format!("column {index} of X"), array)?);
            }
            let parts = View::hold_all(py, views, |columns| Ok(Parts::of_columns(columns)?))?;
            Ok(Self { parts, names })
        })
    }

    /// Compressed sparse rows, as those of SciPy: row r has `data[indptr[r]:indptr[r + 1]]` in the
    /// columns `indices` of the same places, and +0 elsewhere.
    #[staticmethod]
    fn of_rows(
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        indices: &Bound<'_, PyAny>,
        indptr: &Bound<'_, PyAny>,
        n_columns: usize,
    ) -> PyResult<Self> {
        entry(|| {
            let views = vec![
                View::column("data of X", data)?,
                View::column("indices of X", indices)?,
                View::column("indptr of X", indptr)?,
            ];
            let parts = View::hold_all(py, views, |arrays| match arrays[..] {
                [values, columns, starts] => {
                    Ok(Parts::Rows(CompressedRows::new([values, columns, starts], n_columns)?))
                }
                _ => Err(Error::Internal("a sparse matrix is three arrays".into()).into()),
            })?;
            Ok(Self { parts, names: Vec::new() })
        })
    }

    /// Rows and columns.
    #[getter]
    fn shape(&self) -> PyResult<(usize, usize)> {
        entry(|| {
            let source = self.source();
            Ok((source.rows(), source.cols()))
        })
    }

    /// 2, as of an array with rows and columns.
    #[getter]
    fn ndim(&self) -> PyResult<usize> {
        entry(|| Ok(2))
    }

    fn __len__(&self) -> PyResult<usize> {
        entry(|| Ok(self.source().rows()))
    }
}
