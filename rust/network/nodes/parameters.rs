//! What nodes with parameters have in common.

/// A weight of (outputs, inputs), or of that many in more or fewer dimensions, and perhaps a bias of
/// (outputs).
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
    /// A number for each of so many features, `initial` at first, and perhaps a bias: as a weight with one
    /// input. `(trainable, lr_scale)` are the layer's.
    pub(super) fn by_feature(
        layer: usize,
        features: usize,
        (initial, bias): (f64, bool),
        (trainable, lr_scale): (bool, f64),
    ) -> Self {
        Self {
            layer,
            inputs: 1,
            outputs: features,
            fan_out: features,
            shape: vec![features],
            bias,
            init: Init::Constant(initial),
            trainable,
            lr_scale,
        }
    }

    /// Whether the weight multiplies inputs, as that of a Linear layer and of a convolution does, and is not
    /// one number for each feature.
    pub(in crate::network) fn is_matrix(&self) -> bool {
        self.shape.len() > 1
    }

    /// What the layer is, for messages.
    pub(in crate::network) fn kind(&self) -> String {
        match self.shape[..] {
            [features] => format!("a layer with a number for each of {features} features"),
            [outputs, inputs] => format!("Linear({inputs}, {outputs})"),
            _ => format!("Conv2d with a weight of {:?}", self.shape),
        }
    }
}

/// How initial values are drawn; the names say the source.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Weights this number, biases zero: one for a normalization, which changes nothing at first.
    Constant(f64),
}
