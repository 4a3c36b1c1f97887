//! The layers of a model, and what those with parameters have in common.

use crate::kernels::activation::Activation;
use crate::kernels::convolution::Stencil;
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
    pub(in crate::network) fn taps(&self) -> usize {
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
    pub(super) fn kind(&self) -> String {
        match self.shape[..] {
            [outputs, inputs] => format!("Linear({inputs}, {outputs})"),
            _ => format!("Conv2d with a weight of {:?}", self.shape),
        }
    }
}

impl Layer {
    pub(super) fn weighted(&self, layer: usize) -> Option<Weighted> {
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
