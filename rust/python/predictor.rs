//! `Predictor`: the fastest way to few rows.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;

use super::array::{Float, View};
use super::entry::{compute, entry};
use super::network::Predict;
use super::output::{Out, copied};
use super::route::Key;
use super::shared::{Typed, batch};
use super::tuning::SMALL_FLOPS;
use crate::error::{Error, Result};
use crate::kernels::images::ImageShape;
use crate::network::{Plan, Task, Workspace};
use crate::runtime::memory;
use crate::runtime::pool::caught;

/// A predictor.
pub struct TypedPredictor<T: Float> {
    model: Arc<Typed<T>>,
    max_rows: usize,
    /// Made with the predictor, or for images with the first ones of a size.
    memory: Mutex<Option<PredictorMemory<T>>>,
}

struct PredictorMemory<T: Float> {
    image: Option<ImageShape>,
    plan: Arc<Plan<T>>,
    workspace: Workspace<T>,
    outputs: Vec<T>,
}

impl<T: Float> TypedPredictor<T> {
    pub fn new(model: Arc<Typed<T>>, max_rows: usize) -> Result<Self> {
        if max_rows == 0 {
            return Err(Error::Value("max_rows is 0, it must be at least 1".into()));
        }
        let images = model.plans.spec.takes_images();
        let memory =
            if images { None } else { Some(PredictorMemory::new(&model, None, max_rows)?) };
        Ok(Self { model, max_rows, memory: Mutex::new(memory) })
    }
}

impl<T: Float> PredictorMemory<T> {
    fn new(model: &Typed<T>, image: Option<ImageShape>, rows: usize) -> Result<Self> {
        let key = Key::exactly(Task::Forward, (rows, image), model.route());
        let plan = model.plans.plan(key)?;
        let outputs = memory::filled(T::ZERO, rows.saturating_mul(plan.outputs()))?;
        Ok(Self { image, workspace: plan.workspace(0)?, plan, outputs })
    }
}

impl<T: Float> Predict for TypedPredictor<T> {
    fn call<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = x.py();
        let view = View::rows("x", x, &self.model.plans.spec)?;
        let rows = view.source().rows();
        if rows == 0 || rows > self.max_rows {
            let most = self.max_rows;
            let message = format!("x has {rows} rows, the predictor takes 1 to {most}");
            return Err(Error::Shape(message).into());
        }
        let outputs = self.model.plans.spec.out_features();
        let shape = [rows, outputs];
        // One row or one image has a dimension less.
        let one = view.shape().len() == if view.image().is_some() { 3 } else { 1 };
        let shape = if one { &shape[1..] } else { &shape };
        let out = out.map(|out| Out::<T>::new(out, shape)).transpose()?;
        let threads = self.model.threads()?;
        let state = self.model.access.read(py)?;
        let batch = batch::<T>(&view, self.model.standards_for(&state, &view)?);
        let (mut shared, mut own) = (self.memory.try_lock().ok(), None);
        let place = match &mut shared {
            Some(memory) => &mut **memory,
            // Another thread is in a call of this predictor.
            None => &mut own,
        };
        let memory = match place {
            Some(memory) if memory.image == view.image() => memory,
            place => place.insert(PredictorMemory::new(&self.model, view.image(), self.max_rows)?),
        };
        let PredictorMemory { plan, workspace, outputs: values, .. } = memory;
        let values = &mut values[..rows * outputs];
        let work = || plan.forward(threads, &state, workspace, &batch, false, values);
        // A step is three products of the size of a forward pass.
        if plan.step_flops(rows) / 3.0 <= SMALL_FLOPS {
            caught(work)??;
        } else {
            compute(py, work)?;
        }
        match out {
            Some(out) => Ok(out.fill(values)),
            None => copied(py, values, shape),
        }
    }
}

/// `Model.predictor`: forward's output for at most `max_rows` rows, from the model's present
/// parameters, with buffers made beforehand.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct Predictor {
    predict: Box<dyn Predict>,
    max_rows: usize,
}

impl Predictor {
    pub fn new(predict: Box<dyn Predict>, max_rows: usize) -> Self {
        Self { predict, max_rows }
    }
}

#[pymethods]
impl Predictor {
    /// The most rows of one call.
    #[getter]
    fn max_rows(&self) -> PyResult<usize> {
        entry(|| Ok(self.max_rows))
    }

    /// The output (n, K) for rows or images x of a batch's shape, or (K,) for one of them.
    ///
    /// With `out`, a C-contiguous array of that shape and the model's dtype, it is written there
    /// and `out` is returned.
    #[pyo3(signature = (x, out=None))]
    fn __call__<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        entry(|| self.predict.call(x, out))
    }
}
