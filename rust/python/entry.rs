//! The way in: what every call from Python goes through, and what a long one does on its way.
//!
//! Whatever Python calls begins with [`entry`], which `tests/layering.py` checks: no conversion and no
//! sum of ours is made in the rounding mode or with the flushing of the caller's. Work on data is done
//! in [`compute`], without the GIL, and looks for Ctrl-C.

use std::cell::{Cell, RefCell};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::error::Result;
use crate::runtime::callers::Caller;
use crate::runtime::pool::caught;
use crate::runtime::{fork, watch};
use crate::simd::FloatEnvironment;

/// Does what Python called for: in the default floating-point environment, with panics as errors.
pub fn entry<R>(work: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
    let _environment = FloatEnvironment::enter();
    caught(work)?
}

/// As [`entry`], for what calls functions of the caller's, which compute as their caller does: by
/// [`FloatEnvironment::outside`].
pub fn entry_calling<R>(work: impl FnOnce(&FloatEnvironment) -> PyResult<R>) -> PyResult<R> {
    let environment = FloatEnvironment::enter();
    caught(|| work(&environment))?
}

/// Does work without the GIL that leaves everything as it was if Ctrl-C ends it early. Signal handlers run
/// in the middle of it, and may use the model: it reads, at most.
pub fn compute<R: Send>(py: Python<'_>, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    py.detach(|| caught(|| watch::watched(signalled, work))?)
}

/// Does work without the GIL that changes a model, to its end: threads that do share the cores.
pub fn change<R: Send>(py: Python<'_>, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    py.detach(|| {
        let _caller = Caller::enter();
        caught(work)?
    })
}

thread_local! {
    /// The exception of the signal handler that ended this thread's call.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
    /// Whether Python runs signal handlers in this thread, and the generation of processes in which
    /// that was so: after a fork it is the child's only thread that does.
    static HANDLES: Cell<Option<(u64, bool)>> = const { Cell::new(None) };
}

/// Whether a signal handler has raised an exception, which [`raised`] then gives.
pub fn signalled() -> bool {
    let generation = fork::generation();
    // Other threads wait for the GIL in vain: for 5 ms where a thread of Python's computes.
    if HANDLES.get() == Some((generation, false)) {
        return false;
    }
    let look = |py: Python<'_>| {
        let handles = handles_signals(py)?;
        HANDLES.set(Some((generation, handles)));
        py.check_signals()
    };
    match Python::try_attach(look) {
        None | Some(Ok(())) => false,
        Some(Err(error)) => {
            RAISED.set(Some(error));
            true
        }
    }
}

/// Whether this is Python's main thread.
fn handles_signals(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.getattr("main_thread")?.call0()?.getattr("ident")?;
    threading.getattr("get_ident")?.call0()?.eq(main)
}

/// The exception that ended a call of this thread early.
pub fn raised() -> PyErr {
    RAISED.take().unwrap_or_else(|| PyKeyboardInterrupt::new_err(()))
}
