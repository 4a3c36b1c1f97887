//! What an optimizer is: settings, and the formula that they become before each update.

use std::fmt::Debug;

use super::Clock;
use crate::simd::{Real, Vector};

/// The most arrays of a parameter's size that an optimizer keeps beside it.
pub const MOMENTS: usize = 3;

/// An optimizer's settings but for the learning rate, which belongs to the model's state.
pub trait Settings: Copy {
    /// The formula with its numbers.
    type Formula<T: Real>: Formula<T>;

    /// How many arrays of a parameter's size are kept between updates.
    fn moments(&self) -> usize;

    /// Brings the clock's scalars to the update that it has just counted.
    fn advance(&self, clock: &mut Clock) {
        let _ = clock;
    }

    /// The same for parameters that do not decay.
    #[must_use]
    fn without_decay(self) -> Self;

    /// The formula of the update that the clock has counted. Its numbers are computed in `f64` and
    /// rounded to `T` once.
    fn formula<T: Real>(&self, learning_rate: f64, clock: &Clock) -> Self::Formula<T>;
}

/// A formula with the numbers that are the same for all elements of a parameter.
pub trait Formula<T: Real>: Copy + Debug + PartialEq {
    /// How many moments it reads and writes: as many as the settings have, fewer where a factor has
    /// rounded to 0.
    fn moments(self) -> usize;

    /// New parameters from parameters `w` and gradients `g`, as they are to be stored; `moments` become
    /// the new ones. Those that the formula does not use are left alone.
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V;
}

/// The gradient of the loss and of an L2 penalty, weight_decay / 2 * w^2.
#[inline(always)]
pub(in crate::kernels) fn decayed<T: Real, V: Vector<T>>(weight_decay: T, w: V, g: V) -> V {
    if weight_decay == T::ZERO { g } else { V::splat(weight_decay).fma(w, g) }
}

/// -1, 1, or the argument where it is 0 or NaN.
#[inline(always)]
pub(super) fn sign<T: Real, V: Vector<T>>(x: V) -> V {
    let (zero, one) = (V::zero(), V::splat(T::ONE));
    V::select(zero.lt(x), one, V::select(x.lt(zero), one.neg(), x))
}

/// What is added to a denominator. An `eps` that rounds to less than [`Real::FLUSH`] is that: an element
/// whose gradients have all been 0, as padding's are, would else become 0/0.
#[inline(always)]
pub(super) fn at_least_flush<T: Real>(eps: f64) -> T {
    let eps = T::from_f64(eps);
    if eps < T::FLUSH { T::FLUSH } else { eps }
}
