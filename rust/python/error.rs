//! From the crate's errors to Python's exceptions.

use pyo3::exceptions::{
    PyFloatingPointError, PyMemoryError, PyRuntimeError, PyTypeError, PyValueError,
    PyZeroDivisionError,
};
use pyo3::prelude::*;

use super::entry::raised;
use crate::error::Error;

impl From<Error> for PyErr {
    // Once, and not at each of 300 question marks.
    #[cold]
    #[inline(never)]
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Shape(_) | Error::Value(_) | Error::Label { .. } | Error::NonFinite { .. } => {
                PyValueError::new_err(message)
            }
            Error::Type(_) => PyTypeError::new_err(message),
            Error::ZeroWeight => PyZeroDivisionError::new_err(message),
            Error::Memory { .. } => PyMemoryError::new_err(message),
            Error::Busy(_) | Error::Unready(_) | Error::Internal(_) => {
                PyRuntimeError::new_err(message)
            }
            Error::Diverged { epoch, batch } | Error::Overflow { epoch, batch, .. } => {
                diverged(message, epoch, batch)
            }
            Error::Interrupted => raised(),
        }
    }
}

/// A `FloatingPointError` that says where it happened in its attributes, too.
fn diverged(message: String, epoch: u64, batch: u64) -> PyErr {
    let error = PyFloatingPointError::new_err(message);
    Python::attach(|py| {
        let value = error.value(py);
        value.setattr("epoch", epoch).and_then(|()| value.setattr("batch", batch))
    })
    .map_or_else(|failure| failure, |()| error)
}
