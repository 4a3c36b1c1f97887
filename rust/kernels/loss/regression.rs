//! Losses of a difference d = y - t: squared, absolute, Huber.

use super::pointwise::{LossFormula, Pair};
use crate::kernels::elementary::Elementary;
use crate::simd::Vector;

/// d^2, gradient 2 d.
#[derive(Clone, Copy)]
pub(super) struct Squared;

impl<T: Elementary> LossFormula<T> for Squared {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, y: V, t: V, _: V) -> Pair<V> {
        let d = y.sub(t);
        Pair { value: d.mul(d), gradient: d.add(d) }
    }
}

/// |d|, gradient the sign of d, 0 at 0.
#[derive(Clone, Copy)]
pub(super) struct Absolute;

impl<T: Elementary> LossFormula<T> for Absolute {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, y: V, t: V, _: V) -> Pair<V> {
        let d = y.sub(t);
        let zero = V::zero();
        let one = V::splat(T::ONE);
        // d itself is the last choice: 0, or NaN.
        let sign = V::select(zero.lt(d), one, V::select(d.lt(zero), one.neg(), d));
        Pair { value: d.abs(), gradient: sign }
    }
}

/// d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); gradient d, held within +-delta.
#[derive(Clone, Copy)]
pub(super) struct Huber<T> {
    pub(super) delta: T,
}

impl<T: Elementary> LossFormula<T> for Huber<T> {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, y: V, t: V, _: V) -> Pair<V> {
        let d = y.sub(t);
        let delta = V::splat(self.delta);
        let half = V::constant(0.5);
        let size = d.abs();
        let square = half.mul(d).mul(d);
        let line = delta.mul(half.neg().fma(delta, size));
        Pair {
            value: V::select(delta.lt(size), line, square),
            // In this order of arguments `min` and `max` pass a NaN on (N7).
            gradient: delta.neg().max(delta.min(d)),
        }
    }
}
