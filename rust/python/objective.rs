//! `Objective`: a model's loss as a function of its parameters, for optimizers outside.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;

use super::array::{Float, Held, View};
use super::data::{Inputs, finite_for};
use super::entry::{change, compute, entry};
use super::handle::Model;
use super::network::Evaluate;
use super::output::Out;
use super::route::Key;
use super::shared::Typed;
use crate::kernels::gather;
use crate::network::{Head, State, Task};
use crate::runtime::{lock, memory};
use crate::training::Data;

/// The loss of `model` for all rows of `X`, with its penalty on weights, as a function of the parameters.
///
/// Called with `parameters` and `gradient`, both (P,): the weights of all layers, each (in, out) and row-major,
/// then the biases. It returns the loss, writes the gradient, in the model's dtype, and leaves the model with
/// these parameters.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Objective(Mutex<Box<dyn Evaluate>>);

#[pymethods]
#[allow(non_snake_case, reason = "X is the field's name for the design matrix")]
impl Objective {
    #[new]
    #[pyo3(signature = (model, X, targets, sample_weight))]
    fn new(
        py: Python<'_>,
        model: &Model,
        X: &Bound<'_, PyAny>,
        targets: &Bound<'_, PyAny>,
        sample_weight: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        entry(|| {
            let inputs = model.labelled(X, targets, sample_weight)?;
            Ok(Self(Mutex::new(Arc::clone(&model.0).objective(py, inputs)?)))
        })
    }

    fn __call__(
        &self,
        py: Python<'_>,
        parameters: &Bound<'_, PyAny>,
        gradient: &Bound<'_, PyAny>,
    ) -> PyResult<f64> {
        entry(|| {
            let parameters = View::column("parameters", parameters)?;
            let busy = "the objective is in use in another thread";
            let mut objective = lock::take_now(&self.0, busy)?;
            objective.call(py, &parameters, gradient)
        })
    }
}

/// The same of one element type.
pub struct TypedObjective<T: Float> {
    data: Held<Data<'static, T>>,
    key: Key,
    /// Parameters, then gradients.
    list: Vec<T>,
    model: Arc<Typed<T>>,
}

impl<T: Float> TypedObjective<T> {
    pub fn new(py: Python<'_>, model: Arc<Typed<T>>, inputs: Inputs) -> PyResult<Self> {
        let (isa, threads) = (model.plans.isa, model.threads()?);
        let key = model.key(Task::Gradients { input_grad: false }, &inputs.x, true);
        let (standards, len) = {
            let state = model.access.read(py)?;
            (model.standards_for(&state, &inputs.x)?.cloned(), state.layout.packed_len())
        };
        let (targets, weights, list) = compute(py, || {
            let y = standards.as_ref().and_then(|standards| standards.y.as_ref());
            let targets = inputs.targets(&model.plans.spec, isa, y)?;
            finite_for::<T>(isa, threads, &inputs.x, standards.as_deref())?;
            Ok((targets, inputs.weights()?, memory::filled(T::ZERO, len)?))
        })?;
        let data = inputs.x.hold(py, None, |source, _| {
            Ok(Data { source, targets, weights, standards, copied: None })
        })?;
        Ok(Self { data, key, list, model })
    }
}

impl<T: Float> Evaluate for TypedObjective<T> {
    fn call(
        &mut self,
        py: Python<'_>,
        parameters: &View,
        gradient: &Bound<'_, PyAny>,
    ) -> PyResult<f64> {
        let Self { data, key, list, model } = self;
        let count = list.len();
        parameters.check_shape("parameters", &[count])?;
        let gradient = Out::<T>::named("gradient", gradient, &[count])?;
        let (plans, threads) = (&model.plans, model.threads()?);
        let mut state = model.access.write(py)?;
        let state: &mut State<T> = &mut state;
        let (data, list) = (data.get(), &mut list[..]);
        let loss = change(py, || {
            state.set_packed(&gather::to_vec::<T>(&parameters.elements())?, plans.isa);
            let batch = data.all();
            plans.run(*key, batch.rows, |plan, workspace| {
                let found = plan.gradients(threads, state, workspace, &batch, Head::Loss, true)?;
                let penalty = plan.penalize(threads, state, workspace, &batch)?;
                state.layout.export_packed(workspace.gradient(), list);
                Ok(found.mean + penalty)
            })
        })?;
        gradient.fill(list);
        Ok(loss)
    }
}
