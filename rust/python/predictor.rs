//! `Predictor`: the fastest way to few rows.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;

use super::array::{Float, Out, View, copied};
use super::data::{compute, guarded, zeros};
use super::plans::Key;
use super::typed::{Typed, batch};
use crate::error::{Error, Result};
use crate::network::{Plan, Purpose, Workspace};

/// A call of so many floating-point operations or fewer, about 20 us, keeps the GIL: letting go of
/// it takes 0.1 us, but to have it back may take the 5 ms that other threads keep it.
const SMALL_FLOPS: f64 = 500_000.0;

/// A predictor whose element type its caller does not know.
pub trait Predict: Send + Sync {
    fn call<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>>;
}

/// A predictor.
pub struct TypedPredictor<T: Float> {
    model: Arc<Typed<T>>,
    plan: Arc<Plan<T>>,
    max_rows: usize,
    memory: Mutex<Memory<T>>,
}

struct Memory<T: Float> {
    workspace: Workspace<T>,
    outputs: Vec<T>,
}

impl<T: Float> TypedPredictor<T> {
    pub fn new(model: Arc<Typed<T>>, max_rows: usize) -> Result<Self> {
        if max_rows == 0 {
            return Err(Error::Value("max_rows is 0, it must be at least 1".into()));
        }
        let plan = model.plans.plan(Key::exactly(Purpose::Forward, max_rows, model.route()));
        let memory = Mutex::new(Memory::new(&plan, max_rows)?);
        Ok(Self { model, plan, max_rows, memory })
    }
}

impl<T: Float> Memory<T> {
    fn new(plan: &Plan<T>, rows: usize) -> Result<Self> {
        let outputs = zeros(rows.saturating_mul(plan.outputs()))?;
        Ok(Self { workspace: plan.workspace(0)?, outputs })
    }
}

impl<T: Float> Predict for TypedPredictor<T> {
    fn call<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = x.py();
        let view = View::rows("x", x, self.model.plans.spec.in_features())?;
        let batch = batch::<T>(&view);
        if batch.rows == 0 || batch.rows > self.max_rows {
            let (rows, most) = (batch.rows, self.max_rows);
            let message = format!("x has {rows} rows, the predictor takes 1 to {most}");
            return Err(Error::Shape(message).into());
        }
        let shape = [batch.rows, self.plan.outputs()];
        let shape = if view.shape().len() == 1 { &shape[1..] } else { &shape };
        let out = out.map(|out| Out::<T>::new(out, shape)).transpose()?;
        let threads = self.model.threads()?;
        let state = self.model.access.read(py)?;
        let (mut shared, mut own) = (self.memory.try_lock().ok(), None);
        let memory = match &mut shared {
            Some(memory) => &mut **memory,
            // Another thread is in a call of this predictor.
            None => own.insert(Memory::new(&self.plan, batch.rows)?),
        };
        let values = &mut memory.outputs[..batch.rows * self.plan.outputs()];
        let workspace = &mut memory.workspace;
        let work = || self.plan.forward(threads, &state, workspace, &batch, false, values);
        // A step is three products of the size of a forward pass.
        if self.plan.step_flops(batch.rows) / 3.0 <= SMALL_FLOPS {
            guarded(work)?;
        } else {
            compute(py, work)?;
        }
        match out {
            Some(out) => Ok(out.fill(values)),
            None => Ok(copied(py, values, shape)?),
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
    fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// The output (n, K) for x (n, in_features), or (K,) for x (in_features,).
    ///
    /// With `out`, a C-contiguous array of that shape and the model's dtype, it is written there
    /// and `out` is returned.
    #[pyo3(signature = (x, out=None))]
    fn __call__<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.predict.call(x, out)
    }
}
