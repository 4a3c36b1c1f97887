//! Stochastic gradient descent with momentum whose velocity has the learning rate in it, as Keras's `SGD` and
//! scikit-learn's: what a velocity has gathered keeps the rate of its updates when the rate changes.
//!
//! ```text
//! g = fma(weight_decay, w, g)                 if weight_decay != 0
//! v = fma(momentum, v, -lr g), step = v
//! step = fma(momentum, v, -lr g)              if nesterov
//! w = w + step
//! ```

use super::formula::Settings;
use super::{Clock, DampenedSgdFormula};
use crate::simd::Real;

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VelocitySgd {
    /// Factor on the velocity of the step before.
    pub momentum: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Whether the step looks ahead by one velocity.
    pub nesterov: bool,
}

impl Settings for VelocitySgd {
    type Formula<T: Real> = DampenedSgdFormula<T>;

    fn moments(&self) -> usize {
        1
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, _: &Clock) -> DampenedSgdFormula<T> {
        DampenedSgdFormula {
            lr: T::from_f64(-1.0),
            momentum: T::from_f64(self.momentum),
            share: T::from_f64(-learning_rate),
            weight_decay: T::from_f64(self.weight_decay),
            nesterov: self.nesterov,
        }
    }
}
