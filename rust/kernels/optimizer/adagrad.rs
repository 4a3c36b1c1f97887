//! Adagrad (Duchi, Hazan and Singer, 2011) as `torch.optim.Adagrad`; update t is counted from 1.
//!
//! ```text
//! g = fma(weight_decay, w, g)                 if weight_decay != 0
//! v = v + g g
//! w = fma(-(lr / (1 + (t - 1) lr_decay)), g / (sqrt(v) + eps), w)
//! ```

use super::Clock;
use super::formula::{Settings, at_least_flush};
use super::rmsprop::RmsPropFormula;
use crate::simd::Real;

/// The settings. The formula is RMSprop's with a sum in the place of the average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// What of the first learning rate is divided by grows with, at each update.
    pub lr_decay: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Added to the denominator; above 0.
    pub eps: f64,
}

impl Settings for Adagrad {
    type Formula<T: Real> = RmsPropFormula<T>;

    fn moments(&self) -> usize {
        1
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, clock: &Clock) -> RmsPropFormula<T> {
        let before = clock.steps.saturating_sub(1) as f64;
        RmsPropFormula {
            lr: T::from_f64(learning_rate / (1.0 + before * self.lr_decay)),
            alpha: T::ONE,
            one_minus_alpha: T::ONE,
            eps: at_least_flush(self.eps),
            weight_decay: T::from_f64(self.weight_decay),
            momentum: T::ZERO,
            centered: false,
        }
    }
}
