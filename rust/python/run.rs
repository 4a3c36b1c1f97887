//! `Run`: a fit in progress.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::array::{Float, Held};
use super::data::{Inputs, finite_for};
use super::entry::{change, compute, entry, entry_calling};
use super::network::{Call, Course, Progress, Training};
use super::output::array;
use super::own_loss::{self, called};
use super::route::Key;
use super::shared::Typed;
use super::validation::outputs_of;
use crate::error::{Error, Result};
use crate::network::{Spec, State, Task};
use crate::runtime::memory;
use crate::training::{self, Column, Columns, Data, Sampler};

const NO_STREAM: &str = "the run has its batches, and is no stream";

/// A model in training: lets other threads use it again when the run goes, however it goes.
pub struct Trainer<T: Float>(pub Arc<Typed<T>>);

impl<T: Float> Drop for Trainer<T> {
    fn drop(&mut self) {
        self.0.access.end_training();
    }
}

/// A run.
pub struct TypedRun<T: Float> {
    run: Held<training::TrainingRun<'static, T>>,
    key: Key,
    /// Of the plan that validates.
    watch_key: Option<Key>,
    epochs: usize,
    /// Whether the last step ended an epoch, which the next is to say.
    ended: bool,
    // After the run: it is dropped last.
    trainer: Trainer<T>,
}

impl<T: Float> TypedRun<T> {
    pub fn new(
        py: Python<'_>,
        model: Arc<Typed<T>>,
        inputs: Inputs,
        course: Course,
    ) -> PyResult<Self> {
        let x = (inputs.rows(), inputs.x.image());
        let (threads, route) = (model.threads()?, model.route());
        let (plans, isa) = (&model.plans, model.plans.isa);
        let prepared = course.validation.map(|validation| validation.prepare(py, &model, x));
        let (mut prepared, own_x) = match prepared.transpose()? {
            Some((prepared, own_x)) => (Some(prepared), own_x),
            None => (None, None),
        };
        let trained = prepared.as_mut().map(|prepared| std::mem::take(&mut prepared.trained));
        let trained = trained.unwrap_or_default();
        let watch_key = prepared.as_ref().map(|prepared| prepared.key);
        let rows = if trained.is_empty() { x.0 } else { trained.len() };
        let batch = match course.batch_size {
            Some(0) => {
                return Err(Error::Value("batch_size is 0, it must be at least 1".into()).into());
            }
            Some(size) if size < rows => size,
            _ => rows,
        };
        let key = Key::exactly(Task::Train, (batch, x.1), route);
        let key = if inputs.targets.is_none() { key.general() } else { key };
        let standards = model.standards_for(&*model.access.read(py)?, &inputs.x)?.cloned();
        let (targets, weights) = compute(py, || {
            let y = standards.as_ref().and_then(|standards| standards.y.as_ref());
            Ok((inputs.targets(&plans.spec, isa, y)?, inputs.weights()?))
        })?;
        let run = inputs.x.hold(own_x, |source, own_source| {
            Ok(compute(py, || {
                if course.check_finite {
                    finite_for::<T>(isa, threads, &source, standards.as_deref())?;
                }
                let validation = prepared.map(|prepared| {
                    prepared.validation(plans, threads, own_source, course.check_finite)
                });
                let validation = validation.transpose()?;
                let plan = plans.plan(key)?;
                let workspace = plans.workspace(key, &plan, batch)?;
                let mut data = Data { source, targets, weights, standards, copied: None };
                if course.epochs > 1 {
                    data = data.standardized(isa)?;
                }
                let sampler = match trained.is_empty() {
                    true => Sampler::new(rows, batch, course.shuffle)?,
                    false => Sampler::among(trained, batch, course.shuffle)?,
                };
                let epochs = course.epochs;
                let run =
                    training::TrainingRun::new(plan, workspace, data, sampler, epochs, threads)?;
                Ok(match validation {
                    Some(validation) => run.validated(validation),
                    None => run,
                })
            })?)
        })?;
        model.access.begin_training(py)?;
        let (epochs, trainer) = (course.epochs, Trainer(model));
        Ok(Self { run, key, watch_key, epochs, ended: false, trainer })
    }
}

impl<T: Float> Training for TypedRun<T> {
    fn spec(&self) -> &Spec {
        &self.trainer.0.plans.spec
    }

    fn progress(&self) -> Progress<'_> {
        let run = self.run.get();
        Progress {
            epochs: self.epochs,
            losses: run.losses(),
            validation: run.validation().map_or(&[], |validation| validation.columns()),
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

    fn step(&mut self, py: Python<'_>) -> PyResult<Option<f64>> {
        let run = self.run.get_mut();
        if std::mem::take(&mut self.ended) || run.done() {
            return Ok(None);
        }
        let mut state = self.trainer.0.access.write(py)?;
        let state: &mut State<T> = &mut state;
        let loss = change(py, || run.step(state))?;
        self.ended = run.batches_done() == 0;
        Ok(Some(loss))
    }

    fn step_with<'py>(
        &mut self,
        py: Python<'py>,
        function: &mut Call<'_, 'py>,
    ) -> PyResult<Option<f64>> {
        if std::mem::take(&mut self.ended) {
            return Ok(None);
        }
        let (model, run) = (&self.trainer.0, self.run.get_mut());
        let state = model.access.read(py)?;
        let Some((outputs, rows)) = compute(py, || run.next_batch(&state))? else {
            return Ok(None);
        };
        let shape = [rows.len(), model.plans.spec.out_features()];
        let rows = array(py, rows, &shape[..1])?;
        let outputs = (outputs, &shape);
        let (loss, gradient) = own_loss::call(py, model.plans.isa, outputs, rows, function)?;
        drop(state);
        let mut state = model.access.write(py)?;
        let state: &mut State<T> = &mut state;
        change(py, || run.finish_batch(state, loss, &gradient))?;
        self.ended = run.batches_done() == 0;
        Ok(Some(loss))
    }

    fn look(&mut self, py: Python<'_>) -> PyResult<()> {
        let state = self.trainer.0.access.read(py)?;
        let run = self.run.get();
        Ok(compute(py, || run.look(&state))?)
    }

    fn take(&mut self, _inputs: Inputs) -> PyResult<()> {
        Err(Error::Type(NO_STREAM.into()).into())
    }

    fn end_epoch(&mut self, _py: Python<'_>) -> PyResult<()> {
        Err(Error::Type(NO_STREAM.into()).into())
    }

    fn validation_outputs<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.run.get().validation().map(|validation| outputs_of(py, validation)).transpose()
    }

    fn close(self: Box<Self>) -> (Vec<f64>, Columns) {
        let Self { run, key, watch_key, trainer, .. } = *self;
        let plans = &trainer.0.plans;
        run.end(|run| {
            let (workspace, losses, validation) = run.into_parts();
            plans.keep(key, workspace);
            let mut columns = [None, None];
            if let (Some(key), Some(validation)) = (watch_key, validation) {
                let (workspace, found) = validation.into_parts();
                plans.keep(key, workspace);
                columns = found;
            }
            (losses, columns)
        })
    }
}

/// A `Model.fit` in progress: it trains while one of its methods runs.
///
/// Until `close`, or until its last reference goes, the model belongs to the thread that called
/// `fit`.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Run(Mutex<RunState>);

enum RunState {
    Open(Box<dyn Training>),
    Closed {
        epochs: usize,
        losses: Vec<f64>,
        validation: Columns,
        batches_done: usize,
        batches: usize,
    },
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
            Self::Closed { epochs, losses, validation, batches_done, batches } => Progress {
                epochs: *epochs,
                losses,
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
        entry(|| {
            let stage = self.stage()?;
            let losses = memory::copied(stage.progress().losses.get(start..).unwrap_or(&[]))?;
            let count = losses.len();
            array(py, losses, &[count])
        })
    }

    /// What was found of the rows that validate: "val_loss", unless the loss is in Python, and
    /// "val_accuracy" or "val_r2" if it was wanted, for epochs as of `losses`; NaN where none was due.
    fn validation<'py>(&self, py: Python<'py>, start: usize) -> PyResult<Bound<'py, PyDict>> {
        entry(|| {
            let found = PyDict::new(py);
            for Column { name, values } in self.stage()?.progress().validation.iter().flatten() {
                let values = memory::copied(values.get(start..).unwrap_or(&[]))?;
                let count = values.len();
                found.set_item(format!("val_{name}"), array(py, values, &[count])?)?;
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
            let closed = |(losses, validation)| RunState::Closed {
                epochs,
                losses,
                validation,
                batches_done,
                batches,
            };
            match std::mem::replace(&mut *stage, closed((Vec::new(), [None, None]))) {
                RunState::Open(training) => *stage = closed(training.close()),
                closed => *stage = closed,
            }
            Ok(())
        })
    }
}
