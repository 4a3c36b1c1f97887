//! From the Python layer's specs to [`Spec`], by class name and attributes.

use pyo3::prelude::*;

use crate::error::Error;
use crate::kernels::activation::Activation;
use crate::kernels::convolution::Stencil;
use crate::kernels::images::PixelOrder;
use crate::kernels::loss::Loss;
use crate::kernels::optimizer::{Adam, AdamW, Lion, Optimizer, Sgd};
use crate::kernels::pooling::{Pool, PoolKind};
use crate::network::{
    Conv2d, Dropout, Init, Input, Layer, LayerNorm, Linear, Reduction, Spec, Sum,
};
use crate::runtime::memory;

/// A whole model and its first learning rate, checked.
pub fn model(
    layers: &[Bound<'_, PyAny>],
    loss: Option<&Bound<'_, PyAny>>,
    optimizer: &Bound<'_, PyAny>,
    input: Input,
) -> PyResult<(Spec, f64)> {
    let (optimizer, learning_rate) = self::optimizer(optimizer)?;
    let mut nodes = Vec::new();
    layers.iter().try_for_each(|layer| add(layer, &mut nodes))?;
    let spec = Spec { layers: nodes, loss: loss.map(self::loss).transpose()?, optimizer, input };
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

/// Adds a layer, or those of a residual connection and their sum.
fn add(object: &Bound<'_, PyAny>, nodes: &mut Vec<Layer>) -> PyResult<()> {
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
        "Identity" => Activation::Identity,
        "Sigmoid" => Activation::Sigmoid,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        "LeakyReLU" => Activation::LeakyRelu { slope: get(object, "negative_slope")? },
        "ELU" => Activation::Elu { alpha: get(object, "alpha")? },
        "GELU" => match get::<String>(object, "approximate")?.as_str() {
            "none" => Activation::Gelu,
            "tanh" => Activation::GeluTanh,
            other => return Err(unknown("approximate", other, "none, tanh")),
        },
        "SiLU" => Activation::Silu,
        "Mish" => Activation::Mish,
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

fn loss(object: &Bound<'_, PyAny>) -> PyResult<(Loss, Reduction)> {
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
        other => return Err(no_such("loss", other)),
    };
    let reduction = match get::<String>(object, "reduction")?.as_str() {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        other => return Err(unknown("reduction", other, "mean, sum")),
    };
    Ok((loss, reduction))
}

fn optimizer(object: &Bound<'_, PyAny>) -> PyResult<(Optimizer, f64)> {
    let weight_decay = || get(object, "weight_decay");
    let optimizer = match class(object)?.as_str() {
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
    };
    Ok((optimizer, get(object, "lr")?))
}

fn class(object: &Bound<'_, PyAny>) -> PyResult<String> {
    object.get_type().name()?.extract()
}

fn get<'py, V>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<V>
where
    V: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    object.getattr(name)?.extract().map_err(Into::into)
}

/// No numbers, one, or several.
fn numbers(object: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<f64>> {
    let value = object.getattr(name)?;
    if value.is_none() {
        return Ok(Vec::new());
    }
    if let Ok(number) = value.extract::<f64>() {
        return Ok(vec![number]);
    }
    let mut numbers = memory::vector(value.len()?)?;
    for number in value.try_iter()? {
        memory::reserve(&mut numbers, 1)?;
        numbers.push(number?.extract()?);
    }
    Ok(numbers)
}

fn no_such(kind: &str, class: &str) -> PyErr {
    Error::Type(format!("{class} is no {kind} of this package")).into()
}

fn unknown(name: &str, value: &str, known: &str) -> PyErr {
    Error::Value(format!("{name} is {value:?}, known are {known}")).into()
}
