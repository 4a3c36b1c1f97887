//! A whole model: layers, loss, optimizer, input.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::error::{Error, Result};
use crate::kernels::images::PixelOrder;
use crate::kernels::loss::Loss;
use crate::kernels::optimizer::{Optimizer, Options};
use crate::kernels::tuning::THIN;
use crate::network::nodes::{Layer, Sum, Tracked, Weighted, names};

/// How a batch's losses become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their weighted mean.
    Mean,
    /// Their weighted sum.
    Sum,
    /// As scikit-learn's networks have it: gradients are divided by the sum of the weights alone, and the mean
    /// is that of the loss that they report ([`Divisors::by_rows`](crate::kernels::loss::Divisors::by_rows)).
    Rows,
}

/// How rows of X become what the first layer sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// What all elements are divided by.
    pub scale: Option<f64>,
    /// The order of pixels in a row of X.
    pub order: PixelOrder,
    /// Whether X, and whether y, is standardized by what is learned of it.
    pub standardize: (bool, bool),
}

impl Default for Input {
    fn default() -> Self {
        Self { scale: None, order: PixelOrder::ChannelsFirst, standardize: (false, false) }
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
    /// What updates do besides.
    pub options: Options,
    /// What happens to X.
    pub input: Input,
}

impl Spec {
    /// The layers with parameters.
    pub fn weighted(&self) -> impl Iterator<Item = Weighted> {
        self.layers.iter().enumerate().filter_map(|(index, layer)| layer.weighted(index))
    }

    /// What the layers that keep statistics of their batches keep.
    pub fn tracked(&self) -> impl Iterator<Item = Tracked> {
        self.layers.iter().enumerate().filter_map(|(index, layer)| layer.tracked(index))
    }

    /// The layer that can take a pool's images as they are: a Linear one behind the pool and Flatten, with
    /// so many outputs that its gradient has them in the lanes.
    pub(in crate::network) fn linear_on_images(&self) -> Option<usize> {
        (0..self.layers.len()).find(|&layer| self.is_on_images(layer))
    }

    /// Whether a layer is that one. Its neighbours tell: rows do not become images again. What a sum reads
    /// as well has to be rows.
    fn is_on_images(&self, layer: usize) -> bool {
        let below = layer.checked_sub(2).and_then(|pool| self.layers.get(pool..=layer));
        matches!(below, Some([Layer::Pool(_), Layer::Flatten, Layer::Linear(linear)])
            if linear.out_features > THIN)
            && self.sums().all(|(_, from)| from != layer)
    }

    /// Whether a layer works on images, and comes before Flatten.
    pub(in crate::network) fn works_on_images(&self, layer: usize) -> bool {
        let flat = self.layers[..layer].iter().any(|below| matches!(below, Layer::Flatten));
        self.takes_images() && !flat
    }

    /// Whether a layer takes statistics of a batch of images.
    pub(in crate::network) fn tracks_images(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, Layer::BatchNorm(norm) if norm.images))
    }

    /// The sums, each with the first node that it goes around.
    pub(in crate::network) fn sums(&self) -> impl Iterator<Item = (usize, usize)> {
        self.layers.iter().enumerate().filter_map(|(sum, layer)| match layer {
            Layer::Sum(Sum { from }) => Some((sum, *from)),
            _ => None,
        })
    }

    /// How the layers are called, for the user: as in nested lists.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        names(&self.layers)
    }

    /// Whether a layer's weight has a second copy, for the gradient at its input: a Linear one's that reads
    /// rows. Convolutions make theirs anew for each step, and who reads images needs none.
    pub(in crate::network) fn is_copied(&self, layer: usize) -> bool {
        matches!(self.layers[layer], Layer::Linear(_)) && !self.is_on_images(layer)
    }

    /// A number that no other network has, but for chance (2^-64), unless its parameters lie and are
    /// updated in the same way, and its running statistics: by it a plan knows the states that it may work on.
    pub(in crate::network) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.optimizer.moments(), self.options.ema.is_some()).hash(&mut hasher);
        for Weighted { layer, inputs, outputs, shape, bias, trainable, .. } in self.weighted() {
            let copied = self.is_copied(layer);
            (layer, inputs, outputs, shape, bias, trainable, copied).hash(&mut hasher);
        }
        for Tracked { layer, channels, momentum } in self.tracked() {
            (layer, channels, momentum.map(f64::to_bits)).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Columns of the output: those of the last Linear layer, which what comes after it keeps.
    #[must_use]
    pub fn out_features(&self) -> usize {
        let of = |layer: &Layer| match layer {
            Layer::Linear(linear) => Some(linear.out_features),
            _ => None,
        };
        self.layers.iter().rev().find_map(of).unwrap_or(0)
    }

    /// How many numbers the targets of a row are, where they are no class.
    #[must_use]
    pub fn targets(&self) -> usize {
        let outputs = self.out_features();
        self.loss.as_ref().map_or(outputs, |(loss, _)| loss.targets(outputs))
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
                    let (layer, kind) = (&self.names()[weighted.layer], weighted.kind());
                    Error::Value(format!("layer {layer}: {kind} has more parameters than 2^64"))
                })?;
        }
        Ok(count)
    }
}
