//! `Model`, what Python holds of a network, and how arguments are read for it.

use std::sync::Arc;

use pyo3::prelude::*;

use super::array::View;
use super::data::Inputs;
use super::network::Network;
use super::samples::Samples;
use crate::error::Error;

/// Parameters, optimizer state and counters of one network, and the plan to train it.
///
/// `layers`, `loss` and `optimizer` are the values of `ironmlp.layers`, `losses` and `optimizers`,
/// read by class name and attributes; `loss` is None when the caller computes it.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Model(pub(super) Arc<dyn Network>);

impl Model {
    pub(super) fn inputs(
        &self,
        x: &Bound<'_, PyAny>,
        targets: Option<&Bound<'_, PyAny>>,
        weights: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Inputs> {
        Inputs::new(self.0.spec(), x, targets, weights)
    }

    /// As `inputs`, for a call that needs the model's own loss.
    pub(super) fn labelled(
        &self,
        x: &Bound<'_, PyAny>,
        targets: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Inputs> {
        if self.0.spec().loss.is_none() {
            let message = "the model's loss is a function, which only its caller can compute";
            return Err(Error::Type(message.into()).into());
        }
        self.inputs(x, Some(targets), weights)
    }

    pub(super) fn samples(&self, x: &Bound<'_, PyAny>) -> PyResult<Samples> {
        Samples::x(x, self.0.spec())
    }
}

/// Arrays as views, each with its place in its name.
pub fn views(name: &str, arrays: &[Bound<'_, PyAny>]) -> PyResult<Vec<View>> {
    let view = |(index, array)| View::flat(&format!("{name}[{index}]"), array);
    arrays.iter().enumerate().map(view).collect()
}
