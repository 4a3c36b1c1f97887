//! A model as data: layers, loss, optimizer.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::convolution::Stencil;
use crate::kernels::gemm::THIN;
use crate::kernels::images::PixelOrder;
use crate::kernels::loss::Loss;
use crate::kernels::pooling::Pool;

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// y = x W^T + b.
    Linear(Linear),
    /// A convolution of images.
    Conv2d(Conv2d),
    /// One number for each window of an image.
    Pool(Pool),
    /// Images become rows.
    Flatten,
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

/// A convolution: each output channel from the input channels of its group.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2d {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// The convolution from one row of an image to the next.
    pub rows: Stencil,
    /// The convolution along a row.
    pub cols: Stencil,
    /// Divides both numbers of channels.
    pub groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Initial values.
    pub init: Init,
    /// Whether updates change it.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

impl Conv2d {
    /// Taps of the kernel.
    pub(super) fn taps(&self) -> usize {
        self.rows.kernel.saturating_mul(self.cols.kernel)
    }
}

/// What layers with parameters have in common: a weight of (outputs, inputs), or of that many in more
/// dimensions, and perhaps a bias of (outputs).
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// Index in the network's layers.
    pub layer: usize,
    /// Inputs of one output.
    pub inputs: usize,
    /// Outputs: units or channels.
    pub outputs: usize,
    /// Outputs that one input reaches, all outputs' taps counted.
    pub fan_out: usize,
    /// The weight's shape.
    pub shape: Vec<usize>,
    /// Whether there is a bias.
    pub bias: bool,
    /// Initial values.
    pub init: Init,
    /// Whether updates change it.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

impl Weighted {
    /// What the layer is, for messages.
    fn kind(&self) -> String {
        match self.shape[..] {
            [outputs, inputs] => format!("Linear({inputs}, {outputs})"),
            _ => format!("Conv2d with a weight of {:?}", self.shape),
        }
    }
}

impl Layer {
    fn weighted(&self, layer: usize) -> Option<Weighted> {
        Some(match self {
            Self::Linear(linear) => Weighted {
                layer,
                inputs: linear.in_features,
                outputs: linear.out_features,
                fan_out: linear.out_features,
                shape: vec![linear.out_features, linear.in_features],
                bias: linear.bias,
                init: linear.init,
                trainable: linear.trainable,
                lr_scale: linear.lr_scale,
            },
            Self::Conv2d(conv) => {
                let taps = conv.taps();
                let channels = conv.in_channels / conv.groups;
                Weighted {
                    layer,
                    inputs: channels.saturating_mul(taps),
                    outputs: conv.out_channels,
                    fan_out: conv.out_channels.saturating_mul(taps),
                    shape: vec![conv.out_channels, channels, conv.rows.kernel, conv.cols.kernel],
                    bias: conv.bias,
                    init: conv.init,
                    trainable: conv.trainable,
                    lr_scale: conv.lr_scale,
                }
            }
            Self::Pool(_) | Self::Flatten | Self::Activation(_) | Self::Dropout { .. } => {
                return None;
            }
        })
    }
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

/// How rows of X become what the first layer sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// What all elements are divided by.
    pub scale: Option<f64>,
    /// The order of pixels in a row of X.
    pub order: PixelOrder,
}

impl Default for Input {
    fn default() -> Self {
        Self { scale: None, order: PixelOrder::ChannelsFirst }
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
    /// What happens to X.
    pub input: Input,
}

impl Spec {
    /// The layers with parameters.
    pub fn weighted(&self) -> impl Iterator<Item = Weighted> {
        self.layers.iter().enumerate().filter_map(|(index, layer)| layer.weighted(index))
    }

    /// The layer that can take a pool's images as they are: a Linear one behind the pool and Flatten, with
    /// so many outputs that its gradient has them in the lanes.
    pub(super) fn linear_on_images(&self) -> Option<usize> {
        (0..self.layers.len()).find(|&layer| self.is_on_images(layer))
    }

    /// Whether a layer is that one. Its neighbours tell: rows do not become images again.
    fn is_on_images(&self, layer: usize) -> bool {
        let below = layer.checked_sub(2).and_then(|pool| self.layers.get(pool..=layer));
        matches!(below, Some([Layer::Pool(_), Layer::Flatten, Layer::Linear(linear)])
            if linear.out_features > THIN)
    }

    /// Whether a layer's weight has a second copy, for the gradient at its input: a Linear one's that reads
    /// rows. Convolutions make theirs anew for each step, and who reads images needs none.
    pub(super) fn is_copied(&self, layer: usize) -> bool {
        matches!(self.layers[layer], Layer::Linear(_)) && !self.is_on_images(layer)
    }

    /// A number that no other network has, but for chance (2^-64), unless its parameters lie and are
    /// updated in the same way: by it a plan knows the states that it may work on.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.optimizer.moments().hash(&mut hasher);
        for Weighted { layer, inputs, outputs, shape, bias, trainable, .. } in self.weighted() {
            let copied = self.is_copied(layer);
            (layer, inputs, outputs, shape, bias, trainable, copied).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Columns of the output.
    #[must_use]
    pub fn out_features(&self) -> usize {
        self.weighted().last().map_or(0, |last| last.outputs)
    }

    /// Parameters, weights and biases.
    ///
    /// # Errors
    /// `Error::Value` if they are more than 64 bits count.
    pub fn parameter_count(&self) -> Result<u64> {
        let mut count = 0u64;
        for weighted in self.weighted() {
            let Weighted { inputs, outputs, bias, .. } = weighted;
            count = (inputs as u64)
                .checked_add(u64::from(bias))
                .and_then(|inputs| inputs.checked_mul(outputs as u64))
                .and_then(|weights| count.checked_add(weights))
                .ok_or_else(|| {
                    let (layer, kind) = (weighted.layer, weighted.kind());
                    Error::Value(format!("layer {layer}: {kind} has more parameters than 2^64"))
                })?;
        }
        Ok(count)
    }
}
