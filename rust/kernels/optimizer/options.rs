//! What every optimizer takes besides its own settings.

use super::{Clock, Optimizer, Rules};
use crate::simd::Real;

/// The options; those of [`Options::default`] change nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Whether an optimizer's weight decay is also for biases and for the factors of normalizations.
    pub decay_bias: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { decay_bias: true }
    }
}

impl Options {
    /// Whether the weight and the bias of a layer decay; `matrix`: that the weight multiplies inputs, and is
    /// no factor of a normalization.
    #[inline]
    #[must_use]
    pub fn decays(&self, matrix: bool) -> [bool; 2] {
        [self.decay_bias || matrix, self.decay_bias]
    }
}

/// An optimizer with its options: how the parameters of a network are updated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Method {
    /// The formula.
    pub optimizer: Optimizer,
    /// What is done besides.
    pub options: Options,
}

impl Method {
    /// The rules of the update that the clock has counted, for a layer with the factor `lr_scale` on the
    /// learning rate, whose weight is a `matrix` or not.
    #[inline]
    #[must_use]
    pub fn rules<T: Real>(
        &self,
        learning_rate: f64,
        (lr_scale, matrix): (f64, bool),
        clock: &Clock,
    ) -> Rules<T> {
        self.optimizer.rules(learning_rate, lr_scale, self.options.decays(matrix), clock)
    }
}
