//! What models, runs and predictors of all element types have in common: what the classes of Python see
//! of them.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::access::Hold;
use super::array::View;
use super::data::Inputs;
use super::route::Route;
use super::samples::Samples;
use super::validation::Watching;
use crate::error::{Error, Result};
use crate::network::{LearningRate, Spec};
use crate::training::{Column, Columns, Found, Order};

/// Gradients in canonical order, and the one with respect to X if it was wanted.
pub type Gradients<'py> = (Bound<'py, PyList>, Option<Bound<'py, PyAny>>);

/// How a fit goes through its data, and what it is validated with.
pub struct Course {
    pub epochs: usize,
    /// `None` for all rows.
    pub batch_size: Option<usize>,
    pub order: Order,
    /// As [`TrainingRun::counted_by_rows`](crate::training::TrainingRun::counted_by_rows).
    pub by_rows: bool,
    pub check_finite: bool,
    pub validation: Option<Watching>,
}

/// A loss and a score under its name, and outputs (n, K).
pub struct Evaluation<'py> {
    pub loss: f64,
    pub score: (&'static str, f64),
    pub outputs: Bound<'py, PyAny>,
}

/// A model whose element type its caller does not know.
///
/// All methods but those of plain data wait for their turn (see [`super::access`]) and compute without the
/// GIL. An error leaves the model as it was.
pub trait Network: Send + Sync {
    fn spec(&self) -> &Spec;
    fn n_threads(&self) -> Option<usize>;
    fn counters(&self, py: Python<'_>) -> PyResult<Counters>;
    fn set_rate(&self, py: Python<'_>, rate: f64) -> PyResult<()>;
    fn follow(&self, py: Python<'_>, rate: &LearningRate, keep_factor: bool) -> PyResult<()>;
    fn tabulate(&self, py: Python<'_>, first: u64, rates: Vec<f64>) -> PyResult<()>;
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>>;
    /// Those that are not finite are refused, if that is asked for.
    fn set_parameters(
        &self,
        py: Python<'_>,
        parameters: &[View],
        check_finite: bool,
    ) -> PyResult<()>;
    fn optimizer_state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>>;
    /// As `set_parameters`, of moments.
    fn set_optimizer_state(
        &self,
        py: Python<'_>,
        state: &Bound<'_, PyDict>,
        check_finite: bool,
    ) -> PyResult<()>;
    fn reset(&self, py: Python<'_>, seed: u64) -> PyResult<()>;
    fn reset_optimizer(&self, py: Python<'_>) -> PyResult<()>;
    /// Weights (in, out), then biases (out,), where they differ.
    fn assign(&self, py: Python<'_>, arrays: [&[View]; 2]) -> PyResult<()>;
    fn read(&self, py: Python<'_>, arrays: [&[Bound<'_, PyAny>]; 2]) -> PyResult<()>;
    /// A copy of the parameters; what the others take must be one of a model of this kind.
    fn snapshot(&self, py: Python<'_>) -> PyResult<Box<dyn Any + Send>>;
    fn take_snapshot(&self, py: Python<'_>, to: &mut (dyn Any + Send)) -> PyResult<()>;
    fn restore(&self, py: Python<'_>, from: &(dyn Any + Send)) -> PyResult<()>;
    /// The loss of all rows as a function of the parameters.
    fn objective(self: Arc<Self>, py: Python<'_>, inputs: Inputs) -> PyResult<Box<dyn Evaluate>>;
    fn copy(&self, py: Python<'_>) -> PyResult<Arc<dyn Network>>;
    fn set_route(&self, route: Route);

    /// Learns what data are standardized by; from these rows of X and y alone, if there are some.
    fn adapt(
        &self,
        py: Python<'_>,
        x: &Samples,
        y: Option<&View>,
        rows: Option<&View>,
    ) -> PyResult<()>;
    /// How much the scales of columns of X differ, and the largest magnitude in y, of some rows.
    fn look(&self, py: Python<'_>, x: Option<&Samples>, y: Option<&View>) -> PyResult<(f64, f64)>;
    fn standards<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>>;
    fn set_standards(&self, py: Python<'_>, standards: Option<&Bound<'_, PyDict>>) -> PyResult<()>;

    fn forward<'py>(
        &self,
        py: Python<'py>,
        x: &Samples,
        training: bool,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>>;
    fn evaluate<'py>(&self, py: Python<'py>, inputs: &Inputs) -> PyResult<Evaluation<'py>>;
    fn loss_and_grad<'py>(
        &self,
        py: Python<'py>,
        inputs: &Inputs,
        training: bool,
        input_grad: bool,
    ) -> PyResult<(f64, Gradients<'py>)>;
    fn backward<'py>(
        &self,
        py: Python<'py>,
        x: &Samples,
        grad_output: &View,
        training: bool,
        input_grad: bool,
    ) -> PyResult<Gradients<'py>>;
    /// Keeps the model as it is for as long as the guard lives: its thread may read it and not change it.
    fn held<'a>(&'a self, py: Python<'_>) -> PyResult<Box<dyn Hold + 'a>>;
    /// As `loss_and_grad`, with the caller's loss; two flags, as there. Weights of rows are those that its
    /// penalty depends on.
    fn loss_and_grad_with<'py>(
        &self,
        py: Python<'py>,
        inputs: &Inputs,
        flags: (bool, bool),
        function: &mut Call<'_, 'py>,
    ) -> PyResult<(f64, Gradients<'py>)>;
    fn apply_gradients(&self, py: Python<'_>, gradients: &[View]) -> PyResult<()>;
    fn train_on_batch(&self, py: Python<'_>, inputs: &Inputs) -> PyResult<f64>;
    fn trace<'py>(&self, py: Python<'py>, inputs: &Inputs) -> PyResult<Bound<'py, PyDict>>;
    fn fit(
        self: Arc<Self>,
        py: Python<'_>,
        inputs: Inputs,
        course: Course,
    ) -> PyResult<Box<dyn Training>>;
    /// A run over batches that come one by one: about how many epochs, the batches that end one, and for
    /// displays those that one has, 0 if nobody knows.
    fn stream(
        self: Arc<Self>,
        py: Python<'_>,
        count: (usize, Option<usize>, usize),
        check_finite: bool,
        validation: Option<Watching>,
    ) -> PyResult<Box<dyn Training>>;
    fn predictor(
        self: Arc<Self>,
        max_rows: usize,
        convert: Py<PyAny>,
    ) -> PyResult<Box<dyn Predict>>;
}

/// What training counts, and what it starts from.
pub struct Counters {
    pub seed: u64,
    pub epoch: u64,
    pub steps: u64,
    pub next_rate: Option<f64>,
    pub last_rate: f64,
    pub rate_factor: Option<f64>,
}

/// A run whose element type its caller does not know.
pub trait Training: Send + Sync {
    fn spec(&self) -> &Spec;
    fn progress(&self) -> Progress<'_>;
    /// Whether an epoch has just ended, if it was to stop there.
    fn advance(&mut self, py: Python<'_>, deadline: Instant, stop_at_epoch: bool)
    -> PyResult<bool>;
    /// One batch; its mean loss. `None` where an epoch has ended.
    fn step(&mut self, py: Python<'_>) -> PyResult<Option<f64>>;
    /// The same, with the caller's loss.
    fn step_with<'py>(
        &mut self,
        py: Python<'py>,
        function: &mut Call<'_, 'py>,
    ) -> PyResult<Option<f64>>;
    /// Refuses parameters and moments that are not finite.
    fn look(&mut self, py: Python<'_>) -> PyResult<()>;
    /// Takes the next batch of a stream.
    fn take(&mut self, inputs: Inputs) -> PyResult<()>;
    /// Takes the order of the epochs from the next on.
    fn give_order(&mut self, places: &[i64]) -> Result<()> {
        let _ = places;
        Err(Error::Type("a stream has the order of its batches".into()))
    }
    /// Ends an epoch of a stream.
    fn end_epoch(&mut self, py: Python<'_>) -> PyResult<()>;
    /// The outputs (n, K) of the rows that validated, at the last epoch that was due.
    fn validation_outputs<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>>;
    /// Gives the model back, and what training and validation have found.
    fn close(self: Box<Self>) -> (Found, Columns);
}

/// A loss of the caller's: from outputs and which rows of X they are of, to the loss and its gradient.
pub type Call<'a, 'py> =
    dyn FnMut(Bound<'py, PyAny>, Bound<'py, PyAny>) -> PyResult<(f64, Bound<'py, PyAny>)> + 'a;

/// How far a run is.
pub struct Progress<'a> {
    pub epochs: usize,
    pub losses: &'a [f64],
    /// Penalties on weights, if the model has one.
    pub penalties: Option<&'a [f64]>,
    /// That of the last batch.
    pub penalty: Option<f64>,
    /// What validation has found.
    pub validation: &'a [Option<Column>],
    pub batches_done: usize,
    pub batches: usize,
}

/// A loss as a function of the parameters, whose element type its caller does not know.
pub trait Evaluate: Send + Sync {
    /// The loss with its penalty; the gradient goes into an array. Both lists are packed.
    fn call(
        &mut self,
        py: Python<'_>,
        parameters: &View,
        gradient: &Bound<'_, PyAny>,
    ) -> PyResult<f64>;
}

/// A predictor whose element type its caller does not know.
pub trait Predict: Send + Sync {
    fn call<'py>(
        &self,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>>;
}
