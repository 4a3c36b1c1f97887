//! `Run`: a fit in progress.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::array::{Float, Held, View};
use super::data::{Inputs, finite, finite_x};
use super::entry::{change, compute, entry};
use super::network::{Course, NextBatch, Progress, Training};
use super::output::array;
use super::route::Key;
use super::shared::Typed;
use crate::error::{Error, Result};
use crate::kernels::gather;
use crate::network::{State, Task};
use crate::runtime::memory;
use crate::training::{self, Data, Sampler};

/// Lets other threads use the model again when the run goes, however it goes.
struct Trainer<T: Float>(Arc<Typed<T>>);

impl<T: Float> Drop for Trainer<T> {
    fn drop(&mut self) {
        self.0.access.end_training();
    }
}

/// A run.
pub struct TypedRun<T: Float> {
    run: Held<training::TrainingRun<'static, T>>,
    key: Key,
    epochs: usize,
    /// Rows of the batch that `next_batch` gave.
    pending: Option<usize>,
    /// Whether that batch ended an epoch that `next_batch` has not yet reported.
    ended: bool,
    // After the run: it is dropped last.
    trainer: Trainer<T>,
}

impl<T: Float> TypedRun<T> {
    pub fn new(
        py: Python<'_>,
        model: Arc<Typed<T>>,
        inputs: Inputs,
        course: &Course,
    ) -> PyResult<Self> {
        let rows = inputs.rows();
        let batch = match course.batch_size {
            Some(0) => {
                return Err(Error::Value("batch_size is 0, it must be at least 1".into()).into());
            }
            Some(size) if size < rows => size,
            _ => rows,
        };
        let key = Key::exactly(Task::Train, (batch, inputs.x.image()), model.route());
        let threads = model.threads()?;
        let (plans, isa) = (&model.plans, model.plans.isa);
        let (targets, weights) = compute(py, || {
            let labels = (inputs.targets(&plans.spec, isa)?, inputs.weights()?);
            if course.check_finite {
                finite_x::<T>(isa, threads, &inputs.x)?;
            }
            Ok(labels)
        })?;
        let run = inputs.x.hold(|source| {
            Ok(compute(py, || {
                let plan = plans.plan(key)?;
                let workspace = plans.workspace(key, &plan, batch)?;
                let data = Data { source, targets, weights };
                let sampler = Sampler::new(rows, batch, course.shuffle)?;
                training::TrainingRun::new(plan, workspace, data, sampler, course.epochs, threads)
            })?)
        })?;
        model.access.begin_training(py)?;
        let (epochs, trainer) = (course.epochs, Trainer(model));
        Ok(Self { run, key, epochs, pending: None, ended: false, trainer })
    }
}

impl<T: Float> Training for TypedRun<T> {
    fn progress(&self) -> Progress<'_> {
        let run = self.run.get();
        Progress {
            epochs: self.epochs,
            losses: run.losses(),
            batches_done: run.batches_done(),
            batches: run.batches(),
        }
    }

    fn advance(
        &mut self,
        py: Python<'_>,
        deadline: Instant,
        stop_at_epoch: bool,
    ) -> PyResult<bool> {
        let mut state = self.trainer.0.access.write(py)?;
        let (run, state): (_, &mut State<T>) = (self.run.get_mut(), &mut state);
        let before = run.losses().len();
        change(py, || run.advance(state, deadline, stop_at_epoch))?;
        Ok(stop_at_epoch && run.losses().len() > before)
    }

    fn next_batch<'py>(&mut self, py: Python<'py>) -> PyResult<Option<NextBatch<'py>>> {
        if std::mem::take(&mut self.ended) {
            return Ok(None);
        }
        let model = &self.trainer.0;
        let state = model.access.read(py)?;
        let run = self.run.get_mut();
        let Some((outputs, rows)) = compute(py, || run.next_batch(&state))? else {
            return Ok(None);
        };
        drop(state);
        let shape = [rows.len(), model.plans.spec.out_features()];
        self.pending = Some(rows.len());
        let (outputs, rows) = (array(py, outputs, &shape)?, array(py, rows, &shape[..1])?);
        Ok(Some((outputs, rows)))
    }

    fn finish_batch(
        &mut self,
        py: Python<'_>,
        loss: f64,
        grad_output: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        const NAME: &str = "the gradient of the loss";
        let model = &self.trainer.0;
        let Some(rows) = self.pending else {
            return Err(Error::Value("finish_batch comes after next_batch".into()).into());
        };
        let (isa, outputs) = (model.plans.isa, model.plans.spec.out_features());
        let gradient = View::matrix(NAME, grad_output)?;
        gradient.check_shape(NAME, &[rows, outputs])?;
        let mut state = model.access.write(py)?;
        let (run, state): (_, &mut State<T>) = (self.run.get_mut(), &mut state);
        self.ended = change(py, || {
            let values = gather::to_vec(&gradient.elements())?;
            if loss.is_finite() {
                finite(NAME, isa, &values, outputs)?;
            }
            run.finish_batch(state, loss, &values)
        })?;
        self.pending = None;
        Ok(())
    }

    fn close(self: Box<Self>) -> Vec<f64> {
        let Self { run, key, trainer, .. } = *self;
        let (workspace, losses) = run.end(training::TrainingRun::into_parts);
        trainer.0.plans.keep(key, workspace);
        losses
    }
}

/// A `Model.fit` in progress: it trains while one of its methods runs, and never calls Python.
///
/// Until `close`, or until its last reference goes, the model belongs to the thread that called
/// `fit`.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Run(Mutex<RunState>);

enum RunState {
    Open(Box<dyn Training>),
    Closed { epochs: usize, losses: Vec<f64>, batches_done: usize, batches: usize },
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
            Self::Closed { epochs, losses, batches_done, batches } => {
                Progress { epochs: *epochs, losses, batches_done: *batches_done, batches: *batches }
            }
        }
    }
}

impl Run {
    pub fn new(training: Box<dyn Training>) -> Self {
        Self(Mutex::new(RunState::Open(training)))
    }

    /// Never waits: the thread that trains may need the GIL to end its slice.
    fn stage(&self) -> Result<MutexGuard<'_, RunState>> {
        match self.0.try_lock() {
            Ok(stage) => Ok(stage),
            Err(TryLockError::Poisoned(error)) => Ok(PoisonError::into_inner(error)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Busy("the run is in use in another thread".into()))
            }
        }
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

    /// For a loss in Python: the outputs (n, K) of the next batch and the rows of X that it
    /// holds; None when an epoch has ended, which then counts in `epochs_done`.
    fn next_batch<'py>(&self, py: Python<'py>) -> PyResult<Option<NextBatch<'py>>> {
        entry(|| self.stage()?.open()?.next_batch(py))
    }

    /// The update for the batch of `next_batch`, from its loss and gradient (n, K). A loss that
    /// is not finite raises FloatingPointError, and nothing is updated.
    fn finish_batch(
        &self,
        py: Python<'_>,
        loss: f64,
        grad_output: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        entry(|| self.stage()?.open()?.finish_batch(py, loss, grad_output))
    }

    /// The mean losses of this run's finished epochs, from epoch `start` (0 is the first) on.
    fn losses<'py>(&self, py: Python<'py>, start: usize) -> PyResult<Bound<'py, PyAny>> {
        entry(|| {
            let stage = self.stage()?;
            let losses = memory::copied(stage.progress().losses.get(start..).unwrap_or(&[]))?;
            let count = losses.len();
            array(py, losses, &[count])
        })
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
            let closed = RunState::Closed { epochs, losses: Vec::new(), batches_done, batches };
            match std::mem::replace(&mut *stage, closed) {
                RunState::Open(training) => {
                    let losses = training.close();
                    *stage = RunState::Closed { epochs, losses, batches_done, batches };
                }
                closed => *stage = closed,
            }
            Ok(())
        })
    }
}
