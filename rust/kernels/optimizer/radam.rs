//! Adam with rectified steps (Liu and others, 2020, "On the variance of the adaptive learning rate and
//! beyond") as `torch.optim.RAdam`; update t is counted from 1.
//!
//! ```text
//! g, m and v as Adam's
//! n = 2 / (1 - b2) - 1, k = n - 2 t b2^t / (1 - b2^t)
//! r = sqrt(((k - 4) (k - 2) / k) / ((n - 4) (n - 2) / n))
//! w = fma(-(lr / (1 - b1^t) (r sqrt(1 - b2^t))), m / (sqrt(v) + eps), w)       if k > 5
//! w = fma(-(lr / (1 - b1^t)), m, w)                                          else
//! ```

use super::formula::{Formula, MOMENTS, Settings};
use super::{Adam, AdamFormula, Clock};
use crate::simd::{Real, Vector};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RAdam {
    /// Decay of the first and of the second moment.
    pub betas: (f64, f64),
    /// Added to the denominator; above 0.
    pub eps: f64,
    /// L2 penalty.
    pub weight_decay: f64,
}

/// The formula; moments and scalars are Adam's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RAdamFormula<T> {
    adam: AdamFormula<T>,
    /// Whether k > 5.
    adapted: bool,
}

impl RAdam {
    fn adam(&self) -> Adam {
        let Self { betas, eps, weight_decay } = *self;
        Adam { betas, eps, weight_decay, eps_hat: false }
    }

    /// r; none while v has had so few gradients that the variance of its inverse root is not finite.
    fn rectification(&self, clock: &Clock) -> Option<f64> {
        let (power2, t) = (clock.scalars[1], clock.steps as f64);
        let longest = 2.0 / (1.0 - self.betas.1) - 1.0;
        let length = longest - 2.0 * t * power2 / (1.0 - power2);
        let [now, at_last] = [length, longest].map(|n| (n - 4.0) * (n - 2.0) / n);
        (length > 5.0).then(|| (now / at_last).sqrt())
    }
}

impl Settings for RAdam {
    type Formula<T: Real> = RAdamFormula<T>;

    fn moments(&self) -> usize {
        self.adam().moments()
    }

    fn advance(&self, clock: &mut Clock) {
        self.adam().advance(clock);
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, clock: &Clock) -> RAdamFormula<T> {
        let [power1, power2, _] = clock.scalars;
        let rectification = self.rectification(clock);
        let factor = rectification.map_or(1.0, |r| r * (1.0 - power2).sqrt());
        RAdamFormula {
            adam: self.adam().numbers(learning_rate / (1.0 - power1) * factor, power2),
            adapted: rectification.is_some(),
        }
    }
}

impl<T: Real> Formula<T> for RAdamFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        self.adam.moments()
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let Self { adam, adapted } = self;
        let [m, v] = adam.averages(adam.decayed(w, g), moments);
        let step = if adapted { m.div(v.sqrt().add(V::splat(adam.eps))) } else { m };
        V::splat(adam.step_size).neg().fma(step, w).flush()
    }
}
