//! Layers.

use pyo3::prelude::*;

use super::values::{class, get, no_such, unknown};
use crate::kernels::activation::Activation;
use crate::kernels::convolution::Stencil;
use crate::kernels::pooling::{Pool, PoolKind};
use crate::network::{BatchNorm, Conv2d, Dropout, Init, Layer, LayerNorm, Linear, Prelu, Sum};

/// Adds a layer, or those of a residual connection and their sum.
pub(super) fn add(object: &Bound<'_, PyAny>, nodes: &mut Vec<Layer>) -> PyResult<()> {
    if class(object)? != "Residual" {
        nodes.push(layer(object)?);
        return Ok(());
    }
    let from = nodes.len();
    for inner in object.getattr("layers")?.try_iter()? {
        add(&inner?, nodes)?;
    }
    nodes.push(Layer::Sum(Sum { from }));
    Ok(())
}

fn layer(object: &Bound<'_, PyAny>) -> PyResult<Layer> {
    let activation = match class(object)?.as_str() {
        "Linear" => return Ok(Layer::Linear(linear(object)?)),
        "Conv2d" => return Ok(Layer::Conv2d(conv2d(object)?)),
        "AvgPool2d" => return Ok(Layer::Pool(pool(object, PoolKind::Average)?)),
        "MaxPool2d" => return Ok(Layer::Pool(pool(object, PoolKind::Max)?)),
        "Flatten" => return Ok(Layer::Flatten),
        "Dropout" => return Ok(Layer::Dropout(Dropout { p: get(object, "p")? })),
        "LayerNorm" => return Ok(Layer::LayerNorm(layer_norm(object)?)),
        "BatchNorm1d" => return Ok(Layer::BatchNorm(batch_norm(object, false)?)),
        "BatchNorm2d" => return Ok(Layer::BatchNorm(batch_norm(object, true)?)),
        "PReLU" => return Ok(Layer::Prelu(prelu(object)?)),
        "Identity" => Activation::Identity,
        "Sigmoid" => Activation::Sigmoid,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        "LeakyReLU" => Activation::LeakyRelu { slope: get(object, "negative_slope")? },
        "ELU" => Activation::Elu { alpha: get(object, "alpha")? },
        "SELU" => Activation::Selu,
        "GELU" => match get::<String>(object, "approximate")?.as_str() {
            "none" => Activation::Gelu,
            "tanh" => Activation::GeluTanh,
            other => return Err(unknown("approximate", other, "none, tanh")),
        },
        "SiLU" => Activation::Silu,
        "Mish" => Activation::Mish,
        "Hardswish" => Activation::Hardswish,
        "Softplus" => Activation::Softplus {
            beta: get(object, "beta")?,
            threshold: get(object, "threshold")?,
        },
        other => return Err(no_such("layer", other)),
    };
    Ok(Layer::Activation(activation))
}

fn linear(object: &Bound<'_, PyAny>) -> PyResult<Linear> {
    Ok(Linear {
        in_features: get(object, "in_features")?,
        out_features: get(object, "out_features")?,
        bias: get(object, "bias")?,
        init: init(object)?,
        trainable: get(object, "trainable")?,
        lr_scale: get(object, "lr_scale")?,
    })
}

fn conv2d(object: &Bound<'_, PyAny>) -> PyResult<Conv2d> {
    let kernel: (usize, usize) = get(object, "kernel_size")?;
    let stride: (usize, usize) = get(object, "stride")?;
    let padding: (usize, usize) = get(object, "padding")?;
    let dilation: (usize, usize) = get(object, "dilation")?;
    let stencil =
        |(kernel, stride), (padding, dilation)| Stencil { kernel, stride, padding, dilation };
    Ok(Conv2d {
        in_channels: get(object, "in_channels")?,
        out_channels: get(object, "out_channels")?,
        rows: stencil((kernel.0, stride.0), (padding.0, dilation.0)),
        cols: stencil((kernel.1, stride.1), (padding.1, dilation.1)),
        groups: get(object, "groups")?,
        bias: get(object, "bias")?,
        init: init(object)?,
        trainable: get(object, "trainable")?,
        lr_scale: get(object, "lr_scale")?,
    })
}

fn layer_norm(object: &Bound<'_, PyAny>) -> PyResult<LayerNorm> {
    Ok(LayerNorm {
        features: get(object, "n")?,
        eps: get(object, "eps")?,
        affine: get(object, "affine")?,
        trainable: get(object, "trainable")?,
        lr_scale: get(object, "lr_scale")?,
    })
}

fn batch_norm(object: &Bound<'_, PyAny>, images: bool) -> PyResult<BatchNorm> {
    Ok(BatchNorm {
        features: get(object, "n")?,
        eps: get(object, "eps")?,
        momentum: get(object, "momentum")?,
        affine: get(object, "affine")?,
        images,
        trainable: get(object, "trainable")?,
        lr_scale: get(object, "lr_scale")?,
    })
}

fn prelu(object: &Bound<'_, PyAny>) -> PyResult<Prelu> {
    Ok(Prelu {
        slopes: get(object, "num_parameters")?,
        init: get(object, "init")?,
        trainable: get(object, "trainable")?,
        lr_scale: get(object, "lr_scale")?,
    })
}

fn pool(object: &Bound<'_, PyAny>, kind: PoolKind) -> PyResult<Pool> {
    Ok(Pool { kind, kernel: get(object, "kernel_size")?, stride: get(object, "stride")? })
}

fn init(object: &Bound<'_, PyAny>) -> PyResult<Init> {
    Ok(match get::<Option<String>>(object, "init")?.as_deref() {
        None | Some("torch_linear") => Init::TorchLinear,
        Some("glorot_uniform") => Init::GlorotUniform,
        Some("he_normal") => Init::HeNormal,
        Some("zeros") => Init::Zeros,
        Some("normal") => Init::Normal,
        Some(other) => {
            let known = "torch_linear, glorot_uniform, he_normal, zeros, normal";
            return Err(unknown("init", other, known));
        }
    })
}
