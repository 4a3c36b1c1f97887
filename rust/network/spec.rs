//! A model as data: layers, loss, optimizer.

use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::loss::Loss;

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// y = x W^T + b.
    Linear(Linear),
    /// An elementwise function.
    Activation(Activation),
    /// Zeroes units with probability `p` in training and scales the others up.
    Dropout {
        /// Probability of zero, in [0, 1).
        p: f64,
    },
}

/// A fully connected layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Width of the input.
    pub in_features: usize,
    /// Width of the output.
    pub out_features: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Initial values.
    pub init: Init,
    /// Whether updates change it.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

/// How initial values are drawn; the names say the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// Weights and biases uniform within 1 / sqrt(fan_in), as `torch.nn.Linear`.
    TorchLinear,
    /// Weights uniform within sqrt(6 / (fan_in + fan_out)), biases zero (Glorot and Bengio, 2010).
    GlorotUniform,
    /// Weights normal with standard deviation sqrt(2 / fan_in), biases zero (He et al., 2015).
    HeNormal,
    /// All zero.
    Zeros,
    /// Weights and biases standard normal.
    Normal,
}

/// How a batch's losses become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their weighted mean.
    Mean,
    /// Their weighted sum.
    Sum,
}

/// The update of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent as `torch.optim.SGD`.
    Sgd {
        /// Factor on the velocity of the step before.
        momentum: f64,
        /// L2 penalty.
        weight_decay: f64,
        /// Whether the gradient looks ahead along the velocity.
        nesterov: bool,
    },
    /// Adam (Kingma and Ba, 2015) as `torch.optim.Adam`.
    Adam {
        /// Decay of the first and of the second moment.
        betas: (f64, f64),
        /// Added to the denominator.
        eps: f64,
        /// L2 penalty.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// Buffers of the parameters' size that it keeps between steps.
    #[must_use]
    pub fn moments(&self) -> usize {
        match self {
            Self::Sgd { momentum, .. } => usize::from(*momentum != 0.0),
            Self::Adam { .. } => 2,
        }
    }
}

/// A whole model.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// First to last.
    pub layers: Vec<Layer>,
    /// The loss and its reduction; none if the caller computes it.
    pub loss: Option<(Loss, Reduction)>,
    /// The optimizer.
    pub optimizer: Optimizer,
}

impl Spec {
    /// Checks that the layers fit each other and the loss.
    ///
    /// # Errors
    /// `Error::Shape` names the layer and both widths, `Error::Value` what else is wrong.
    pub fn check(&self) -> Result<()> {
        let mut width = None;
        for (index, layer) in self.layers.iter().enumerate() {
            if let Layer::Linear(linear) = layer {
                if linear.in_features == 0 || linear.out_features == 0 {
                    return Err(Error::Value(format!(
                        "layer {index}: Linear has {} inputs and {} outputs, both must be at least 1",
                        linear.in_features, linear.out_features
                    )));
                }
                if let Some(width) = width
                    && width != linear.in_features
                {
                    return Err(Error::Shape(format!(
                        "layer {index}: Linear takes {} features, gets {width}",
                        linear.in_features
                    )));
                }
                width = Some(linear.out_features);
            }
        }
        if width.is_none() {
            return Err(Error::Value("layers has no Linear layer, a network needs one".into()));
        }
        self.parameter_count()?;
        self.loss.as_ref().map_or(Ok(()), |(loss, _)| loss.check(self.out_features()))
    }

    /// The Linear layers with their indices in `layers`.
    pub fn linears(&self) -> impl DoubleEndedIterator<Item = (usize, &Linear)> {
        self.layers.iter().enumerate().filter_map(|(index, layer)| match layer {
            Layer::Linear(linear) => Some((index, linear)),
            _ => None,
        })
    }

    /// Columns of X.
    #[must_use]
    pub fn in_features(&self) -> usize {
        self.linears().next().map_or(0, |(_, linear)| linear.in_features)
    }

    /// Columns of the output.
    #[must_use]
    pub fn out_features(&self) -> usize {
        self.linears().next_back().map_or(0, |(_, linear)| linear.out_features)
    }

    /// Parameters, weights and biases.
    ///
    /// # Errors
    /// `Error::Value` if they are more than 64 bits count.
    pub fn parameter_count(&self) -> Result<u64> {
        let mut count = 0u64;
        for (index, linear) in self.linears() {
            let inputs = linear.in_features as u64 + u64::from(linear.bias);
            count = inputs
                .checked_mul(linear.out_features as u64)
                .and_then(|weights| count.checked_add(weights))
                .ok_or_else(|| {
                    Error::Value(format!(
                        "layer {index}: Linear({}, {}) has more parameters than 2^64",
                        linear.in_features, linear.out_features
                    ))
                })?;
        }
        Ok(count)
    }
}
