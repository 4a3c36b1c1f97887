//! Stochastic gradient descent as `torch.optim.SGD`.
//!
//! ```text
//! g = fma(weight_decay, w, g)                 if weight_decay != 0
//! m = fma(momentum, m, g), step = m           if momentum != 0, else step = g
//! step = fma(momentum, m, g)                  if nesterov
//! w = fma(-lr, step, w)
//! ```

use super::Clock;
use super::formula::{Formula, MOMENTS, Settings, decayed};
use crate::simd::{Real, Vector};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Factor on the velocity of the step before.
    pub momentum: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Whether the step looks ahead by one velocity.
    pub nesterov: bool,
}

/// The formula; its one moment is the velocity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdFormula<T> {
    lr: T,
    momentum: T,
    weight_decay: T,
    nesterov: bool,
}

impl Settings for Sgd {
    type Formula<T: Real> = SgdFormula<T>;

    fn moments(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, _: &Clock) -> SgdFormula<T> {
        SgdFormula {
            lr: T::from_f64(learning_rate),
            momentum: T::from_f64(self.momentum),
            weight_decay: T::from_f64(self.weight_decay),
            nesterov: self.nesterov,
        }
    }
}

impl<T: Real> Formula<T> for SgdFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        usize::from(self.momentum != T::ZERO)
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let g = decayed(self.weight_decay, w, g);
        let mut step = g;
        if self.momentum != T::ZERO {
            let momentum = V::splat(self.momentum);
            let velocity = momentum.fma(moments[0], g);
            step = if self.nesterov { momentum.fma(velocity, g) } else { velocity };
            moments[0] = velocity.flush();
        }
        plain_sgd(V::splat(self.lr), w, step)
    }
}

impl<T: Real> SgdFormula<T> {
    /// The learning rate, if there is neither momentum nor weight decay.
    #[inline(always)]
    pub(super) fn plain(self) -> Option<T> {
        (self.momentum == T::ZERO && self.weight_decay == T::ZERO).then_some(self.lr)
    }
}

/// SGD's step from `w`, as it is to be stored.
#[inline(always)]
pub fn plain_sgd<T: Real, V: Vector<T>>(lr: V, w: V, step: V) -> V {
    lr.neg().fma(step, w).flush()
}
