//! A whole model.

use pyo3::prelude::*;

use super::{layers, losses, optimizers, schedules};
use crate::error::Error;
use crate::kernels::images::PixelOrder;
use crate::network::{Input, LearningRate, Spec};

/// A whole model and its learning rate, checked.
pub fn model(
    layers: &[Bound<'_, PyAny>],
    loss: Option<&Bound<'_, PyAny>>,
    optimizer: &Bound<'_, PyAny>,
    input: Input,
) -> PyResult<(Spec, LearningRate)> {
    let (optimizer, options, learning_rate) = (
        optimizers::optimizer(optimizer)?,
        optimizers::options(optimizer)?,
        schedules::learning_rate(optimizer)?,
    );
    let mut nodes = Vec::new();
    layers.iter().try_for_each(|layer| layers::add(layer, &mut nodes))?;
    let loss = loss.map(losses::loss).transpose()?;
    let spec = Spec { layers: nodes, loss, optimizer, options, input };
    spec.check()?;
    Ok((spec, learning_rate))
}

/// What happens to X.
pub fn input(
    scale: Option<f64>,
    channels_last: bool,
    standardize: (bool, bool),
) -> PyResult<Input> {
    if let Some(scale) = scale
        && !(scale.is_finite() && scale > 0.0)
    {
        return Err(Error::Value(format!("scale is {scale}, it must be finite and above 0")).into());
    }
    let order = if channels_last { PixelOrder::ChannelsLast } else { PixelOrder::ChannelsFirst };
    Ok(Input { scale, order, standardize })
}
