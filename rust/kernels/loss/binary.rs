//! The binary cross-entropies, of logits and of probabilities.

use super::pointwise::{LossFormula, Pair};
use crate::kernels::elementary::{Elementary, Logits};
use crate::simd::Vector;

/// Of a logit x with target t and positive weight q.
///
/// value = (1 - t) softplus(x) + q t softplus(-x), gradient = (1 - t) sigmoid(x) - q t sigmoid(-x).
///
/// Neither subtracts numbers of like size when t is 0 or 1, as max(x, 0) - x t + ... and
/// sigmoid(x) - t do, so both are right to the last digits also where they are 1e-16. A term whose
/// factor is 0 is left out, so an infinite logit on the right side costs 0, not NaN.
#[derive(Clone, Copy)]
pub(super) struct OfLogits;

impl<T: Elementary> LossFormula<T> for OfLogits {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, x: V, t: V, q: V) -> Pair<V> {
        cross_entropy(T::logits(x), V::splat(T::ONE).sub(t), q.mul(t))
    }
}

/// negative softplus(x) + positive softplus(-x) of a logit x, and the derivative.
#[inline(always)]
pub(super) fn cross_entropy<T: Elementary, V: Vector<T>>(
    logits: Logits<V>,
    negative: V,
    positive: V,
) -> Pair<V> {
    let zero = V::zero();
    let if_negative = V::select(negative.eq(zero), zero, negative.mul(logits.softplus));
    let if_positive = V::select(positive.eq(zero), zero, positive.mul(logits.softplus_neg));
    Pair {
        value: if_negative.add(if_positive),
        gradient: positive.neg().fma(logits.sigmoid_neg, negative.mul(logits.sigmoid)),
    }
}

/// Of a probability p with target t.
///
/// value = -(t log p + (1 - t) log1p(-p)) with both logarithms at least -100, as PyTorch has it;
/// gradient = -(t / max(p, 1e-12) - (1 - t) / max(1 - p, 1e-12)).
#[derive(Clone, Copy)]
pub(super) struct OfProbabilities;

impl<T: Elementary> LossFormula<T> for OfProbabilities {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, p: V, t: V, _: V) -> Pair<V> {
        let one = V::splat(T::ONE);
        let (least_log, least) = (V::constant(-100.0), V::constant(1e-12));
        let negative = one.sub(t);
        // In this order of arguments `max` passes a NaN on (N7).
        let log = least_log.max(T::log(p));
        let log_rest = least_log.max(T::log1p(p.neg()));
        let to_one = t.div(least.max(p));
        let to_zero = negative.div(least.max(one.sub(p)));
        Pair { value: t.fma(log, negative.mul(log_rest)).neg(), gradient: to_zero.sub(to_one) }
    }
}
