//! Losses.

use pyo3::prelude::*;

use super::values::{class, get, no_such, numbers, unknown};
use crate::kernels::loss::Loss;
use crate::network::Reduction;

/// A loss and its reduction.
pub(super) fn loss(object: &Bound<'_, PyAny>) -> PyResult<(Loss, Reduction)> {
    let loss = match class(object)?.as_str() {
        "BinaryCrossEntropy" if get(object, "from_logits")? => {
            Loss::SigmoidCrossEntropy { pos_weight: numbers(object, "pos_weight")? }
        }
        "BinaryCrossEntropy" => Loss::BinaryCrossEntropy,
        "CrossEntropy" => Loss::SoftmaxCrossEntropy {
            class_weight: numbers(object, "class_weight")?,
            label_smoothing: get(object, "label_smoothing")?,
            ignore_index: get(object, "ignore_index")?,
        },
        "MSE" => Loss::Mse,
        "MAE" => Loss::Mae,
        "Huber" => Loss::Huber { delta: get(object, "delta")? },
        "LogCosh" => Loss::LogCosh,
        "Quantile" => Loss::Quantile { quantiles: numbers(object, "quantiles")? },
        "PoissonNLL" => {
            let full = f64::from(u8::from(get::<bool>(object, "full")?));
            match get(object, "log_input")? {
                true => Loss::PoissonOfLogRate { full },
                false => Loss::PoissonOfRate { full, eps: get(object, "eps")? },
            }
        }
        "GaussianNLL" => Loss::GaussianNll,
        "Focal" => {
            let alpha: Option<f64> = get(object, "alpha")?;
            let (positive, negative) = alpha.map_or((1.0, 1.0), |alpha| (alpha, 1.0 - alpha));
            Loss::Focal { gamma: get(object, "gamma")?, positive, negative }
        }
        "ClippedCrossEntropy" => Loss::SoftmaxCrossEntropy {
            class_weight: Vec::new(),
            label_smoothing: 0.0,
            ignore_index: None,
        },
        "ClippedBCEWithLogits" => Loss::SigmoidCrossEntropy { pos_weight: Vec::new() },
        "HalfSquaredError" => Loss::Mse,
        "HalfPoissonDeviance" => Loss::PoissonOfLogRate { full: 2.0 },
        other => return Err(no_such("loss", other)),
    };
    let reduction = match get::<String>(object, "reduction")?.as_str() {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        "rows" => Reduction::Rows,
        other => return Err(unknown("reduction", other, "mean, sum, rows")),
    };
    Ok((loss, reduction))
}
