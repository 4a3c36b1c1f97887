//! `Environment`: the default floating-point environment for arithmetic in Python.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::prelude::*;

use crate::simd::FloatEnvironment;

/// `with Environment():` computes in the default floating-point environment (rounding to nearest, no
/// flushing to zero); at its end the caller's is in force again. For one block and one thread.
///
/// It enters and leaves in C functions, between which no signal handler runs.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Environment(AtomicU64);

#[pymethods]
impl Environment {
    #[new]
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn __enter__(&self) {
        self.0.store(FloatEnvironment::put_aside(), Relaxed);
    }

    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        FloatEnvironment::put_back(self.0.load(Relaxed));
    }
}
