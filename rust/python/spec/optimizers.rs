//! Optimizers.

use pyo3::prelude::*;

use super::values::{class, get, no_such};
use crate::kernels::optimizer::{
    Adagrad, Adam, AdamW, Amsgrad, DampenedSgd, Lion, NAdam, Optimizer, Options, RAdam, RmsProp,
    Sgd, VelocitySgd,
};

/// An optimizer but for its learning rate.
pub(super) fn optimizer(object: &Bound<'_, PyAny>) -> PyResult<Optimizer> {
    let weight_decay = || get(object, "weight_decay");
    let adam = || -> PyResult<Adam> {
        Ok(Adam {
            betas: get(object, "betas")?,
            eps: get(object, "eps")?,
            weight_decay: weight_decay()?,
            eps_hat: false,
        })
    };
    let own_adam =
        || -> PyResult<Adam> { Ok(Adam { eps_hat: get(object, "eps_hat")?, ..adam()? }) };
    Ok(match class(object)?.as_str() {
        "SGD" => sgd(object)?,
        "Adam" if get(object, "amsgrad")? => Optimizer::Amsgrad(Amsgrad { adam: own_adam()? }),
        "Adam" => Optimizer::Adam(own_adam()?),
        "AdamW" => {
            let Adam { betas, eps, weight_decay, .. } = adam()?;
            Optimizer::AdamW(AdamW { betas, eps, weight_decay })
        }
        "NAdam" => {
            let Adam { betas, eps, weight_decay, .. } = adam()?;
            let momentum_decay = get(object, "momentum_decay")?;
            Optimizer::NAdam(NAdam::new(betas, eps, weight_decay, momentum_decay))
        }
        "RAdam" => {
            let Adam { betas, eps, weight_decay, .. } = adam()?;
            Optimizer::RAdam(RAdam { betas, eps, weight_decay })
        }
        "RMSprop" => Optimizer::RmsProp(RmsProp {
            alpha: get(object, "alpha")?,
            eps: get(object, "eps")?,
            weight_decay: weight_decay()?,
            momentum: get(object, "momentum")?,
            centered: get(object, "centered")?,
        }),
        "Adagrad" => Optimizer::Adagrad(Adagrad {
            lr_decay: get(object, "lr_decay")?,
            weight_decay: weight_decay()?,
            eps: get(object, "eps")?,
        }),
        "Lion" => {
            Optimizer::Lion(Lion { betas: get(object, "betas")?, weight_decay: weight_decay()? })
        }
        other => return Err(no_such("optimizer", other)),
    })
}

/// SGD: without momentum there is no velocity, and nothing to dampen.
fn sgd(object: &Bound<'_, PyAny>) -> PyResult<Optimizer> {
    let momentum = get(object, "momentum")?;
    let dampening = get(object, "dampening")?;
    let weight_decay = get(object, "weight_decay")?;
    let nesterov = get(object, "nesterov")?;
    Ok(if momentum != 0.0 && get(object, "lr_in_velocity")? {
        Optimizer::VelocitySgd(VelocitySgd { momentum, weight_decay, nesterov })
    } else if momentum == 0.0 || dampening == 0.0 {
        Optimizer::Sgd(Sgd { momentum, weight_decay, nesterov })
    } else {
        Optimizer::DampenedSgd(DampenedSgd { momentum, dampening, weight_decay })
    })
}

/// What every optimizer takes.
pub(super) fn options(object: &Bound<'_, PyAny>) -> PyResult<Options> {
    Ok(Options {
        clip_norm: get(object, "clip_norm")?,
        clip_value: get(object, "clip_value")?,
        l1: get(object, "l1")?,
        l2: get(object, "l2")?,
        decay_bias: get(object, "decay_bias")?,
        ema: get(object, "ema")?,
    })
}
