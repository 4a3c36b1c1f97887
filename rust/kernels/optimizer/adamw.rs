//! Adam with decoupled weight decay (Loshchilov and Hutter, 2019) as `torch.optim.AdamW`.
//!
//! ```text
//! w = fma(-(lr weight_decay), w, w), then Adam's update without its own decay
//! ```

use super::formula::{Formula, MOMENTS, Settings};
use super::{Adam, AdamFormula, Clock};
use crate::simd::{Real, Vector};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Decay of the first and of the second moment.
    pub betas: (f64, f64),
    /// Added to the denominator; above 0.
    pub eps: f64,
    /// What of a parameter decays, times the learning rate.
    pub weight_decay: f64,
}

/// The formula; moments and scalars are Adam's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWFormula<T> {
    /// lr weight_decay.
    decay: T,
    adam: AdamFormula<T>,
}

impl AdamW {
    fn adam(&self) -> Adam {
        Adam { betas: self.betas, eps: self.eps, weight_decay: 0.0, eps_hat: false }
    }
}

impl Settings for AdamW {
    type Formula<T: Real> = AdamWFormula<T>;

    fn moments(&self) -> usize {
        self.adam().moments()
    }

    fn advance(&self, clock: &mut Clock) {
        self.adam().advance(clock);
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, clock: &Clock) -> AdamWFormula<T> {
        AdamWFormula {
            decay: T::from_f64(learning_rate * self.weight_decay),
            adam: self.adam().formula(learning_rate, clock),
        }
    }
}

impl<T: Real> Formula<T> for AdamWFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        self.adam.moments()
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let w = V::splat(self.decay).neg().fma(w, w);
        self.adam.lanes(w, g, moments)
    }
}
