//! Any kind of layer.

use super::batch_norm::BatchNorm;
use super::conv2d::Conv2d;
use super::dropout::Dropout;
use super::flatten::Flatten;
use super::layer_norm::LayerNorm;
use super::linear::Linear;
use super::node::Node;
use super::parameters::Weighted;
use super::prelu::Prelu;
use super::sum::Sum;
use super::tracked::Tracked;
use crate::kernels::activation::Activation;
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
    /// An elementwise function with trained slopes.
    Prelu(Prelu),
    /// Zeroes units in training.
    Dropout(Dropout),
    /// Rows of mean 0 and variance 1, scaled and shifted.
    LayerNorm(LayerNorm),
    /// Features of mean 0 and variance 1 over a batch, scaled and shifted.
    BatchNorm(BatchNorm),
    /// Adds what a node before it took: the end of a residual connection.
    Sum(Sum),
}

impl Layer {
    /// What its kind knows.
    pub(in crate::network) fn node(&self) -> &dyn Node {
        match self {
            Self::Linear(linear) => linear,
            Self::Conv2d(conv) => conv,
            Self::Pool(pool) => pool,
            Self::Flatten => &Flatten,
            Self::Activation(activation) => activation,
            Self::Prelu(prelu) => prelu,
            Self::Dropout(dropout) => dropout,
            Self::LayerNorm(norm) => norm,
            Self::BatchNorm(norm) => norm,
            Self::Sum(sum) => sum,
        }
    }

    /// Its parameters, if it has any; `layer` is its number.
    pub(in crate::network) fn weighted(&self, layer: usize) -> Option<Weighted> {
        self.node().weighted(layer)
    }

    /// The statistics of batches that it keeps, if it does; `layer` is its number.
    pub(in crate::network) fn tracked(&self, layer: usize) -> Option<Tracked> {
        self.node().tracked(layer)
    }
}
