//! softplus, and all that the logistic loss takes from one exponential.

use super::coefficients::Coefficients;
use super::exponential::exp_nonpositive;
use super::logarithm::log1p_unit;
use crate::simd::Vector;

/// What cross-entropy needs of a logit x; each right to 16 eps relative, also where it is tiny.
#[derive(Clone, Copy, Debug)]
pub struct Logits<V> {
    /// log(1 + e^x), the loss of label 0.
    pub softplus: V,
    /// log(1 + e^-x), the loss of label 1.
    pub softplus_neg: V,
    /// sigmoid(x).
    pub sigmoid: V,
    /// sigmoid(-x) = 1 - sigmoid(x), without the cancellation.
    pub sigmoid_neg: V,
}

/// log(1 + e^x) = max(x, 0) + log1p(e^-abs(x)).
#[inline(always)]
pub(super) fn softplus<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let e = exp_nonpositive(x.abs().neg());
    V::zero().max(x).add(log1p_unit(e))
}

/// The four values of [`Logits`], from one exponential and one division of it.
#[inline(always)]
pub(super) fn logits<T: Coefficients, V: Vector<T>>(x: V) -> Logits<V> {
    let one = V::splat(T::ONE);
    let e = exp_nonpositive(x.abs().neg());
    let log = log1p_unit(e);
    let large = one.div(one.add(e));
    let small = e.mul(large);
    let negative = x.sign_mask();
    let zero = V::zero();
    Logits {
        softplus: zero.max(x).add(log),
        softplus_neg: zero.max(x.neg()).add(log),
        sigmoid: V::select(negative, small, large),
        sigmoid_neg: V::select(negative, large, small),
    }
}
