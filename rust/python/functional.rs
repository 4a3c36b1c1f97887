//! Functions of arrays.

use pyo3::prelude::*;

use super::array::{Float, View};
use super::entry::{compute, entry};
use super::output::array;
use super::tuning::PIECE;
use crate::error::{Error, Result};
use crate::kernels::activation::{SigmoidBackwardElements, SigmoidElements};
use crate::kernels::elementwise::ExpElements;
use crate::kernels::gather::{DType, to_i64, to_vec};
use crate::kernels::gemm;
use crate::kernels::loss::Loss;
use crate::kernels::loss::functional::{
    ArrayReduction, Binary, BinaryCrossEntropy, Results, SoftmaxCrossEntropy, SoftmaxElements,
    SoftmaxTargets,
};
use crate::runtime::{memory, watch};
use crate::simd::Isa;

type Any<'py> = Bound<'py, PyAny>;

/// The two element types that are computed in.
enum Precision {
    Single,
    Double,
}

fn precision(name: &str, view: &View) -> Result<Precision> {
    match view.elements().dtype() {
        DType::F32 => Ok(Precision::Single),
        DType::F64 => Ok(Precision::Double),
        other => Err(Error::Type(format!("{name} has dtype {other:?}, it must be F32 or F64"))),
    }
}

/// a (m, k) times b (k, n), both float32 or both float64.
#[pyfunction]
pub fn matmul<'py>(py: Python<'py>, a: &Any<'py>, b: &Any<'py>) -> PyResult<Any<'py>> {
    entry(|| {
        let (a, b) = (View::matrix("a", a)?, View::matrix("b", b)?);
        match precision("a", &a)? {
            Precision::Single => product::<f32>(py, &a, &b),
            Precision::Double => product::<f64>(py, &a, &b),
        }
    })
}

fn product<'py, T: Float>(py: Python<'py>, a: &View, b: &View) -> PyResult<Any<'py>> {
    let (&[m, k], &[rows, n]) = (a.shape(), b.shape()) else {
        return Err(Error::Shape("a and b must have 2 dimensions".into()).into());
    };
    if k != rows {
        return Err(Error::Shape(format!("a has {k} columns, b has {rows} rows")).into());
    }
    let product = compute(py, || {
        let (a, b) = (to_vec::<T>(&a.elements())?, to_vec::<T>(&b.elements())?);
        let mut product = memory::filled(T::ZERO, m.saturating_mul(n))?;
        gemm::matmul(Isa::chosen()?, (m, k, n), &a, &b, &mut product)?;
        Ok(product)
    })?;
    array(py, product, &[m, n])
}

/// 1 / (1 + exp(-x)) of a float32 or float64 array of any shape.
#[pyfunction]
pub fn sigmoid<'py>(py: Python<'py>, x: &Any<'py>) -> PyResult<Any<'py>> {
    entry(|| {
        let x = View::flat("x", x)?;
        match precision("x", &x)? {
            Precision::Single => each_of::<f32>(py, &x, sigmoids),
            Precision::Double => each_of::<f64>(py, &x, sigmoids),
        }
    })
}

/// e^x of a float32 or float64 array of any shape.
#[pyfunction]
pub fn exp<'py>(py: Python<'py>, x: &Any<'py>) -> PyResult<Any<'py>> {
    entry(|| {
        let x = View::flat("x", x)?;
        match precision("x", &x)? {
            Precision::Single => each_of::<f32>(py, &x, powers),
            Precision::Double => each_of::<f64>(py, &x, powers),
        }
    })
}

fn sigmoids<T: Float>(isa: Isa, input: &[T], output: &mut [T]) {
    isa.run(SigmoidElements { input, output });
}

fn powers<T: Float>(isa: Isa, input: &[T], output: &mut [T]) {
    isa.run(ExpElements { input, output });
}

/// A function of each element.
fn each_of<'py, T: Float>(
    py: Python<'py>,
    x: &View,
    function: fn(Isa, &[T], &mut [T]),
) -> PyResult<Any<'py>> {
    let output = compute(py, || {
        let input = to_vec::<T>(&x.elements())?;
        let mut output = memory::filled(T::ZERO, input.len())?;
        let isa = Isa::chosen()?;
        watch::pieces(input.len(), PIECE, |piece| {
            function(isa, &input[piece.clone()], &mut output[piece]);
            Ok(())
        })?;
        Ok(output)
    })?;
    array(py, output, x.shape())
}

/// exp(x) / sum(exp(x)) of each row of a 2-D float32 or float64 array.
#[pyfunction]
pub fn softmax<'py>(py: Python<'py>, x: &Any<'py>) -> PyResult<Any<'py>> {
    entry(|| {
        let x = View::matrix("x", x)?;
        match precision("x", &x)? {
            Precision::Single => softmax_of::<f32>(py, &x),
            Precision::Double => softmax_of::<f64>(py, &x),
        }
    })
}

fn softmax_of<'py, T: Float>(py: Python<'py>, x: &View) -> PyResult<Any<'py>> {
    let classes = columns("x", x)?;
    let probabilities = compute(py, || {
        let logits = to_vec::<T>(&x.elements())?;
        let mut probabilities = memory::filled(T::ZERO, logits.len())?;
        let isa = Isa::chosen()?;
        let rows = (PIECE / classes).max(1);
        watch::pieces(logits.len(), rows.saturating_mul(classes), |piece| {
            let (logits, probabilities) = (&logits[piece.clone()], &mut probabilities[piece]);
            isa.run(SoftmaxElements { logits, classes, probabilities });
            Ok(())
        })?;
        Ok(probabilities)
    })?;
    array(py, probabilities, x.shape())
}

/// grad_output * output * (1 - output), two arrays of one shape and dtype.
#[pyfunction]
pub fn sigmoid_backward<'py>(
    py: Python<'py>,
    output: &Any<'py>,
    grad_output: &Any<'py>,
) -> PyResult<Any<'py>> {
    entry(|| {
        let (y, gradient) =
            (View::flat("output", output)?, View::flat("grad_output", grad_output)?);
        gradient.check_shape("grad_output", y.shape())?;
        match precision("output", &y)? {
            Precision::Single => sigmoid_backward_of::<f32>(py, &y, &gradient),
            Precision::Double => sigmoid_backward_of::<f64>(py, &y, &gradient),
        }
    })
}

fn sigmoid_backward_of<'py, T: Float>(py: Python<'py>, y: &View, dy: &View) -> PyResult<Any<'py>> {
    let grad = compute(py, || {
        let (output, grad_output) = (to_vec::<T>(&y.elements())?, to_vec::<T>(&dy.elements())?);
        let mut grad = memory::filled(T::ZERO, output.len())?;
        let isa = Isa::chosen()?;
        watch::pieces(output.len(), PIECE, |piece| {
            let (output, grad_output) = (&output[piece.clone()], &grad_output[piece.clone()]);
            isa.run(SigmoidBackwardElements { output, grad_output, grad: &mut grad[piece] });
            Ok(())
        })?;
        Ok(grad)
    })?;
    array(py, grad, y.shape())
}

/// Value, gradient or both of the binary cross-entropy of probabilities.
///
/// All arrays have one shape, and but for `weight` one dtype. The value is a float, or with reduction "none" an array;
/// the gradient an array; "both" a tuple of the two. The other losses return the same.
#[pyfunction]
#[pyo3(signature = (probabilities, targets, weight, reduction, want))]
pub fn binary_cross_entropy<'py>(
    py: Python<'py>,
    probabilities: &Any<'py>,
    targets: &Any<'py>,
    weight: Option<&Any<'py>>,
    reduction: &str,
    want: &str,
) -> PyResult<Any<'py>> {
    entry(|| {
        let request = Request::new(reduction, want)?;
        let p = View::flat("probabilities", probabilities)?;
        let others = [Some(("targets", targets)), weight.map(|array| ("weight", array)), None];
        binary(py, Binary::Probabilities, &p, others, request)
    })
}

/// As `binary_cross_entropy`, of logits; `pos_weight` has the shape of the logits too.
#[pyfunction]
#[pyo3(signature = (logits, targets, weight, pos_weight, reduction, want))]
pub fn sigmoid_cross_entropy_with_logits<'py>(
    py: Python<'py>,
    logits: &Any<'py>,
    targets: &Any<'py>,
    weight: Option<&Any<'py>>,
    pos_weight: Option<&Any<'py>>,
    reduction: &str,
    want: &str,
) -> PyResult<Any<'py>> {
    entry(|| {
        let request = Request::new(reduction, want)?;
        let x = View::flat("logits", logits)?;
        let others = [
            Some(("targets", targets)),
            weight.map(|array| ("weight", array)),
            pos_weight.map(|array| ("pos_weight", array)),
        ];
        binary(py, Binary::Logits, &x, others, request)
    })
}

/// `others` are targets, weight and pos_weight.
fn binary<'py>(
    py: Python<'py>,
    of: Binary,
    outputs: &View,
    others: [Option<(&str, &Any<'py>)>; 3],
    request: Request,
) -> PyResult<Any<'py>> {
    let view = |other: Option<(&str, &Any<'py>)>| {
        let Some((name, array)) = other else { return Ok(None) };
        let view = View::flat(name, array)?;
        view.check_shape(name, outputs.shape())?;
        PyResult::Ok(Some(view))
    };
    let [targets, weight, pos_weight] = others;
    let others = [view(targets)?, view(weight)?, view(pos_weight)?];
    match precision("logits", outputs)? {
        Precision::Single => binary_of::<f32>(py, of, outputs, &others, request),
        Precision::Double => binary_of::<f64>(py, of, outputs, &others, request),
    }
}

fn binary_of<'py, T: Float>(
    py: Python<'py>,
    of: Binary,
    outputs: &View,
    others: &[Option<View>; 3],
    request: Request,
) -> PyResult<Any<'py>> {
    let answer = compute(py, || {
        let values = |view: &View| to_vec::<T>(&view.elements());
        let [targets, weight, pos_weight] = others;
        let weight = weight.as_ref().map(|view| to_vec::<f64>(&view.elements())).transpose()?;
        let pos_weight = pos_weight.as_ref().map(values).transpose()?;
        let targets = targets.as_ref().map(values).transpose()?.unwrap_or_default();
        let outputs_of = values(outputs)?;
        let mut answer = Answer::new(request, outputs_of.len(), outputs_of.len())?;
        Isa::chosen()?.run(BinaryCrossEntropy {
            of,
            outputs: &outputs_of,
            targets: &targets,
            weight: weight.as_deref(),
            pos_weight: pos_weight.as_deref(),
            rows: outputs.shape().first().copied().unwrap_or(1),
            reduction: request.reduction,
            results: answer.results(),
        });
        Ok(answer)
    })?;
    answer.give(py, request, outputs.shape(), outputs.shape())
}

/// Softmax cross-entropy of logits (n, K): class indices (n,) or probabilities (n, K) as
/// targets, one weight for each class (K,). The unreduced value has shape (n,).
#[pyfunction]
#[pyo3(signature = (logits, targets, weight, label_smoothing, ignore_index, reduction, want))]
#[allow(clippy::too_many_arguments, reason = "the arguments of functional's function")]
pub fn softmax_cross_entropy_with_logits<'py>(
    py: Python<'py>,
    logits: &Any<'py>,
    targets: &Any<'py>,
    weight: Option<&Any<'py>>,
    label_smoothing: f64,
    ignore_index: Option<i64>,
    reduction: &str,
    want: &str,
) -> PyResult<Any<'py>> {
    entry(|| {
        let request = Request::new(reduction, want)?;
        let logits = View::matrix("logits", logits)?;
        let classes = columns("logits", &logits)?;
        let class_weight = match weight {
            None => Vec::new(),
            Some(weight) => {
                let view = View::matrix("weight", weight)?;
                view.check_shape("weight", &[classes])?;
                to_vec(&view.elements())?
            }
        };
        let loss = Loss::SoftmaxCrossEntropy { class_weight, label_smoothing, ignore_index };
        let targets = View::matrix("targets", targets)?;
        match precision("logits", &logits)? {
            Precision::Single => softmax_loss::<f32>(py, &loss, &logits, &targets, request),
            Precision::Double => softmax_loss::<f64>(py, &loss, &logits, &targets, request),
        }
    })
}

fn softmax_loss<'py, T: Float>(
    py: Python<'py>,
    loss: &Loss,
    logits: &View,
    targets: &View,
    request: Request,
) -> PyResult<Any<'py>> {
    let (rows, classes) = (logits.elements().rows(), logits.elements().cols());
    let indices = targets.shape().len() == 1;
    targets.check_shape("targets", if indices { &logits.shape()[..1] } else { logits.shape() })?;
    let answer = compute(py, || {
        let values = to_vec::<T>(&logits.elements())?;
        let (labels, probabilities);
        let targets = if indices {
            labels = loss.classes("targets", &to_i64(&targets.elements())?, classes)?;
            SoftmaxTargets::Classes(&labels)
        } else {
            probabilities = to_vec::<T>(&targets.elements())?;
            SoftmaxTargets::Probabilities(&probabilities)
        };
        let mut answer = Answer::new(request, rows, values.len())?;
        Isa::chosen()?.run(SoftmaxCrossEntropy {
            loss,
            logits: &values,
            classes,
            targets,
            reduction: request.reduction,
            results: answer.results(),
        });
        Ok(answer)
    })?;
    answer.give(py, request, &[rows], logits.shape())
}

/// Columns of a matrix, at least one.
fn columns(name: &str, view: &View) -> Result<usize> {
    match *view.shape() {
        [_, columns] if columns > 0 => Ok(columns),
        _ => Err(Error::Shape(format!("{name} must have 2 dimensions and at least 1 column"))),
    }
}

/// What a caller of a loss wants.
#[derive(Clone, Copy)]
struct Request {
    reduction: ArrayReduction,
    value: bool,
    grad: bool,
}

impl Request {
    fn new(reduction: &str, want: &str) -> Result<Self> {
        let reduction = match reduction {
            "none" => ArrayReduction::None,
            "mean" => ArrayReduction::Mean,
            "sum" => ArrayReduction::Sum,
            other => {
                let message = format!("reduction is {other:?}, known are none, mean, sum");
                return Err(Error::Value(message));
            }
        };
        let (value, grad) = match want {
            "value" => (true, false),
            "grad" => (false, true),
            "both" => (true, true),
            other => {
                let message = format!("want is {other:?}, known are value, grad, both");
                return Err(Error::Value(message));
            }
        };
        Ok(Self { reduction, value, grad })
    }
}

/// The results of a loss.
struct Answer<T> {
    reduced: Option<f64>,
    each: Option<Vec<T>>,
    grad: Option<Vec<T>>,
}

impl<T: Float> Answer<T> {
    /// Memory for `losses` losses and a gradient of `elements`.
    fn new(request: Request, losses: usize, elements: usize) -> Result<Self> {
        let each = request.value && request.reduction == ArrayReduction::None;
        Ok(Self {
            reduced: (request.value && !each).then_some(0.0),
            each: each.then(|| memory::filled(T::ZERO, losses)).transpose()?,
            grad: request.grad.then(|| memory::filled(T::ZERO, elements)).transpose()?,
        })
    }

    fn results(&mut self) -> Results<'_, T> {
        Results {
            reduced: self.reduced.as_mut(),
            each: self.each.as_deref_mut(),
            grad: self.grad.as_deref_mut(),
        }
    }

    /// The value, the gradient, or a tuple of both.
    fn give<'py>(
        self,
        py: Python<'py>,
        request: Request,
        losses: &[usize],
        elements: &[usize],
    ) -> PyResult<Any<'py>> {
        let value = match (self.each, self.reduced) {
            (Some(each), _) => Some(array(py, each, losses)?),
            (None, reduced) => {
                reduced.map(|value| value.into_pyobject(py)).transpose()?.map(Bound::into_any)
            }
        };
        let grad = self.grad.map(|grad| array(py, grad, elements)).transpose()?;
        match (value, grad) {
            (Some(value), Some(grad)) => Ok((value, grad).into_pyobject(py)?.into_any()),
            (Some(one), None) | (None, Some(one)) => Ok(one),
            (None, None) => {
                Err(Error::Internal(format!("nothing wanted: {}", request.value)).into())
            }
        }
    }
}
