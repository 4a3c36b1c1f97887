//! Lion (Chen and others, 2023, "Symbolic discovery of optimization algorithms", algorithm 2).
//!
//! ```text
//! c = fma(b1, m, (1 - b1) g)
//! m = fma(b2, m, (1 - b2) g)
//! w = fma(-lr, fma(weight_decay, w, sign(c)), w)
//! ```

use super::Clock;
use super::formula::{Formula, MOMENTS, Settings, sign};
use crate::simd::{Real, Vector};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    /// Decay of the moment, for the step's direction and for what is kept.
    pub betas: (f64, f64),
    /// What of a parameter decays, times the learning rate.
    pub weight_decay: f64,
}

/// The formula; its one moment is m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LionFormula<T> {
    lr: T,
    b1: T,
    one_minus_b1: T,
    b2: T,
    one_minus_b2: T,
    weight_decay: T,
}

impl Settings for Lion {
    type Formula<T: Real> = LionFormula<T>;

    fn moments(&self) -> usize {
        1
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, _: &Clock) -> LionFormula<T> {
        LionFormula {
            lr: T::from_f64(learning_rate),
            b1: T::from_f64(self.betas.0),
            one_minus_b1: T::from_f64(1.0 - self.betas.0),
            b2: T::from_f64(self.betas.1),
            one_minus_b2: T::from_f64(1.0 - self.betas.1),
            weight_decay: T::from_f64(self.weight_decay),
        }
    }
}

impl<T: Real> Formula<T> for LionFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        1
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let m = moments[0];
        let direction = V::splat(self.b1).fma(m, V::splat(self.one_minus_b1).mul(g));
        moments[0] = V::splat(self.b2).fma(m, V::splat(self.one_minus_b2).mul(g)).flush();
        let step = V::splat(self.weight_decay).fma(w, sign(direction));
        V::splat(self.lr).neg().fma(step, w).flush()
    }
}
