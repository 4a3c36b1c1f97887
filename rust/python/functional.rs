//! Array functions. The Python layer has checked shapes and made dtypes equal.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::array::{Float, View, array};
use super::data::{compute, zeros};
use crate::error::{Error, Result};
use crate::kernels::activation::{SigmoidBackwardElements, SigmoidElements};
use crate::kernels::gather::{self, DType};
use crate::kernels::gemm;
use crate::kernels::loss::Loss;
use crate::kernels::loss::functional::{
    Binary, BinaryCrossEntropy, Reduction, Results, SoftmaxCrossEntropy, SoftmaxElements,
    SoftmaxTargets,
};
use crate::simd::Isa;

/// Calls a function for the element type of a view.
macro_rules! by_dtype {
    ($view:expr, $f:ident($($argument:expr),*)) => {
        if $view.source().dtype() == DType::F32 {
            $f::<f32>($($argument),*)
        } else {
            $f::<f64>($($argument),*)
        }
    };
}

/// a (m, k) times b (k, n), both float32 or both float64.
#[pyfunction]
pub fn matmul<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (a, b) = (View::matrix("a", a)?, View::matrix("b", b)?);
    by_dtype!(a, product(py, &a, &b))
}

fn product<'py, T: Float>(py: Python<'py>, a: &View, b: &View) -> PyResult<Bound<'py, PyAny>> {
    let (&[m, k], &[inner, n]) = (a.shape(), b.shape()) else {
        return Err(Error::Shape("a and b must have 2 dimensions".into()).into());
    };
    if k != inner {
        return Err(Error::Shape(format!("a has {k} columns, b has {inner} rows")).into());
    }
    let values = compute(py, || {
        let (a, b) = (gather::to_vec::<T>(&a.source())?, gather::to_vec::<T>(&b.source())?);
        let mut c = zeros(m.saturating_mul(n))?;
        gemm::matmul(Isa::chosen()?, (m, k, n), &a, &b, &mut c)?;
        Ok(c)
    })?;
    Ok(array(py, values, &[m, n])?.into_any())
}

/// 1 / (1 + exp(-x)) of a float32 or float64 array of any shape.
#[pyfunction]
pub fn sigmoid<'py>(py: Python<'py>, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let x = View::flat("x", x)?;
    by_dtype!(x, sigmoid_of(py, &x))
}

fn sigmoid_of<'py, T: Float>(py: Python<'py>, x: &View) -> PyResult<Bound<'py, PyAny>> {
    let values = compute(py, || {
        let input = gather::to_vec::<T>(&x.source())?;
        let mut output = zeros(input.len())?;
        Isa::chosen()?.run(SigmoidElements { input: &input, output: &mut output });
        Ok(output)
    })?;
    Ok(array(py, values, x.shape())?.into_any())
}

/// exp(x) / sum(exp(x)) of each row of a 2-D float32 or float64 array.
#[pyfunction]
pub fn softmax<'py>(py: Python<'py>, x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let x = View::flat("x", x)?;
    by_dtype!(x, softmax_of(py, &x))
}

fn softmax_of<'py, T: Float>(py: Python<'py>, x: &View) -> PyResult<Bound<'py, PyAny>> {
    let &[_, classes] = x.shape() else {
        return Err(Error::Shape("x must have 2 dimensions".into()).into());
    };
    let values = compute(py, || {
        let logits = gather::to_vec::<T>(&x.source())?;
        let mut probabilities = zeros(logits.len())?;
        let target = &mut probabilities;
        Isa::chosen()?.run(SoftmaxElements { logits: &logits, classes, probabilities: target });
        Ok(probabilities)
    })?;
    Ok(array(py, values, x.shape())?.into_any())
}

/// grad_output * output * (1 - output), two arrays of one shape and dtype.
#[pyfunction]
pub fn sigmoid_backward<'py>(
    py: Python<'py>,
    output: &Bound<'py, PyAny>,
    grad_output: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (output, grad) = (View::flat("output", output)?, View::flat("grad_output", grad_output)?);
    grad.check_shape("grad_output", output.shape())?;
    by_dtype!(output, sigmoid_backward_of(py, &output, &grad))
}

fn sigmoid_backward_of<'py, T: Float>(
    py: Python<'py>,
    output: &View,
    grad: &View,
) -> PyResult<Bound<'py, PyAny>> {
    let values = compute(py, || {
        let outputs = gather::to_vec::<T>(&output.source())?;
        let grad_output = gather::to_vec::<T>(&grad.source())?;
        let mut grad_input = zeros(outputs.len())?;
        Isa::chosen()?.run(SigmoidBackwardElements {
            output: &outputs,
            grad_output: &grad_output,
            grad: &mut grad_input,
        });
        Ok(grad_input)
    })?;
    Ok(array(py, values, output.shape())?.into_any())
}

/// What a loss is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    reduction: Reduction,
    value: bool,
    grad: bool,
}

impl Wanted {
    fn new(reduction: &str, want: &str) -> Result<Self> {
        let reduction = match reduction {
            "none" => Reduction::None,
            "mean" => Reduction::Mean,
            "sum" => Reduction::Sum,
            _ => {
                return Err(Error::Value(format!(
                    "reduction is {reduction:?}, known are \"none\", \"mean\", \"sum\""
                )));
            }
        };
        match want {
            "value" => Ok(Self { reduction, value: true, grad: false }),
            "grad" => Ok(Self { reduction, value: false, grad: true }),
            "both" => Ok(Self { reduction, value: true, grad: true }),
            _ => Err(Error::Value(format!(
                "want is {want:?}, known are \"value\", \"grad\", \"both\""
            ))),
        }
    }

    /// Runs a loss with room for what is wanted, and hands the results to Python: `losses` is the
    /// shape of the unreduced value, `outputs` that of the gradient.
    fn run<'py, T: Float>(
        self,
        py: Python<'py>,
        losses: &[usize],
        outputs: &[usize],
        work: impl FnOnce(Results<'_, T>) -> Result<()> + Send,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (reduced, each, grad) = compute(py, || {
            let mut reduced = 0.0;
            let unreduced = self.value && self.reduction == Reduction::None;
            let mut each = zeros::<T>(if unreduced { losses.iter().product() } else { 0 })?;
            let mut grad = zeros::<T>(if self.grad { outputs.iter().product() } else { 0 })?;
            work(Results {
                reduced: (self.value && !unreduced).then_some(&mut reduced),
                each: unreduced.then_some(&mut each[..]),
                grad: self.grad.then_some(&mut grad[..]),
            })?;
            Ok((reduced, each, grad))
        })?;
        let value = || -> PyResult<Bound<'py, PyAny>> {
            if self.reduction == Reduction::None {
                Ok(array(py, each, losses)?.into_any())
            } else {
                Ok(reduced.into_pyobject(py)?.into_any())
            }
        };
        match (self.value, self.grad) {
            (true, false) => value(),
            (_, false) => Err(Error::Internal("nothing is wanted".into()).into()),
            (false, true) => Ok(array(py, grad, outputs)?.into_any()),
            (true, true) => {
                let both = [value()?, array(py, grad, outputs)?.into_any()];
                Ok(PyTuple::new(py, both)?.into_any())
            }
        }
    }
}

/// The arguments of a binary cross-entropy, all of one shape.
struct BinaryArguments {
    of: Binary,
    outputs: View,
    targets: View,
    weight: Option<View>,
    pos_weight: Option<View>,
    wanted: Wanted,
}

fn binary<'py, T: Float>(
    py: Python<'py>,
    arguments: &BinaryArguments,
) -> PyResult<Bound<'py, PyAny>> {
    let BinaryArguments { of, outputs, targets, weight, pos_weight, wanted } = arguments;
    let shape = outputs.shape();
    targets.check_shape("targets", shape)?;
    for (name, view) in [("weight", weight), ("pos_weight", pos_weight)] {
        if let Some(view) = view {
            view.check_shape(name, shape)?;
        }
    }
    let rows = shape.first().copied().unwrap_or(1);
    wanted.run::<T>(py, shape, shape, |results| {
        let copy = |view: &View| gather::to_vec::<T>(&view.source());
        let (outputs, targets) = (copy(outputs)?, copy(targets)?);
        let weight = weight.as_ref().map(copy).transpose()?;
        let pos_weight = pos_weight.as_ref().map(copy).transpose()?;
        Isa::chosen()?.run(BinaryCrossEntropy {
            of: *of,
            outputs: &outputs,
            targets: &targets,
            weight: weight.as_deref(),
            pos_weight: pos_weight.as_deref(),
            rows,
            reduction: wanted.reduction,
            results,
        });
        Ok(())
    })
}

/// Value, gradient or both of the binary cross-entropy of probabilities.
///
/// All arrays have one shape and dtype. The value is a float, or with reduction "none" an array;
/// the gradient an array; "both" a tuple of the two. The other losses return the same.
#[pyfunction]
#[pyo3(signature = (probabilities, targets, weight, reduction, want))]
pub fn binary_cross_entropy<'py>(
    py: Python<'py>,
    probabilities: &Bound<'py, PyAny>,
    targets: &Bound<'py, PyAny>,
    weight: Option<&Bound<'py, PyAny>>,
    reduction: &str,
    want: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = BinaryArguments {
        of: Binary::Probabilities,
        outputs: View::flat("probabilities", probabilities)?,
        targets: View::flat("targets", targets)?,
        weight: weight.map(|weight| View::flat("weight", weight)).transpose()?,
        pos_weight: None,
        wanted: Wanted::new(reduction, want)?,
    };
    by_dtype!(arguments.outputs, binary(py, &arguments))
}

/// As `binary_cross_entropy`, of logits; `pos_weight` has the shape of the logits too.
#[pyfunction]
#[pyo3(signature = (logits, targets, weight, pos_weight, reduction, want))]
pub fn sigmoid_cross_entropy_with_logits<'py>(
    py: Python<'py>,
    logits: &Bound<'py, PyAny>,
    targets: &Bound<'py, PyAny>,
    weight: Option<&Bound<'py, PyAny>>,
    pos_weight: Option<&Bound<'py, PyAny>>,
    reduction: &str,
    want: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let arguments = BinaryArguments {
        of: Binary::Logits,
        outputs: View::flat("logits", logits)?,
        targets: View::flat("targets", targets)?,
        weight: weight.map(|weight| View::flat("weight", weight)).transpose()?,
        pos_weight: pos_weight.map(|weight| View::flat("pos_weight", weight)).transpose()?,
        wanted: Wanted::new(reduction, want)?,
    };
    by_dtype!(arguments.outputs, binary(py, &arguments))
}

/// Softmax cross-entropy of logits (n, K): class indices (n,) or probabilities (n, K) as
/// targets, one weight for each class (K,). The unreduced value has shape (n,).
#[pyfunction]
#[pyo3(signature = (logits, targets, weight, label_smoothing, ignore_index, reduction, want))]
pub fn softmax_cross_entropy_with_logits<'py>(
    py: Python<'py>,
    logits: &Bound<'py, PyAny>,
    targets: &Bound<'py, PyAny>,
    weight: Option<&Bound<'py, PyAny>>,
    label_smoothing: f64,
    ignore_index: Option<i64>,
    reduction: &str,
    want: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let class_weight = match weight {
        Some(weight) => gather::to_vec::<f64>(&View::flat("weight", weight)?.source())?,
        None => Vec::new(),
    };
    let loss = Loss::SoftmaxCrossEntropy { class_weight, label_smoothing, ignore_index };
    let (logits, targets) = (View::flat("logits", logits)?, View::flat("targets", targets)?);
    let wanted = Wanted::new(reduction, want)?;
    by_dtype!(logits, softmax_loss(py, &loss, &logits, &targets, wanted))
}

fn softmax_loss<'py, T: Float>(
    py: Python<'py>,
    loss: &Loss,
    logits: &View,
    targets: &View,
    wanted: Wanted,
) -> PyResult<Bound<'py, PyAny>> {
    let &[rows, classes] = logits.shape() else {
        return Err(Error::Shape("logits must have 2 dimensions (n, K)".into()).into());
    };
    loss.check(classes)?;
    let indices = targets.shape().len() == 1;
    let by_row = [rows];
    targets.check_shape("targets", if indices { &by_row } else { logits.shape() })?;
    wanted.run::<T>(py, &[rows], logits.shape(), |results| {
        let logits = gather::to_vec::<T>(&logits.source())?;
        let (mut labels, mut values) = (Vec::new(), Vec::new());
        if indices {
            labels = loss.classes("targets", gather::to_i64(&targets.source())?, classes)?;
        } else {
            values = gather::to_vec::<T>(&targets.source())?;
        }
        Isa::chosen()?.run(SoftmaxCrossEntropy {
            loss,
            logits: &logits,
            classes,
            targets: if indices {
                SoftmaxTargets::Classes(&labels)
            } else {
                SoftmaxTargets::Probabilities(&values)
            },
            reduction: wanted.reduction,
            results,
        });
        Ok(())
    })
}
