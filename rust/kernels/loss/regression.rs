//! Losses of a difference d = y - t: squared, absolute, of a quantile, Huber, log cosh.

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

/// The pinball loss of a quantile q: (1 - q) d above the target, -q d below it; the gradient is the factor
/// of d, 0 at 0.
#[derive(Clone, Copy)]
pub(super) struct Pinball;

impl<T: Elementary> LossFormula<T> for Pinball {
    const ONE_TARGET: bool = true;

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, y: V, t: V, q: V) -> Pair<V> {
        let d = y.sub(t);
        let zero = V::zero();
        let above = V::splat(T::ONE).sub(q);
        let size = V::select(zero.lt(d), above, q);
        Pair {
            value: size.mul(d.abs()),
            // As above, d itself is the last choice.
            gradient: V::select(zero.lt(d), above, V::select(d.lt(zero), q.neg(), d)),
        }
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

/// log cosh(d), gradient tanh(d).
///
/// With m = e^-abs(d) - 1, cosh(d) - 1 = m^2 / (2 + 2m): below 1 the loss is log1p of that, which does
/// not cancel. From 1 on it is abs(d) - log 2 + log1p(e^(-2 abs(d))), where nothing overflows. With
/// n = 1 - e^(-2 abs(d)) = -m (2 + m), tanh(abs(d)) = n / (2 - n).
#[derive(Clone, Copy)]
pub(super) struct LogCosh;

impl<T: Elementary> LossFormula<T> for LogCosh {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, y: V, t: V, _: V) -> Pair<V> {
        let d = y.sub(t);
        let (one, two) = (V::splat(T::ONE), V::constant(2.0));
        let size = d.abs();
        let m = T::expm1(size.neg());
        let e = m.add(one);
        let near = size.lt(one);
        let excess = V::select(near, m.mul(m).div(e.add(e)), e.mul(e));
        let line = V::select(near, V::zero(), size.sub(V::constant(std::f64::consts::LN_2)));
        let n = m.fma(m, m.add(m)).neg();
        Pair { value: line.add(T::log1p(excess)), gradient: n.div(two.sub(n)).copysign(d) }
    }
}
