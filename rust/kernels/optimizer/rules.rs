//! What the rules of a layer's parameters are.

use super::{Clock, Optimizer, Rule};
use crate::simd::Real;

/// The rules of one update of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules<T: Real> {
    /// Of its weight.
    pub weight: Rule<T>,
    /// Of its bias.
    pub bias: Rule<T>,
}

impl Optimizer {
    /// The rules of the update that the clock has counted, for a layer with the factor `lr_scale` on the
    /// learning rate: biases are updated, and decay, as weights.
    #[must_use]
    pub fn rules<T: Real>(&self, learning_rate: f64, lr_scale: f64, clock: &Clock) -> Rules<T> {
        let rule = self.rule(learning_rate * lr_scale, clock);
        Rules { weight: rule, bias: rule }
    }
}
