//! The negative log likelihood of Poisson's distribution, of the logarithm of its rate or of the rate.
//!
//! Without `full` (0) the term that depends on the target alone is left out; with 1 Stirling's
//! approximation of log t!, t log t - t + log(2 pi t) / 2, is added where t > 1, as PyTorch has it. There
//! t log t and the loss's own terms nearly cancel where the rate is near t, so both are one difference: of
//! e^d - 1 and d, of z and log(1 + z). With 2 it is t log t - t, wherever the target is: half of the deviance.

use super::pointwise::{LossFormula, Pair};
use crate::kernels::elementary::Elementary;
use crate::simd::Vector;

/// log(2 pi) / 2.
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// Of the logarithm x of the rate: e^x - t x, gradient e^x - t. A term whose factor is 0 is left out.
///
/// With `full`, where t > 1 and d = x - log t: t (e^d - 1 - d) + log(2 pi t) / 2. The deviance's is
/// t (e^d - 1 - d), of t = 0 e^x.
#[derive(Clone, Copy)]
pub(super) struct OfLogRates<T> {
    pub(super) full: T,
}

impl<T: Elementary> LossFormula<T> for OfLogRates<T> {
    const SHORT: bool = false;

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, x: V, t: V, _: V) -> Pair<V> {
        let rate = T::exp(x);
        let mut value = V::select(t.eq(V::zero()), rate, t.neg().fma(x, rate));
        if self.full != T::ZERO {
            let log = T::log(t);
            let d = x.sub(log);
            let distance = T::expm1(d).sub(d);
            value = if self.full == T::ONE {
                with_stirling(value, t, distance, log, V::zero())
            } else {
                V::select(t.eq(V::zero()), rate, t.mul(distance))
            };
        }
        Pair { value, gradient: rate.sub(t) }
    }
}

/// Of the rate x: x - t log(x + eps), gradient (x - t + eps) / (x + eps). A term whose factor is 0 is left
/// out.
///
/// With `full`, where t > 1 and z = (x - t + eps) / t: t (z - log(1 + z)) - eps + log(2 pi t) / 2, where
/// log(1 + z) is log(x + eps) - log t if abs(z) is no less than 1/2.
#[derive(Clone, Copy)]
pub(super) struct OfRates<T> {
    pub(super) full: T,
    pub(super) eps: T,
}

impl<T: Elementary> LossFormula<T> for OfRates<T> {
    const SHORT: bool = false;

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, x: V, t: V, _: V) -> Pair<V> {
        let eps = V::splat(self.eps);
        let (shifted, rest) = (x.add(eps), x.sub(t).add(eps));
        let log_rate = T::log(shifted);
        let mut value = V::select(t.eq(V::zero()), x, t.neg().fma(log_rate, x));
        if self.full != T::ZERO {
            let log = T::log(t);
            let z = rest.div(t);
            let near = z.abs().lt(V::constant(0.5));
            let ratio = V::select(near, T::log1p(z), log_rate.sub(log));
            value = with_stirling(value, t, z.sub(ratio), log, eps);
        }
        Pair { value, gradient: rest.div(shifted) }
    }
}

/// t distance - eps + log(2 pi t) / 2 where t > 1, elsewhere the value.
#[inline(always)]
fn with_stirling<T: Elementary, V: Vector<T>>(value: V, t: V, distance: V, log: V, eps: V) -> V {
    let half = V::constant(0.5).fma(log, V::constant(HALF_LOG_TAU));
    V::select(V::splat(T::ONE).lt(t), t.fma(distance, half.sub(eps)), value)
}
