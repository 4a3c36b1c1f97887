//! What this installation is and uses.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::entry::entry;
use crate::runtime::{pool, team, threads};
use crate::simd::Isa;

/// The version of the formulas that decide every bit.
const NUMERICS: u32 = 2;

/// The package's version, the version of its formulas (`numerics`), the instruction set in use,
/// all that this host can run, and the number of threads.
#[pyfunction]
pub fn config(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    entry(|| {
        let config = PyDict::new(py);
        config.set_item("version", env!("CARGO_PKG_VERSION"))?;
        config.set_item("numerics", NUMERICS)?;
        config.set_item("isa", Isa::chosen()?.name())?;
        config.set_item("isas", Isa::all().iter().map(|isa| isa.name()).collect::<Vec<_>>())?;
        config.set_item("num_threads", threads::num_threads()?)?;
        Ok(config)
    })
}

/// Take `n` >= 1 threads for every model made without `n_threads`, also above the cores.
#[pyfunction]
pub fn set_num_threads(n: usize) -> PyResult<()> {
    entry(|| Ok(threads::set_num_threads(n)?))
}

/// The number of threads that models made without `n_threads` may use in the calling thread.
#[pyfunction]
pub fn get_num_threads() -> PyResult<usize> {
    entry(|| Ok(threads::capped(threads::num_threads()?)))
}

/// Let whatever the calling thread begins take at most `n` threads, whoever asks for more; None ends
/// that. Gives what was said before.
#[pyfunction]
pub fn cap_threads(n: Option<usize>) -> PyResult<Option<usize>> {
    entry(|| Ok(threads::set_cap(n)?))
}

/// What to tell a user whose `OMP_NUM_THREADS` is ignored because it is no number of threads.
#[pyfunction]
pub fn thread_complaint() -> PyResult<Option<String>> {
    entry(|| Ok(threads::complaint()))
}

/// For tests: whether ops of models that this thread calls run on all threads of their setting,
/// whatever their cost and the cores, each thread on a share of its own. Gives what was said before.
#[pyfunction(name = "_force_threads")]
pub fn force_threads(on: bool) -> PyResult<bool> {
    entry(|| Ok(team::force(on)))
}

/// For tests: chunks of work that workers have run for this thread while it forced threads.
#[pyfunction(name = "_chunks_of_workers")]
pub fn chunks_of_workers() -> PyResult<u64> {
    entry(|| Ok(pool::chunks_of_workers()))
}
