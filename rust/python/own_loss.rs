//! Losses that the caller computes, between a pass to the outputs and one back.
//!
//! While the function runs, its thread holds the model for reading: the function may read it too, and
//! changes of it are refused.

use pyo3::prelude::*;

use super::array::{Float, View};
use super::data::{Inputs, finite, finite_for};
use super::entry::compute;
use super::network::Call;
use super::output::array;
use super::shared::{Found, Typed, batch};
use crate::kernels::gather;
use crate::network::{Batch, Head, Task};
use crate::runtime::memory;
use crate::simd::{FloatEnvironment, Isa};

const NAME: &str = "the gradient of the loss";

/// The loss of these outputs, (rows, K), and its gradient, which is finite if the loss is. The function is
/// told which rows of X they are of.
pub fn call<'py, T: Float>(
    py: Python<'py>,
    isa: Isa,
    (outputs, shape): (Vec<T>, &[usize; 2]),
    rows: Bound<'py, PyAny>,
    function: &mut Call<'_, 'py>,
) -> PyResult<(f64, Vec<T>)> {
    let (loss, gradient) = function(array(py, outputs, shape)?, rows)?;
    let gradient = View::matrix(NAME, &gradient)?;
    gradient.check_shape(NAME, shape)?;
    let values = compute(py, || {
        let values = gather::to_vec(&gradient.elements())?;
        if loss.is_finite() {
            finite(NAME, isa, &values, shape[1])?;
        }
        Ok(values)
    })?;
    Ok((loss, values))
}

/// What a function of Python's returns, which computes in its caller's environment.
pub fn called<'py>(
    environment: &FloatEnvironment,
    function: &Bound<'py, PyAny>,
    outputs: Bound<'py, PyAny>,
    rows: Bound<'py, PyAny>,
) -> PyResult<(f64, Bound<'py, PyAny>)> {
    environment.outside(|| function.call1((outputs, rows)))?.extract()
}

impl<T: Float> Typed<T> {
    /// The caller's loss and the penalty on weights, their gradients, and with `input_grad` the one with
    /// respect to X.
    pub fn gradients_with<'py>(
        &self,
        py: Python<'py>,
        inputs: &Inputs,
        (training, input_grad): (bool, bool),
        function: &mut Call<'_, 'py>,
    ) -> PyResult<(f64, Found<T>)> {
        let (isa, threads, x) = (self.plans.isa, self.threads()?, &inputs.x);
        let shape = [x.source().rows(), self.plans.spec.out_features()];
        let key = self.key(Task::Gradients { input_grad }, x, training);
        let state = self.access.read(py)?;
        let standards = self.standards_for(&state, x)?;
        let weights = compute(py, || inputs.weights())?;
        let batch = Batch { weights: weights.as_ref(), ..batch::<T>(x, standards) };
        let (plan, mut workspace, outputs, kept) = compute(py, || {
            finite_for::<T>(isa, threads, x, batch.standards)?;
            let plan = self.plans.plan(key)?;
            let mut workspace = self.plans.workspace(key, &plan, batch.rows)?;
            let mut outputs = memory::filled(T::ZERO, shape[0].saturating_mul(shape[1]))?;
            let kept =
                plan.forward_kept(threads, &state, &mut workspace, &batch, training, &mut outputs)?;
            Ok((plan, workspace, outputs, kept))
        })?;
        let none = py.None().into_bound(py);
        let (loss, gradient) = call(py, isa, (outputs, &shape), none, function)?;
        let mut found = compute(py, || {
            if !loss.is_finite() {
                finite(NAME, isa, &gradient, shape[1])?;
            }
            let head = if kept { Head::Kept(&gradient) } else { Head::Gradient(&gradient) };
            let found = self.gradients(
                &state,
                (&plan, &mut workspace),
                &batch,
                (head, training),
                (input_grad, true),
            );
            self.plans.keep(key, workspace);
            found
        })?;
        if !loss.is_finite() {
            found.statistics = None;
        }
        Ok((loss + found.loss.penalty, found))
    }
}
