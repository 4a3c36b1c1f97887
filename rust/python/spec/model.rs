//! A whole model.

use pyo3::prelude::*;

use super::{layers, losses, optimizers};
use crate::error::Error;
use crate::kernels::images::PixelOrder;
use crate::network::{Input, Spec};

/// A whole model and its first learning rate, checked.
pub fn model(
    layers: &[Bound<'_, PyAny>],
    loss: Option<&Bound<'_, PyAny>>,
    optimizer: &Bound<'_, PyAny>,
    input: Input,
) -> PyResult<(Spec, f64)> {
    let ((optimizer, learning_rate), options) =
        (optimizers::optimizer(optimizer)?, optimizers::options(optimizer)?);
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
