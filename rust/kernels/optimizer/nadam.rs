//! Adam with Nesterov's momentum (Dozat, 2016, "Incorporating Nesterov momentum into Adam") as
//! `torch.optim.NAdam`; update t is counted from 1.
//!
//! ```text
//! c_t = c_(t-1) 0.96^momentum_decay           c_0 = 1
//! h_t = b1 (1 - c_t / 2)
//! p_t = p_(t-1) h_t                           p_0 = 1
//! g, m and v as Adam's
//! n = fma(lr h_(t+1) / (1 - p_t h_(t+1)), m, (lr (1 - h_t) / (1 - p_t)) g)
//! w = w - n / (sqrt(v) / sqrt(1 - b2^t) + eps)
//! ```

use super::formula::{Formula, MOMENTS, Settings};
use super::{Adam, AdamFormula, Clock};
use crate::kernels::elementary::exp_of;
use crate::simd::{Real, Vector};

/// log 0.96.
const LOG_096: f64 = -0.040_821_994_520_255_166;

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NAdam {
    /// Decay of the first and of the second moment.
    pub betas: (f64, f64),
    /// Added to the denominator; above 0.
    pub eps: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// 0.96^momentum_decay, what c is multiplied by.
    pub shrinking: f64,
}

/// The formula; its moments are m and v, the clock's scalars c, p and b2^t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NAdamFormula<T> {
    /// Its step is that of m.
    adam: AdamFormula<T>,
    gradient_step: T,
}

impl NAdam {
    /// The settings with torch's `momentum_decay`, at least 0.
    #[must_use]
    pub fn new(betas: (f64, f64), eps: f64, weight_decay: f64, momentum_decay: f64) -> Self {
        Self { betas, eps, weight_decay, shrinking: exp_of(momentum_decay * LOG_096) }
    }

    /// h for this c.
    fn momentum(&self, c: f64) -> f64 {
        self.betas.0 * (1.0 - 0.5 * c)
    }
}

impl Settings for NAdam {
    type Formula<T: Real> = NAdamFormula<T>;

    fn moments(&self) -> usize {
        2
    }

    fn advance(&self, clock: &mut Clock) {
        clock.scalars[0] *= self.shrinking;
        clock.scalars[1] *= self.momentum(clock.scalars[0]);
        clock.scalars[2] *= self.betas.1;
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, clock: &Clock) -> NAdamFormula<T> {
        let [c, product, power2] = clock.scalars;
        let (now, next) = (self.momentum(c), self.momentum(c * self.shrinking));
        let Self { betas, eps, weight_decay, .. } = *self;
        let ahead = learning_rate * next / (1.0 - product * next);
        NAdamFormula {
            adam: Adam { betas, eps, weight_decay, eps_hat: false }.numbers(ahead, power2),
            gradient_step: T::from_f64(learning_rate * (1.0 - now) / (1.0 - product)),
        }
    }
}

impl<T: Real> Formula<T> for NAdamFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        2
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let g = self.adam.decayed(w, g);
        let [m, v] = self.adam.averages(g, moments);
        let ahead = V::splat(self.adam.step_size).fma(m, V::splat(self.gradient_step).mul(g));
        w.sub(ahead.div(self.adam.denominator(v))).flush()
    }
}
