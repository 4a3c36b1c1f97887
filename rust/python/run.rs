//! `Run`: a fit in progress.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::array::View;
use super::data::Inputs;
use super::entry::{entry, entry_calling};
use super::network::{Progress, Training};
use super::output::array;
use super::own_loss::called;
use crate::error::{Error, Result};
use crate::kernels::gather;
use crate::runtime::{lock, memory};
use crate::training::{Column, Columns, Found};

/// A `Model.fit` in progress: it trains while one of its methods runs.
///
/// Until `close`, or until its last reference goes, the model belongs to the thread that called
/// `fit`.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Run(Mutex<RunState>);

enum RunState {
    Open(Box<dyn Training>),
    Closed { epochs: usize, found: Found, validation: Columns, batches_done: usize, batches: usize },
}

impl RunState {
    fn open(&mut self) -> Result<&mut dyn Training> {
        match self {
            Self::Open(training) => Ok(&mut **training),
            Self::Closed { .. } => Err(Error::Busy("the run is closed".into())),
        }
    }

    fn progress(&self) -> Progress<'_> {
        match self {
            Self::Open(training) => training.progress(),
            Self::Closed { epochs, found, validation, batches_done, batches } => Progress {
                epochs: *epochs,
                losses: &found.losses,
                penalties: found.penalties.as_deref(),
                penalty: None,
                validation,
                batches_done: *batches_done,
                batches: *batches,
            },
        }
    }
}

impl Run {
    pub fn new(training: Box<dyn Training>) -> Self {
        Self(Mutex::new(RunState::Open(training)))
    }

    fn stage(&self) -> Result<MutexGuard<'_, RunState>> {
        lock::take_now(&self.0, "the run is in use in another thread")
    }
}

#[pymethods]
impl Run {
    /// True when all epochs have been trained.
    #[getter]
    fn done(&self) -> PyResult<bool> {
        entry(|| {
            let stage = self.stage()?;
            let progress = stage.progress();
            Ok(progress.losses.len() >= progress.epochs)
        })
    }

    /// Finished epochs of this run.
    #[getter]
    fn epochs_done(&self) -> PyResult<usize> {
        entry(|| Ok(self.stage()?.progress().losses.len()))
    }

    /// Finished batches of the present epoch.
    #[getter]
    fn batches_done(&self) -> PyResult<usize> {
        entry(|| Ok(self.stage()?.progress().batches_done))
    }

    /// Batches of an epoch, a short last one included.
    #[getter]
    fn batches_per_epoch(&self) -> PyResult<usize> {
        entry(|| Ok(self.stage()?.progress().batches))
    }

    /// Train until about `seconds` have passed or all epochs are done.
    ///
    /// With `stop_at_epoch` it returns at the end of an epoch too, and True exactly then; without,
    /// as many epochs as fit into the time go by, and it returns False.
    fn advance(&self, py: Python<'_>, seconds: f64, stop_at_epoch: bool) -> PyResult<bool> {
        entry(|| {
            let deadline = Duration::try_from_secs_f64(seconds)
                .ok()
                .and_then(|time| Instant::now().checked_add(time))
                .ok_or_else(|| {
                    Error::Value(format!("seconds is {seconds}, it must be a time from 0 on"))
                })?;
            self.stage()?.open()?.advance(py, deadline, stop_at_epoch)
        })
    }

    /// Train on one batch; its mean loss, or None where an epoch has ended, which then counts in
    /// `epochs_done`.
    fn step(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        entry(|| self.stage()?.open()?.step(py))
    }

    /// The same, with a loss in Python: `function` gets the outputs (n, K) and which rows of X they are of,
    /// and returns the loss and its gradient (n, K). It may read the model and not change it. A loss that is
    /// not finite raises FloatingPointError, and nothing is updated.
    fn step_with<'py>(
        &self,
        py: Python<'py>,
        function: &Bound<'py, PyAny>,
    ) -> PyResult<Option<f64>> {
        entry_calling(|environment| {
            let mut call = |outputs, rows| called(environment, function, outputs, rows);
            self.stage()?.open()?.step_with(py, &mut call)
        })
    }

    /// Refuse parameters and moments that are not finite: FloatingPointError.
    fn look(&self, py: Python<'_>) -> PyResult<()> {
        entry(|| self.stage()?.open()?.look(py))
    }

    /// Take the next batch of a stream, for `step`; a loss in Python has no use for targets.
    #[pyo3(signature = (X, targets, sample_weight))]
    #[allow(non_snake_case, reason = "X is the field's name for the design matrix")]
    fn take(
        &self,
        X: &Bound<'_, PyAny>,
        targets: Option<&Bound<'_, PyAny>>,
        sample_weight: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        entry(|| {
            let mut stage = self.stage()?;
            let training = stage.open()?;
            let inputs = Inputs::new(training.spec(), X, targets, sample_weight)?;
            training.take(inputs)
        })
    }

    /// End an epoch of a stream, which then counts in `epochs_done`.
    fn end_epoch(&self, py: Python<'_>) -> PyResult<()> {
        entry(|| self.stage()?.open()?.end_epoch(py))
    }

    /// The mean losses of this run's finished epochs, from epoch `start` (0 is the first) on.
    fn losses<'py>(&self, py: Python<'py>, start: usize) -> PyResult<Bound<'py, PyAny>> {
        entry(|| from_epoch(py, self.stage()?.progress().losses, start))
    }

    /// The loss of the last finished epoch, and what "val_accuracy" or "val_r2" then was; NaN where there is
    /// none.
    fn last(&self) -> PyResult<(f64, f64)> {
        entry(|| {
            let stage = self.stage()?;
            let Progress { losses, validation, .. } = stage.progress();
            let score = validation.get(1).and_then(|column| column.as_ref()?.values.last());
            Ok((*losses.last().unwrap_or(&f64::NAN), *score.unwrap_or(&f64::NAN)))
        })
    }

    /// Take the order of the epochs from the next on, of a fit with order="given": places (n,) in the rows of
    /// X, or in the list of those that are trained on.
    fn set_order(&self, order: &Bound<'_, PyAny>) -> PyResult<()> {
        entry(|| {
            let places = gather::to_i64(&View::column("order", order)?.elements())?;
            Ok(self.stage()?.open()?.give_order(&places)?)
        })
    }

    /// The penalty on weights of the last batch, before its update; None of a model without one.
    #[getter]
    fn penalty(&self) -> PyResult<Option<f64>> {
        entry(|| Ok(self.stage()?.progress().penalty))
    }

    /// The "penalty" on weights of the same epochs, if the model has one.
    fn penalties<'py>(&self, py: Python<'py>, start: usize) -> PyResult<Bound<'py, PyDict>> {
        entry(|| {
            let (found, stage) = (PyDict::new(py), self.stage()?);
            if let Some(penalties) = stage.progress().penalties {
                found.set_item("penalty", from_epoch(py, penalties, start)?)?;
            }
            Ok(found)
        })
    }

    /// What was found of the rows that validate: "val_loss", unless the loss is in Python, and
    /// "val_accuracy" or "val_r2" if it was wanted, for epochs as of `losses`; NaN where none was due.
    fn validation<'py>(&self, py: Python<'py>, start: usize) -> PyResult<Bound<'py, PyDict>> {
        entry(|| {
            let found = PyDict::new(py);
            for Column { name, values } in self.stage()?.progress().validation.iter().flatten() {
                found.set_item(format!("val_{name}"), from_epoch(py, values, start)?)?;
            }
            Ok(found)
        })
    }

    /// The outputs (n, K) of the rows that validate, at the last epoch that was due; None without such
    /// rows.
    fn validation_outputs<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        entry(|| self.stage()?.open()?.validation_outputs(py))
    }

    /// `with run:` closes it at the end. No signal handler runs between C functions, as it may in a
    /// context manager written in Python: no Ctrl-C comes between a run and its close.
    fn __enter__(slf: Py<Self>) -> PyResult<Py<Self>> {
        entry(|| Ok(slf))
    }

    /// As `close`.
    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        entry(|| self.close())
    }

    /// Give the model back; harmless when called again.
    fn close(&self) -> PyResult<()> {
        entry(|| {
            let mut stage = self.stage()?;
            let Progress { epochs, batches_done, batches, .. } = stage.progress();
            let closed = |(found, validation)| RunState::Closed {
                epochs,
                found,
                validation,
                batches_done,
                batches,
            };
            match std::mem::replace(&mut *stage, closed((Found::default(), [None, None]))) {
                RunState::Open(training) => *stage = closed(training.close()),
                closed => *stage = closed,
            }
            Ok(())
        })
    }
}

/// The numbers of epochs from epoch `start` on.
fn from_epoch<'py>(py: Python<'py>, values: &[f64], start: usize) -> PyResult<Bound<'py, PyAny>> {
    let values = memory::copied(values.get(start..).unwrap_or(&[]))?;
    let count = values.len();
    array(py, values, &[count])
}
