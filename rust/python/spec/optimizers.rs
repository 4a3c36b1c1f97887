//! Optimizers.

use pyo3::prelude::*;

use super::values::{class, get, no_such};
use crate::kernels::optimizer::{Adam, AdamW, Lion, Optimizer, Options, Sgd};

/// An optimizer but for its learning rate.
pub(super) fn optimizer(object: &Bound<'_, PyAny>) -> PyResult<Optimizer> {
    let weight_decay = || get(object, "weight_decay");
    Ok(match class(object)?.as_str() {
        "SGD" => Optimizer::Sgd(Sgd {
            momentum: get(object, "momentum")?,
            weight_decay: weight_decay()?,
            nesterov: get(object, "nesterov")?,
        }),
        "Adam" => Optimizer::Adam(Adam {
            betas: get(object, "betas")?,
            eps: get(object, "eps")?,
            weight_decay: weight_decay()?,
        }),
        "AdamW" => Optimizer::AdamW(AdamW {
            betas: get(object, "betas")?,
            eps: get(object, "eps")?,
            weight_decay: weight_decay()?,
        }),
        "Lion" => {
            Optimizer::Lion(Lion { betas: get(object, "betas")?, weight_decay: weight_decay()? })
        }
        other => return Err(no_such("optimizer", other)),
    })
}

/// What every optimizer takes.
pub(super) fn options(object: &Bound<'_, PyAny>) -> PyResult<Options> {
    Ok(Options { decay_bias: get(object, "decay_bias")? })
}
