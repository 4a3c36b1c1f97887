//! What a model of one element type does when Python asks.

use std::any::Any;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::access::Hold;
use super::array::{Float, View};
use super::data::{Inputs, finite, tensors};
use super::entry::{change, compute};
use super::network::{
    Call, Counters, Course, Evaluate, Evaluation, Gradients, Network, Predict, Training,
};
use super::objective::TypedObjective;
use super::output::{Out, array};
use super::plans::Plans;
use super::predictor::TypedPredictor;
use super::route::Route;
use super::running;
use super::samples::Samples;
use super::shared::{Found, Typed, batch};
use super::state::{self, list};
use super::stream::TypedStream;
use super::typed_run::TypedRun;
use super::validation::Watching;
use crate::error::Error;
use crate::kernels::gather;
use crate::network::{Head, LearningRate, Spec, State, Task, initial_parameters};
use crate::runtime::memory;
use crate::training::{Estimate, Score, evaluate};

impl<T: Float> Network for Typed<T> {
    fn spec(&self) -> &Spec {
        &self.plans.spec
    }

    fn n_threads(&self) -> Option<usize> {
        self.n_threads
    }

    fn counters(&self, py: Python<'_>) -> PyResult<Counters> {
        let state = self.access.read(py)?;
        let State { seed, epoch, clock, learning_rate: last_rate, .. } = *state;
        let rate_factor = state.scheduled.as_ref().map(|scheduled| scheduled.factor);
        let (steps, next_rate) = (clock.steps, state.next_rate());
        Ok(Counters { seed, epoch, steps, next_rate, last_rate, rate_factor })
    }

    fn set_rate(&self, py: Python<'_>, rate: f64) -> PyResult<()> {
        Ok(self.access.write(py)?.set_next_rate(rate)?)
    }

    fn follow(&self, py: Python<'_>, rate: &LearningRate, keep_factor: bool) -> PyResult<()> {
        let mut state = self.access.write(py)?;
        self.access.check_idle()?;
        state.follow(rate, keep_factor, self.plans.isa);
        Ok(())
    }

    fn tabulate(&self, py: Python<'_>, first: u64, rates: Vec<f64>) -> PyResult<()> {
        self.access.write(py)?.tabulate(first, rates);
        Ok(())
    }

    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let state = self.access.read(py)?;
        let shapes = state.layout.shapes();
        let (tensors, nodes) = compute(py, || {
            let nodes = state.running.export(&state.layout.running)?;
            Ok((state.layout.export(&state.parameters)?, nodes))
        })?;
        drop(state);
        let list = list(py, tensors, &shapes)?;
        running::append(&list, nodes)?;
        Ok(list)
    }

    fn set_parameters(
        &self,
        py: Python<'_>,
        parameters: &[View],
        check_finite: bool,
    ) -> PyResult<()> {
        let isa = self.plans.isa;
        let mut state = self.access.write(py)?;
        let state: &mut State<T> = &mut state;
        Ok(change(py, || {
            let check = check_finite.then_some(isa);
            let of_running = running::arrays(&state.layout);
            let (parameters, running) =
                parameters.split_at(parameters.len().saturating_sub(of_running));
            let tensors = tensors("state_dict", parameters, &state.layout, check)?;
            let nodes = running::read("state_dict", running, &state.layout, check)?;
            state.running.import(&state.layout.running, &nodes)?;
            state.set_parameters(&tensors, isa);
            Ok(())
        })?)
    }

    fn optimizer_state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = self.access.read(py)?;
        let exported = compute(py, || state::Exported::new(&state))?;
        drop(state);
        exported.dict(py)
    }

    fn set_optimizer_state(
        &self,
        py: Python<'_>,
        state: &Bound<'_, PyDict>,
        check_finite: bool,
    ) -> PyResult<()> {
        let check = check_finite.then_some(self.plans.isa);
        let parts = state::Parts::new(state)?;
        let mut state = self.access.write(py)?;
        let state: &mut State<T> = &mut state;
        Ok(change(py, || parts.import(state, check))?)
    }

    fn reset(&self, py: Python<'_>, seed: u64) -> PyResult<()> {
        let Plans { spec, isa, .. } = &*self.plans;
        let parameters = compute(py, || {
            memory::room(spec.layers.len())?;
            initial_parameters(spec, seed, *isa)
        })?;
        let mut state = self.access.write(py)?;
        let state: &mut State<T> = &mut state;
        Ok(change(py, || {
            state.reset(seed, &parameters, *isa);
            Ok(())
        })?)
    }

    fn reset_optimizer(&self, py: Python<'_>) -> PyResult<()> {
        self.access.write(py)?.reset_optimizer();
        Ok(())
    }

    fn assign(&self, py: Python<'_>, arrays: [&[View]; 2]) -> PyResult<()> {
        self.take_arrays(py, arrays)
    }

    fn read(&self, py: Python<'_>, arrays: [&[Bound<'_, PyAny>]; 2]) -> PyResult<()> {
        self.fill_arrays(py, arrays)
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<Box<dyn Any + Send>> {
        self.kept(py)
    }

    fn take_snapshot(&self, py: Python<'_>, to: &mut (dyn Any + Send)) -> PyResult<()> {
        self.keep(py, to)
    }

    fn restore(&self, py: Python<'_>, from: &(dyn Any + Send)) -> PyResult<()> {
        self.take_kept(py, from)
    }

    fn objective(self: Arc<Self>, py: Python<'_>, inputs: Inputs) -> PyResult<Box<dyn Evaluate>> {
        Ok(Box::new(TypedObjective::new(py, self, inputs)?))
    }

    fn copy(&self, py: Python<'_>) -> PyResult<Arc<dyn Network>> {
        let state = self.access.read(py)?;
        let twin = compute(py, || state.duplicate(self.plans.isa))?;
        let plans = Arc::clone(&self.plans);
        Ok(Arc::new(Self::of(plans, twin, self.n_threads)))
    }

    fn set_route(&self, route: Route) {
        self.take_route(route);
    }

    fn adapt(
        &self,
        py: Python<'_>,
        x: &Samples,
        y: Option<&View>,
        rows: Option<&View>,
    ) -> PyResult<()> {
        self.learn(py, x, y, rows)
    }

    fn look(&self, py: Python<'_>, x: Option<&Samples>, y: Option<&View>) -> PyResult<(f64, f64)> {
        self.scales(py, x, y)
    }

    fn standards<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.standards_dict(py)
    }

    fn set_standards(&self, py: Python<'_>, standards: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.take_standards(py, standards)
    }

    fn forward<'py>(
        &self,
        py: Python<'py>,
        x: &Samples,
        training: bool,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let shape = [x.source().rows(), self.plans.spec.out_features()];
        let out = out.map(|out| Out::<T>::new(out, &shape)).transpose()?;
        let threads = self.threads()?;
        let state = self.access.read(py)?;
        let batch = batch::<T>(x, self.standards_for(&state, x)?);
        let values = compute(py, || {
            let mut values = memory::filled(T::ZERO, shape[0].saturating_mul(shape[1]))?;
            let key = self.key(Task::Forward, x, training);
            self.plans.run(key, 0, |plan, workspace| {
                plan.forward(threads, &state, workspace, &batch, training, &mut values)
            })?;
            Ok(values)
        })?;
        drop(state);
        match out {
            Some(out) => Ok(out.fill(&values)),
            None => array(py, values, &shape),
        }
    }

    fn evaluate<'py>(&self, py: Python<'py>, inputs: &Inputs) -> PyResult<Evaluation<'py>> {
        let (spec, isa, threads) = (&self.plans.spec, self.plans.isa, self.threads()?);
        let shape = [inputs.rows(), spec.out_features()];
        let score = match &spec.loss {
            Some((loss, reduction)) => Score::of(loss, *reduction),
            None => Score::R2(Estimate::OUTPUTS),
        };
        let state = self.access.read(py)?;
        let (loss, number, outputs) = compute(py, || {
            let data = self.data(inputs, &state)?;
            let mut outputs = memory::filled(T::ZERO, shape[0].saturating_mul(shape[1]))?;
            let key = self.key(Task::Forward, &inputs.x, false);
            let (loss, number) = self.plans.run(key, shape[0], |plan, workspace| {
                let (batch, score) = (data.all(), Some(score));
                evaluate(plan, isa, threads, &state, workspace, &batch, score, &mut outputs)
            })?;
            Ok((loss, number, outputs))
        })?;
        drop(state);
        let outputs = array(py, outputs, &shape)?;
        Ok(Evaluation { loss, score: (score.name(), number), outputs })
    }

    fn loss_and_grad<'py>(
        &self,
        py: Python<'py>,
        inputs: &Inputs,
        training: bool,
        input_grad: bool,
    ) -> PyResult<(f64, Gradients<'py>)> {
        let threads = self.threads()?;
        let state = self.access.read(py)?;
        let found = compute(py, || {
            let data = self.finite_data(threads, inputs, &state)?;
            let (batch, head) = (data.all(), (Head::Loss, training));
            let key = self.key(Task::Gradients { input_grad }, &inputs.x, training);
            self.plans.run(key, batch.rows, |plan, workspace| {
                self.gradients(&state, (plan, workspace), &batch, head, (input_grad, true))
            })
        })?;
        let shapes = state.layout.shapes();
        drop(state);
        let loss = found.loss.reduced + found.loss.penalty;
        Ok((loss, self.given(py, &shapes, inputs.x.shape(), found)?))
    }

    fn backward<'py>(
        &self,
        py: Python<'py>,
        x: &Samples,
        grad_output: &View,
        training: bool,
        input_grad: bool,
    ) -> PyResult<Gradients<'py>> {
        let (isa, outputs) = (self.plans.isa, self.plans.spec.out_features());
        grad_output.check_shape("grad_output", &[x.source().rows(), outputs])?;
        let state = self.access.read(py)?;
        let standards = self.standards_for(&state, x)?;
        let batch = batch::<T>(x, standards);
        let found = compute(py, || {
            let mut values = gather::to_vec(&grad_output.elements())?;
            finite("grad_output", isa, &values, outputs)?;
            if let Some(y) = standards.and_then(|standards| standards.y.as_ref()) {
                y.by_standardized(&mut values, outputs);
            }
            let head = (Head::Gradient(&values), training);
            let key = self.key(Task::Gradients { input_grad }, x, training);
            self.plans.run(key, batch.rows, |plan, workspace| {
                self.gradients(&state, (plan, workspace), &batch, head, (input_grad, false))
            })
        })?;
        let shapes = state.layout.shapes();
        drop(state);
        self.given(py, &shapes, x.shape(), found)
    }

    fn held<'a>(&'a self, py: Python<'_>) -> PyResult<Box<dyn Hold + 'a>> {
        Ok(Box::new(self.access.read(py)?))
    }

    fn loss_and_grad_with<'py>(
        &self,
        py: Python<'py>,
        inputs: &Inputs,
        flags: (bool, bool),
        function: &mut Call<'_, 'py>,
    ) -> PyResult<(f64, Gradients<'py>)> {
        let (loss, found) = self.gradients_with(py, inputs, flags, function)?;
        let shapes = self.access.read(py)?.layout.shapes();
        Ok((loss, self.given(py, &shapes, inputs.x.shape(), found)?))
    }

    fn apply_gradients(&self, py: Python<'_>, gradients: &[View]) -> PyResult<()> {
        let threads = self.threads()?;
        let mut state = self.access.write(py)?;
        let state: &mut State<T> = &mut state;
        Ok(change(py, || {
            let tensors = tensors("grads", gradients, &state.layout, Some(self.plans.isa))?;
            let gradient = state.layout.buffer()?;
            state.layout.import(&tensors, &gradient);
            self.plans.updates.apply(threads, state, &gradient)?;
            state.check_finite(self.plans.isa, threads, state.epoch, 0)
        })?)
    }

    fn train_on_batch(&self, py: Python<'_>, inputs: &Inputs) -> PyResult<f64> {
        let threads = self.threads()?;
        let state = self.access.read(py)?;
        let data = compute(py, || self.finite_data(threads, inputs, &state))?;
        drop(state);
        let mut state = self.access.write(py)?;
        let state: &mut State<T> = &mut state;
        Ok(change(py, || {
            let rows = data.rows();
            self.plans.run(self.key(Task::Train, &inputs.x, true), rows, |plan, workspace| {
                let loss = plan.train(threads, state, workspace, &data.all())?;
                // What came before may be why the loss is not finite.
                state.check_finite(self.plans.isa, threads, state.epoch, 0)?;
                if loss.is_finite() {
                    Ok(loss.reduced)
                } else {
                    Err(Error::Diverged { epoch: state.epoch, batch: 0 })
                }
            })
        })?)
    }

    fn trace<'py>(&self, py: Python<'py>, inputs: &Inputs) -> PyResult<Bound<'py, PyDict>> {
        let threads = self.threads()?;
        let state = self.access.read(py)?;
        let (tensors, loss) = compute(py, || {
            let data = self.data(inputs, &state)?;
            let rows = data.rows();
            self.plans.run(self.key(Task::Trace, &inputs.x, false), rows, |plan, workspace| {
                plan.trace(threads, &state, workspace, &data.all())
            })
        })?;
        drop(state);
        let trace = PyDict::new(py);
        for tensor in tensors {
            if tensor.shape.is_empty() {
                trace.set_item(tensor.name, loss)?;
            } else {
                trace.set_item(tensor.name, array(py, tensor.values, &tensor.shape)?)?;
            }
        }
        Ok(trace)
    }

    fn fit(
        self: Arc<Self>,
        py: Python<'_>,
        inputs: Inputs,
        course: Course,
    ) -> PyResult<Box<dyn Training>> {
        Ok(Box::new(TypedRun::new(py, self, inputs, course)?))
    }

    fn stream(
        self: Arc<Self>,
        py: Python<'_>,
        count: (usize, Option<usize>, usize),
        check_finite: bool,
        validation: Option<Watching>,
    ) -> PyResult<Box<dyn Training>> {
        Ok(Box::new(TypedStream::new(py, self, count, check_finite, validation)?))
    }

    fn predictor(
        self: Arc<Self>,
        max_rows: usize,
        convert: Py<PyAny>,
    ) -> PyResult<Box<dyn Predict>> {
        Ok(Box::new(TypedPredictor::new(self, max_rows, convert)?))
    }
}

impl<T: Float> Typed<T> {
    /// Gradients as arrays, after the running statistics have moved.
    fn given<'py>(
        &self,
        py: Python<'py>,
        shapes: &[Vec<usize>],
        x: &[usize],
        found: Found<T>,
    ) -> PyResult<Gradients<'py>> {
        let by_input = found.by_input.map(|values| array(py, values, x)).transpose()?;
        let gradients = list(py, found.gradients, shapes)?;
        if let Some(statistics) = found.statistics {
            let mut state = self.access.write(py)?;
            let state: &mut State<T> = &mut state;
            change(py, || state.track_finite(&statistics))?;
        }
        Ok((gradients, by_input))
    }
}
