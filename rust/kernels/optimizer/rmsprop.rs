//! RMSprop (Tieleman and Hinton, 2012; centered: Graves, 2013, "Generating sequences with recurrent neural
//! networks") as `torch.optim.RMSprop`.
//!
//! ```text
//! g = fma(weight_decay, w, g)                 if weight_decay != 0
//! v = fma(alpha, v, ((1 - alpha) g) g)
//! a = fma(1 - alpha, g - a, a)                if centered
//! u = max(fma(-a, a, v), 0)                   if centered, else u = v
//! step = g / (sqrt(u) + eps)
//! m = fma(momentum, m, step), step = m        if momentum != 0
//! w = fma(-lr, step, w)
//! ```

use super::Clock;
use super::formula::{Formula, MOMENTS, Settings, at_least_flush, decayed};
use crate::simd::{Real, Vector};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// Decay of the averages.
    pub alpha: f64,
    /// Added to the denominator; above 0.
    pub eps: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Factor on the velocity of the step before.
    pub momentum: f64,
    /// Whether it divides by the deviation of gradients instead of their size.
    pub centered: bool,
}

/// The formula; its moments are v, then a if centered, then m with momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsPropFormula<T> {
    pub(super) lr: T,
    pub(super) alpha: T,
    pub(super) one_minus_alpha: T,
    pub(super) eps: T,
    pub(super) weight_decay: T,
    pub(super) momentum: T,
    pub(super) centered: bool,
}

impl Settings for RmsProp {
    type Formula<T: Real> = RmsPropFormula<T>;

    fn moments(&self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum != 0.0)
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, _: &Clock) -> RmsPropFormula<T> {
        RmsPropFormula {
            lr: T::from_f64(learning_rate),
            alpha: T::from_f64(self.alpha),
            one_minus_alpha: T::from_f64(1.0 - self.alpha),
            eps: at_least_flush(self.eps),
            weight_decay: T::from_f64(self.weight_decay),
            momentum: T::from_f64(self.momentum),
            centered: self.centered,
        }
    }
}

impl<T: Real> Formula<T> for RmsPropFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum != T::ZERO)
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let g = decayed(self.weight_decay, w, g);
        let share = V::splat(self.one_minus_alpha);
        let mut variance = V::splat(self.alpha).fma(moments[0], share.mul(g).mul(g));
        moments[0] = variance.flush();
        if self.centered {
            let average = share.fma(g.sub(moments[1]), moments[1]);
            moments[1] = average.flush();
            // A NaN is the result, not 0.
            variance = V::zero().max(average.neg().fma(average, variance));
        }
        let mut step = g.div(variance.sqrt().add(V::splat(self.eps)));
        if self.momentum != T::ZERO {
            let last = if self.centered { moments[2] } else { moments[1] };
            step = V::splat(self.momentum).fma(last, step);
            let kept = step.flush();
            if self.centered {
                moments[2] = kept;
            } else {
                moments[1] = kept;
            }
        }
        V::splat(self.lr).neg().fma(step, w).flush()
    }
}
