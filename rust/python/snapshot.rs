//! `Snapshot`: a model's parameters at some moment.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::prelude::*;

use super::entry::entry;
use super::handle::Model;
use super::network::Network;
use crate::error::{Error, Result};

/// Copies of all weights and biases of a model, to go back to: `Model.snapshot` makes it, `take` renews it,
/// `Model.restore` goes back.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Snapshot(Mutex<Box<dyn Any + Send>>);

impl Snapshot {
    pub fn new(py: Python<'_>, model: &dyn Network) -> PyResult<Self> {
        Ok(Self(Mutex::new(model.snapshot(py)?)))
    }

    pub fn restore(&self, py: Python<'_>, model: &dyn Network) -> PyResult<()> {
        model.restore(py, &**self.parameters()?)
    }

    /// Never waits: who holds the lock may need the GIL.
    fn parameters(&self) -> Result<MutexGuard<'_, Box<dyn Any + Send>>> {
        match self.0.try_lock() {
            Ok(parameters) => Ok(parameters),
            Err(TryLockError::Poisoned(error)) => Ok(PoisonError::into_inner(error)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Busy("the snapshot is in use in another thread".into()))
            }
        }
    }
}

#[pymethods]
impl Snapshot {
    /// Take the parameters that the model has now.
    fn take(&self, py: Python<'_>, model: &Model) -> PyResult<()> {
        entry(|| model.0.take_snapshot(py, &mut **self.parameters()?))
    }
}
