//! `Rates`: the learning rates of a model's updates.

use std::sync::Arc;

use pyo3::prelude::*;

use super::entry::entry;
use super::network::Network;
use super::spec;
use super::state::checked_rate;
use crate::runtime::memory;

/// The learning rates of a model: of its next update, its last one, and where they come from.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Rates(Arc<dyn Network>);

impl Rates {
    pub fn of(model: &Arc<dyn Network>) -> Self {
        Self(Arc::clone(model))
    }
}

#[pymethods]
impl Rates {
    /// Of the next update; None if it is to come from a table that lacks it.
    #[getter]
    fn next(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        entry(|| Ok(self.0.counters(py)?.next_rate))
    }

    /// Of the last update; before the first one the first, without a schedule as `next`.
    #[getter]
    fn last(&self, py: Python<'_>) -> PyResult<f64> {
        entry(|| Ok(self.0.counters(py)?.last_rate))
    }

    /// What a schedule's rates are multiplied by; None without one.
    #[getter]
    fn factor(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        entry(|| Ok(self.0.counters(py)?.rate_factor))
    }

    /// Make this the rate of the next update, with a schedule by its factor; in a callback it holds from
    /// the next batch on. ValueError if the schedule's rate is 0.
    fn set(&self, py: Python<'_>, rate: f64) -> PyResult<()> {
        entry(|| self.0.set_rate(py, checked_rate("learning_rate", rate)?))
    }

    /// Take the rates of this optimizer from here on, and after each `reset`; `keep_factor` keeps the
    /// factor on those before.
    fn follow(
        &self,
        py: Python<'_>,
        optimizer: &Bound<'_, PyAny>,
        keep_factor: bool,
    ) -> PyResult<()> {
        entry(|| self.0.follow(py, &spec::learning_rate(optimizer)?, keep_factor))
    }

    /// Put the rates of updates into the table that they come from: those from number `first` on, 0 is the
    /// model's first.
    fn tabulate(&self, py: Python<'_>, first: u64, rates: Vec<f64>) -> PyResult<()> {
        entry(|| {
            for &rate in &rates {
                checked_rate("lr", rate)?;
            }
            self.0.tabulate(py, first, memory::copied(&rates)?)
        })
    }
}
