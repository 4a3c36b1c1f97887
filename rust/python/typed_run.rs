//! A fit over arrays, of one element type.

use std::sync::Arc;
use std::time::Instant;

use pyo3::prelude::*;

use super::array::{Float, Held};
use super::data::{Inputs, finite_for};
use super::entry::{change, compute};
use super::network::{Call, Course, Progress, Training};
use super::output::array;
use super::own_loss;
use super::route::Key;
use super::shared::Typed;
use super::validation::outputs_of;
use crate::error::{Error, Result};
use crate::network::{Spec, State, Task};
use crate::training::{self, Columns, Data, Found, Sampler};

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
        let prepared = course
            .validation
            .map(|validation| validation.prepare(py, &model, x, course.check_finite));
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
        let key = model.training_key(Key::exactly(Task::Train, (batch, x.1), route), batch);
        let key = if inputs.targets.is_none() { key.general() } else { key };
        let standards = model.standards_for(&*model.access.read(py)?, &inputs.x)?.cloned();
        let (targets, weights) = compute(py, || {
            let y = standards.as_ref().and_then(|standards| standards.y.as_ref());
            let labels = (inputs.targets(&plans.spec, isa, y)?, inputs.weights()?);
            if course.check_finite {
                finite_for::<T>(isa, threads, &inputs.x, standards.as_deref())?;
            }
            Ok(labels)
        })?;
        let run = inputs.x.hold(py, own_x, |source, own_source| {
            Ok(compute(py, || {
                let validation = prepared.map(|prepared| prepared.validation(plans, own_source));
                let validation = validation.transpose()?;
                let plan = plans.plan(key)?;
                let workspace = plans.workspace(key, &plan, batch)?;
                let mut data = Data { source, targets, weights, standards, copied: None };
                if course.epochs > 1 {
                    data = data.standardized(isa)?;
                }
                let sampler = match trained.is_empty() {
                    true => Sampler::new(rows, batch, course.order)?,
                    false => Sampler::among(trained, batch, course.order)?,
                };
                let epochs = course.epochs;
                let mut run =
                    training::TrainingRun::new(plan, workspace, data, sampler, epochs, threads)?;
                if course.by_rows {
                    run = run.counted_by_rows();
                }
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
            penalties: run.penalties(),
            penalty: run.penalty(),
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

    fn give_order(&mut self, places: &[i64]) -> Result<()> {
        self.run.get_mut().give_order(places)
    }

    fn end_epoch(&mut self, _py: Python<'_>) -> PyResult<()> {
        Err(Error::Type(NO_STREAM.into()).into())
    }

    fn validation_outputs<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.run.get().validation().map(|validation| outputs_of(py, validation)).transpose()
    }

    fn close(self: Box<Self>) -> (Found, Columns) {
        let Self { run, key, watch_key, trainer, .. } = *self;
        let plans = &trainer.0.plans;
        run.end(|run| {
            let (workspace, found, validation) = run.into_parts();
            plans.keep(key, workspace);
            let mut columns = [None, None];
            if let (Some(key), Some(validation)) = (watch_key, validation) {
                let (workspace, validated) = validation.into_parts();
                plans.keep(key, workspace);
                columns = validated;
            }
            (found, columns)
        })
    }
}
