//! Stochastic gradient descent with momentum that takes a part of each gradient, as
//! `torch.optim.SGD(dampening=)`. (Without momentum dampening is nothing, and with Nesterov's there is none.)
//!
//! ```text
//! g = fma(weight_decay, w, g)                 if weight_decay != 0
//! m = fma(momentum, m, share g)               share = 1 - dampening, of the first update 1
//! w = fma(-lr, m, w)
//! ```
//!
//! Whose share is -lr, and lr -1, moves parameters by its velocity: `velocity_sgd.rs`.

use super::formula::{Formula, MOMENTS, Settings, decayed};
use super::{Clock, plain_sgd};
use crate::simd::{Real, Vector};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DampenedSgd {
    /// Factor on the velocity of the step before; not 0.
    pub momentum: f64,
    /// The part of a gradient that the velocity does not take.
    pub dampening: f64,
    /// L2 penalty.
    pub weight_decay: f64,
}

/// The formula; its one moment is the velocity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DampenedSgdFormula<T> {
    pub(super) lr: T,
    pub(super) momentum: T,
    pub(super) share: T,
    pub(super) weight_decay: T,
    /// Whether the step looks ahead by one velocity.
    pub(super) nesterov: bool,
}

impl Settings for DampenedSgd {
    type Formula<T: Real> = DampenedSgdFormula<T>;

    fn moments(&self) -> usize {
        1
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, clock: &Clock) -> DampenedSgdFormula<T> {
        let share = if clock.steps > 1 { 1.0 - self.dampening } else { 1.0 };
        DampenedSgdFormula {
            lr: T::from_f64(learning_rate),
            momentum: T::from_f64(self.momentum),
            share: T::from_f64(share),
            weight_decay: T::from_f64(self.weight_decay),
            nesterov: false,
        }
    }
}

impl<T: Real> Formula<T> for DampenedSgdFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        1
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let share = V::splat(self.share).mul(decayed(self.weight_decay, w, g));
        let momentum = V::splat(self.momentum);
        let velocity = momentum.fma(moments[0], share);
        moments[0] = velocity.flush();
        let step = if self.nesterov { momentum.fma(velocity, share) } else { velocity };
        plain_sgd(V::splat(self.lr), w, step)
    }
}
