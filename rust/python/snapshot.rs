//! `Snapshot`: a model's parameters at some moment.

use std::any::Any;
use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;

use super::entry::entry;
use super::handle::Model;
use super::network::Network;
use crate::error::Result;
use crate::runtime::lock;

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

    fn parameters(&self) -> Result<MutexGuard<'_, Box<dyn Any + Send>>> {
        lock::take_now(&self.0, "the snapshot is in use in another thread")
    }
}

#[pymethods]
impl Snapshot {
    /// Take the parameters that the model has now.
    fn take(&self, py: Python<'_>, model: &Model) -> PyResult<()> {
        entry(|| model.0.take_snapshot(py, &mut **self.parameters()?))
    }
}
