//! Learning rates: numbers, schedules, and functions in Python.

use std::sync::Arc;

use pyo3::prelude::*;

use super::values::{class, get, no_such, unknown};
use crate::kernels::schedule::{
    CosineAnnealing, Counted, Curve, Exponential, MultiStep, OneCycle, Polynomial, Schedule, Step,
    WarmRestarts, Warmup,
};
use crate::network::LearningRate;

/// The learning rate of an optimizer; of a function its owner makes a table.
pub fn learning_rate(optimizer: &Bound<'_, PyAny>) -> PyResult<LearningRate> {
    let lr = optimizer.getattr("lr")?;
    if let Ok(number) = lr.extract() {
        return Ok(LearningRate::Constant(number));
    }
    if lr.is_callable() || class(&lr)? == "Forgotten" {
        return Ok(LearningRate::Table);
    }
    Ok(LearningRate::Schedule(Arc::new(schedule(&lr)?)))
}

fn schedule(object: &Bound<'_, PyAny>) -> PyResult<Schedule> {
    if class(object)? == "LinearWarmup" {
        let warmup = Warmup { steps: get(object, "steps")?, start: get(object, "start")? };
        return Ok(Schedule { warmup: Some(warmup), ..schedule(&object.getattr("schedule")?)? });
    }
    let curve = curve(object)?;
    let counted = match get::<String>(object, "by")?.as_str() {
        "epoch" => Counted::Epochs,
        "step" => Counted::Steps,
        other => return Err(unknown("by", other, "epoch, step")),
    };
    Ok(Schedule { curve, counted, warmup: None })
}

fn curve(object: &Bound<'_, PyAny>) -> PyResult<Curve> {
    let lr = || get(object, "lr");
    Ok(match class(object)?.as_str() {
        "StepLR" => Curve::Step(Step {
            lr: lr()?,
            step_size: get(object, "step_size")?,
            gamma: get(object, "gamma")?,
        }),
        "MultiStepLR" => Curve::MultiStep(MultiStep {
            lr: lr()?,
            milestones: get(object, "milestones")?,
            gamma: get(object, "gamma")?,
        }),
        "ExponentialLR" => {
            Curve::Exponential(Exponential { lr: lr()?, gamma: get(object, "gamma")? })
        }
        "CosineAnnealingLR" => Curve::CosineAnnealing(CosineAnnealing {
            lr: lr()?,
            t_max: get(object, "T_max")?,
            eta_min: get(object, "eta_min")?,
        }),
        "CosineAnnealingWarmRestarts" => Curve::WarmRestarts(WarmRestarts {
            lr: lr()?,
            t_0: get(object, "T_0")?,
            t_mult: get(object, "T_mult")?,
            eta_min: get(object, "eta_min")?,
        }),
        "OneCycleLR" => Curve::OneCycle(OneCycle {
            max_lr: get(object, "max_lr")?,
            total_steps: get(object, "total_steps")?,
            pct_start: get(object, "pct_start")?,
            div_factor: get(object, "div_factor")?,
            final_div_factor: get(object, "final_div_factor")?,
        }),
        "PolynomialLR" => Curve::Polynomial(Polynomial {
            lr: lr()?,
            total_iters: get(object, "total_iters")?,
            power: get(object, "power")?,
        }),
        other => return Err(no_such("schedule", other)),
    })
}
