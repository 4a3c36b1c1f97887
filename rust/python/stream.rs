//! A fit over batches that come one by one.

use std::sync::Arc;
use std::time::Instant;

use pyo3::prelude::*;

use super::array::{Float, Held};
use super::data::Inputs;
use super::entry::{change, compute};
use super::network::{Call, Progress, Training};
use super::own_loss;
use super::route::Key;
use super::shared::Typed;
use super::typed_run::Trainer;
use super::validation::{Watching, outputs_of};
use crate::error::{Error, Result};
use crate::network::{Spec, State, Task};
use crate::training::{Columns, Data, Found, StreamRun, Validation};

/// A run over batches that come one by one.
pub struct TypedStream<T: Float> {
    run: StreamRun,
    epochs: usize,
    /// Batches of an epoch; 0 if nobody knows.
    batches: usize,
    check_finite: bool,
    /// What the next step is made of.
    taken: Option<Inputs>,
    /// With the key of its plan.
    validation: Option<(Key, Held<Validation<'static, T>>)>,
    trainer: Trainer<T>,
}

impl<T: Float> TypedStream<T> {
    pub fn new(
        py: Python<'_>,
        model: Arc<Typed<T>>,
        (epochs, steps, batches): (usize, Option<usize>, usize),
        check_finite: bool,
        validation: Option<Watching>,
    ) -> PyResult<Self> {
        let validation = validation.map(|validation| validation.held(py, &model, check_finite));
        let validation = validation.transpose()?;
        model.check_standards(&*model.access.read(py)?)?;
        let penalizes = model.plans.spec.options.penalize();
        let run = StreamRun::new(model.plans.isa, model.threads()?, epochs, steps, penalizes)?;
        model.access.begin_training(py)?;
        let trainer = Trainer(model);
        Ok(Self { run, epochs, batches, check_finite, taken: None, validation, trainer })
    }

    /// Validates, where an epoch has just ended.
    fn validate(&mut self, py: Python<'_>) -> PyResult<()> {
        let (run, model) = (&self.run, &self.trainer.0);
        let Some((_, validation)) = self.validation.as_mut().filter(|_| run.batches_done() == 0)
        else {
            return Ok(());
        };
        let (validation, threads) = (validation.get_mut(), model.threads()?);
        let state = model.access.read(py)?;
        let epochs = run.losses().len();
        Ok(change(py, || validation.end_epoch(threads, &state, None, epochs).map(|_| ()))?)
    }

    fn taken(&mut self) -> Result<Inputs> {
        self.taken.take().ok_or_else(|| Error::Type("step comes after take".into()))
    }

    /// What was taken as numbers, checked.
    fn data<'a>(&self, py: Python<'_>, inputs: &'a Inputs) -> Result<Data<'a, T>> {
        let model = &self.trainer.0;
        let threads = model.threads()?;
        let state = model.access.read(py)?;
        compute(py, || match self.check_finite {
            true => model.finite_data(threads, inputs, &state),
            false => model.data(inputs, &state),
        })
    }
}

impl<T: Float> Training for TypedStream<T> {
    fn spec(&self) -> &Spec {
        &self.trainer.0.plans.spec
    }

    fn progress(&self) -> Progress<'_> {
        let (epochs, batches) = (self.epochs, self.batches);
        let (losses, penalties) = (self.run.losses(), self.run.penalties());
        let penalty = self.run.penalty();
        let batches_done = self.run.batches_done();
        let validation = self.validation.as_ref().map(|(_, held)| held.get());
        let validation = validation.map_or(&[][..], |validation| validation.columns());
        Progress { epochs, losses, penalties, penalty, validation, batches_done, batches }
    }

    fn advance(&mut self, _py: Python<'_>, _deadline: Instant, _stop: bool) -> PyResult<bool> {
        Err(Error::Type("a stream goes on by step".into()).into())
    }

    fn step(&mut self, py: Python<'_>) -> PyResult<Option<f64>> {
        let inputs = self.taken()?;
        let data = self.data(py, &inputs)?;
        let (model, run) = (&self.trainer.0, &mut self.run);
        let key = model.key(Task::Train, &inputs.x, true);
        let mut held = model.access.write(py)?;
        let state: &mut State<T> = &mut held;
        let loss = change(py, || {
            model
                .plans
                .run(key, data.rows(), |plan, workspace| run.step(plan, workspace, state, &data))
        })?;
        drop(held);
        self.validate(py)?;
        Ok(Some(loss))
    }

    fn step_with<'py>(
        &mut self,
        py: Python<'py>,
        function: &mut Call<'_, 'py>,
    ) -> PyResult<Option<f64>> {
        let inputs = self.taken()?;
        let data = self.data(py, &inputs)?;
        let (model, run) = (&self.trainer.0, &mut self.run);
        let shape = [data.rows(), model.plans.spec.out_features()];
        let key = model.key(Task::Train, &inputs.x, true).general();
        let state = model.access.read(py)?;
        let (plan, mut workspace, outputs, kept) = compute(py, || {
            let plan = model.plans.plan(key)?;
            let mut workspace = model.plans.workspace(key, &plan, shape[0])?;
            let (outputs, kept) = run.outputs(&plan, &mut workspace, &state, &data)?;
            Ok((plan, workspace, outputs, kept))
        })?;
        let (outputs, none) = ((outputs, &shape), py.None().into_bound(py));
        let (loss, gradient) = own_loss::call(py, model.plans.isa, outputs, none, function)?;
        drop(state);
        let mut held = model.access.write(py)?;
        let state: &mut State<T> = &mut held;
        change(py, || {
            let found = (loss, &gradient[..], kept);
            run.finish(&plan, &mut workspace, state, &data, found)?;
            model.plans.keep(key, workspace);
            Ok(())
        })?;
        drop(held);
        self.validate(py)?;
        Ok(Some(loss))
    }

    fn look(&mut self, py: Python<'_>) -> PyResult<()> {
        let (state, run) = (self.trainer.0.access.read(py)?, &self.run);
        Ok(compute(py, || run.look(&state))?)
    }

    fn take(&mut self, inputs: Inputs) -> PyResult<()> {
        self.taken = Some(inputs);
        Ok(())
    }

    fn end_epoch(&mut self, py: Python<'_>) -> PyResult<()> {
        let run = &mut self.run;
        let mut held = self.trainer.0.access.write(py)?;
        let state: &mut State<T> = &mut held;
        change(py, || run.end_epoch(state))?;
        drop(held);
        self.validate(py)
    }

    fn validation_outputs<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match &self.validation {
            None => Ok(None),
            Some((_, validation)) => outputs_of(py, validation.get()).map(Some),
        }
    }

    fn close(self: Box<Self>) -> (Found, Columns) {
        let Self { run, validation, trainer, .. } = *self;
        let columns = validation.map(|(key, held)| {
            held.end(|validation| {
                let (workspace, columns) = validation.into_parts();
                trainer.0.plans.keep(key, workspace);
                columns
            })
        });
        (run.into_found(), columns.unwrap_or([None, None]))
    }
}
