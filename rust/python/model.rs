//! The methods of `Model`: from Python's arguments to a [`Network`](super::network::Network).

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::array::View;
use super::entry::{entry, entry_calling};
use super::handle::{Model, views};
use super::legacy_shuffle;
use super::network::{Course, Evaluation, Gradients};
use super::own_loss::called;
use super::predictor::Predictor;
use super::rates::Rates;
use super::route::Route;
use super::run::Run;
use super::shared::Typed;
use super::snapshot::Snapshot;
use super::spec;
use super::validation::{Given, Watching};
use crate::error::Error;
use crate::runtime::threads;

#[pymethods]
#[allow(non_snake_case, reason = "X is the field's name for the design matrix")]
impl Model {
    #[new]
    #[pyo3(signature = (layers, loss, optimizer, *, dtype, seed, n_threads, scale, channels_last, standardize, standardize_y))]
    #[allow(clippy::too_many_arguments, reason = "the keywords of a model")]
    fn new(
        py: Python<'_>,
        layers: Vec<Bound<'_, PyAny>>,
        loss: Option<Bound<'_, PyAny>>,
        optimizer: &Bound<'_, PyAny>,
        dtype: &str,
        seed: u64,
        n_threads: Option<usize>,
        scale: Option<f64>,
        channels_last: bool,
        standardize: bool,
        standardize_y: bool,
    ) -> PyResult<Self> {
        entry(|| {
            let n_threads = n_threads.map(|n| threads::checked("n_threads", n)).transpose()?;
            let input = spec::input(scale, channels_last, (standardize, standardize_y))?;
            let (spec, rate) = spec::model(&layers, loss.as_ref(), optimizer, input)?;
            Ok(Self(match dtype {
                "float32" => Arc::new(Typed::<f32>::new(py, spec, &rate, seed, n_threads)?),
                "float64" => Arc::new(Typed::<f64>::new(py, spec, &rate, seed, n_threads)?),
                other => {
                    let message = format!("dtype is {other:?}, known are float32, float64");
                    return Err(Error::Value(message).into());
                }
            }))
        })
    }

    /// Columns of X; None of a network that takes images.
    #[getter]
    fn in_features(&self) -> PyResult<Option<usize>> {
        entry(|| {
            let spec = self.0.spec();
            Ok((!spec.takes_images()).then(|| spec.in_features()))
        })
    }

    /// Outputs of the last layer, K.
    #[getter]
    fn out_features(&self) -> PyResult<usize> {
        entry(|| Ok(self.0.spec().out_features()))
    }

    /// Weights and biases, trainable or not.
    #[getter]
    fn n_parameters(&self) -> PyResult<u64> {
        entry(|| Ok(self.0.spec().parameter_count()?))
    }

    /// The argument of this name.
    #[getter]
    fn n_threads(&self) -> PyResult<Option<usize>> {
        entry(|| Ok(self.0.n_threads()))
    }

    /// The seed of the initial parameters, batches and dropout masks.
    #[getter]
    fn seed(&self, py: Python<'_>) -> PyResult<u64> {
        entry(|| Ok(self.0.counters(py)?.seed))
    }

    /// Finished epochs since the model was made or reset.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        entry(|| Ok(self.0.counters(py)?.epoch))
    }

    /// Applied updates since the model was made or reset.
    #[getter]
    fn steps(&self, py: Python<'_>) -> PyResult<u64> {
        entry(|| Ok(self.0.counters(py)?.steps))
    }

    /// The learning rates.
    #[getter]
    fn rates(&self) -> PyResult<Rates> {
        entry(|| Ok(Rates::of(&self.0)))
    }

    /// Copies of all parameters, then of all running statistics.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        entry(|| self.0.parameters(py))
    }

    /// Replace all of these; shapes and, with `check_finite`, values are checked first.
    #[pyo3(signature = (parameters, check_finite=true))]
    fn set_parameters(
        &self,
        py: Python<'_>,
        parameters: Vec<Bound<'_, PyAny>>,
        check_finite: bool,
    ) -> PyResult<()> {
        entry(|| self.0.set_parameters(py, &views("state_dict", &parameters)?, check_finite))
    }

    /// What, with `parameters`, lets training continue with the same bits: the counters `epoch`
    /// and `steps`, the `learning_rate`, with a schedule its `factor`, and the optimizer's `scalars` and
    /// `moments`, as copies.
    fn optimizer_state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        entry(|| self.0.optimizer_state(py))
    }

    /// Take over what `optimizer_state` returned; checked as `set_parameters` does before anything is
    /// written.
    #[pyo3(signature = (state, check_finite=true))]
    fn set_optimizer_state(
        &self,
        py: Python<'_>,
        state: &Bound<'_, PyDict>,
        check_finite: bool,
    ) -> PyResult<()> {
        entry(|| self.0.set_optimizer_state(py, state, check_finite))
    }

    /// Fresh parameters from `seed`, no optimizer state, counters 0, the first learning rate.
    fn reset(&self, py: Python<'_>, seed: u64) -> PyResult<()> {
        entry(|| self.0.reset(py, seed))
    }

    /// The optimizer as it was at first, with the parameters as they are.
    fn reset_optimizer(&self, py: Python<'_>) -> PyResult<()> {
        entry(|| self.0.reset_optimizer(py))
    }

    /// Take over weights (in, out) and biases (out,) of all layers, in any float dtype, if they differ from
    /// the model's.
    fn assign(
        &self,
        py: Python<'_>,
        coefs: Vec<Bound<'_, PyAny>>,
        intercepts: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        entry(|| self.0.assign(py, [&views("coefs", &coefs)?, &views("intercepts", &intercepts)?]))
    }

    /// Write the parameters into arrays of these shapes, of the model's dtype.
    fn read(
        &self,
        py: Python<'_>,
        coefs: Vec<Bound<'_, PyAny>>,
        intercepts: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        entry(|| self.0.read(py, [&coefs, &intercepts]))
    }

    /// A copy of the parameters.
    fn snapshot(&self, py: Python<'_>) -> PyResult<Snapshot> {
        entry(|| Snapshot::new(py, &*self.0))
    }

    /// Take the parameters of a snapshot of this model, or of one of its kind.
    fn restore(&self, py: Python<'_>, snapshot: &Snapshot) -> PyResult<()> {
        entry(|| snapshot.restore(py, &*self.0))
    }

    /// An independent model in the same state.
    fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        entry(|| self.0.copy(py).map(Self))
    }

    /// The last layer's output (n, K); into `out` if given (C-contiguous, the model's dtype).
    #[pyo3(signature = (X, training, out))]
    fn forward<'py>(
        &self,
        py: Python<'py>,
        X: &Bound<'py, PyAny>,
        training: bool,
        out: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        entry(|| self.0.forward(py, &self.samples(X)?, training, out))
    }

    /// Learn the mean and standard deviation by which X and y are standardized; of these `rows` alone,
    /// if there are some.
    #[pyo3(signature = (X, y, rows))]
    fn adapt(
        &self,
        py: Python<'_>,
        X: &Bound<'_, PyAny>,
        y: Option<&Bound<'_, PyAny>>,
        rows: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        entry(|| {
            let y = y.map(|y| View::matrix("y", y)).transpose()?;
            let rows = rows.map(|rows| View::matrix("rows", rows)).transpose()?;
            self.0.adapt(py, &self.samples(X)?, y.as_ref(), rows.as_ref())
        })
    }

    /// How many times as wide as the narrowest column of X the widest is, and the largest magnitude in y,
    /// of up to 1,000 rows of what is given.
    #[pyo3(signature = (X, y))]
    fn look(
        &self,
        py: Python<'_>,
        X: Option<&Bound<'_, PyAny>>,
        y: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(f64, f64)> {
        entry(|| {
            let x = X.map(|x| self.samples(x)).transpose()?;
            let y = y.map(|y| View::matrix("y", y)).transpose()?;
            self.0.look(py, x.as_ref(), y.as_ref())
        })
    }

    /// What data are standardized by: mean and standard deviation of "X" and "y", a pair of float64
    /// arrays each, of those that are; None before they are known.
    fn standards<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        entry(|| self.0.standards(py))
    }

    /// Take over what `standards` returned.
    fn set_standards(&self, py: Python<'_>, standards: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        entry(|| self.0.set_standards(py, standards))
    }

    /// The mean "loss", whatever the loss's reduction, without dropout, and "accuracy" or "r2", NaN where
    /// outputs say nothing; and the outputs (n, K).
    #[pyo3(signature = (X, targets, sample_weight))]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        X: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        sample_weight: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyAny>)> {
        entry(|| {
            let inputs = self.labelled(X, targets, sample_weight)?;
            let Evaluation { loss, score: (name, score), outputs } =
                self.0.evaluate(py, &inputs)?;
            let found = PyDict::new(py);
            found.set_item("loss", loss)?;
            found.set_item(name, score)?;
            Ok((found, outputs))
        })
    }

    /// The reduced loss and the penalty, their gradients, and with `input_grad` the gradient by X.
    #[pyo3(signature = (X, targets, sample_weight, training, input_grad))]
    fn loss_and_grad<'py>(
        &self,
        py: Python<'py>,
        X: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        sample_weight: Option<&Bound<'py, PyAny>>,
        training: bool,
        input_grad: bool,
    ) -> PyResult<(f64, Bound<'py, PyList>, Option<Bound<'py, PyAny>>)> {
        entry(|| {
            let inputs = self.labelled(X, targets, sample_weight)?;
            let (loss, (gradients, by_input)) =
                self.0.loss_and_grad(py, &inputs, training, input_grad)?;
            Ok((loss, gradients, by_input))
        })
    }

    /// As `loss_and_grad`, with a loss in Python, as in `Run.step_with`.
    #[pyo3(signature = (X, sample_weight, function, training, input_grad))]
    fn loss_and_grad_with<'py>(
        &self,
        py: Python<'py>,
        X: &Bound<'py, PyAny>,
        sample_weight: Option<&Bound<'py, PyAny>>,
        function: &Bound<'py, PyAny>,
        training: bool,
        input_grad: bool,
    ) -> PyResult<(f64, Bound<'py, PyList>, Option<Bound<'py, PyAny>>)> {
        entry_calling(|environment| {
            let (inputs, flags) = (self.inputs(X, None, sample_weight)?, (training, input_grad));
            let mut call = |outputs, rows| called(environment, function, outputs, rows);
            let (loss, found) = self.0.loss_and_grad_with(py, &inputs, flags, &mut call)?;
            Ok((loss, found.0, found.1))
        })
    }

    /// What a function of the caller's returns for these arguments; while it runs, it may read the model and
    /// not change it.
    #[pyo3(signature = (function, *arguments))]
    fn call_reading<'py>(
        &self,
        py: Python<'py>,
        function: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        entry_calling(|environment| {
            let _held = self.0.held(py)?;
            environment.outside(|| function.call1(arguments))
        })
    }

    /// The gradients of sum(output * grad_output), and with `input_grad` the one by X.
    fn backward<'py>(
        &self,
        py: Python<'py>,
        X: &Bound<'py, PyAny>,
        grad_output: &Bound<'py, PyAny>,
        training: bool,
        input_grad: bool,
    ) -> PyResult<Gradients<'py>> {
        entry(|| {
            let grad_output = View::matrix("grad_output", grad_output)?;
            self.0.backward(py, &self.samples(X)?, &grad_output, training, input_grad)
        })
    }

    /// One update of the optimizer.
    fn apply_gradients(&self, py: Python<'_>, gradients: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        entry(|| self.0.apply_gradients(py, &views("grads", &gradients)?))
    }

    /// One step; the reduced loss before the update.
    #[pyo3(signature = (X, targets, sample_weight))]
    fn train_on_batch(
        &self,
        py: Python<'_>,
        X: &Bound<'_, PyAny>,
        targets: &Bound<'_, PyAny>,
        sample_weight: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<f64> {
        entry(|| self.0.train_on_batch(py, &self.labelled(X, targets, sample_weight)?))
    }

    /// Every tensor of one step, which is not applied, in the order of computation: "0.output",
    /// ..., "loss", then from the last layer "k.grad_output" (the gradient by layer k's output)
    /// and a Linear's "k.weight.grad" and "k.bias.grad".
    #[pyo3(signature = (X, targets, sample_weight))]
    fn trace<'py>(
        &self,
        py: Python<'py>,
        X: &Bound<'py, PyAny>,
        targets: &Bound<'py, PyAny>,
        sample_weight: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        entry(|| self.0.trace(py, &self.labelled(X, targets, sample_weight)?))
    }

    /// Begin a run of `epochs` epochs; `batch_size` None trains all rows in one batch, in their
    /// order. `validation` is (rows, every, score): what validates after each epoch that is a multiple of
    /// `every`, with `score` also by accuracy or r2. The rows are an X, targets and sample_weight of
    /// their own, or the second of two lists of rows, the first of which are then trained on. `order` says
    /// where shuffled orders come from: the model's seed, a `LegacyShuffle`, or "given", by `Run.set_order`.
    /// `epoch_loss` says what an epoch's loss is: the mean of its batches by their "weights", or by "rows"
    /// and with the penalty.
    #[pyo3(signature = (X, targets, sample_weight, epochs, batch_size, shuffle, check_finite, validation=None, *, order=None, epoch_loss="weights"))]
    #[allow(clippy::too_many_arguments, reason = "the arguments of Python's fit")]
    fn fit(
        &self,
        py: Python<'_>,
        X: &Bound<'_, PyAny>,
        targets: Option<&Bound<'_, PyAny>>,
        sample_weight: Option<&Bound<'_, PyAny>>,
        epochs: usize,
        batch_size: Option<usize>,
        shuffle: bool,
        check_finite: bool,
        validation: Option<Given<'_>>,
        order: Option<&Bound<'_, PyAny>>,
        epoch_loss: &str,
    ) -> PyResult<Run> {
        entry(|| {
            let inputs = self.inputs(X, targets, sample_weight)?;
            let validation = Watching::new(self.0.spec(), validation)?;
            let (order, by_rows) = (legacy_shuffle::order(shuffle, order)?, epoch_loss == "rows");
            if !by_rows && epoch_loss != "weights" {
                let message = format!("epoch_loss is {epoch_loss:?}, known are weights, rows");
                return Err(Error::Value(message).into());
            }
            let course = Course { epochs, batch_size, order, by_rows, check_finite, validation };
            Ok(Run::new(Arc::clone(&self.0).fit(py, inputs, course)?))
        })
    }

    /// Begin a run over batches that come one by one by `Run.take`: of `epochs` epochs, each of `steps`
    /// batches, or until `Run.end_epoch`. `batches` says how many these are, 0 if nobody knows.
    /// `validation` is as in `fit`, with rows of its own.
    #[pyo3(signature = (epochs, steps, batches, check_finite, validation=None))]
    fn stream(
        &self,
        py: Python<'_>,
        epochs: usize,
        steps: Option<usize>,
        batches: usize,
        check_finite: bool,
        validation: Option<Given<'_>>,
    ) -> PyResult<Run> {
        entry(|| {
            let model = Arc::clone(&self.0);
            let validation = Watching::new(model.spec(), validation)?;
            let count = (epochs, steps, batches);
            Ok(Run::new(model.stream(py, count, check_finite, validation)?))
        })
    }

    /// A callable with buffers for at most `max_rows` rows; `convert` reads what the core does not.
    fn predictor(&self, max_rows: usize, convert: Py<PyAny>) -> PyResult<Predictor> {
        entry(|| Ok(Predictor::new(Arc::clone(&self.0).predictor(max_rows, convert)?, max_rows)))
    }

    /// For tests: force the "general" plan, "unfused" updates, layers shared by "columns" or "slabs:N"
    /// rows; "auto" ends it.
    #[pyo3(name = "_set_route")]
    fn set_route(&self, route: &str) -> PyResult<()> {
        entry(|| {
            self.0.set_route(Route::named(route)?);
            Ok(())
        })
    }
}
