//! The focal loss: a binary cross-entropy of logits in which what is well classified counts little.

use super::binary::cross_entropy;
use super::pointwise::{LossFormula, Pair};
use crate::kernels::elementary::Elementary;
use crate::simd::Vector;

/// Of a logit x with target t, p = sigmoid(x), u = (1 - t) p + t (1 - p), what is missing to certainty, a =
/// t positive + (1 - t) negative, and c the cross-entropy, with its derivative c':
///
/// value = a u^gamma c, gradient = a u^gamma (c' + gamma p (1 - p) / u (1 - 2 t) c).
///
/// Where t is 0 or 1 both terms of the gradient have one sign, and p (1 - p) / u is a probability, so
/// nothing cancels. The power is u to the whole part of gamma, by squares and products, times e^(r log u)
/// for the rest r.
#[derive(Clone, Copy)]
pub(super) struct Focal<T> {
    pub(super) gamma: T,
    pub(super) positive: T,
    pub(super) negative: T,
}

impl<T: Elementary> LossFormula<T> for Focal<T> {
    const SHORT: bool = false;

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, x: V, t: V, _: V) -> Pair<V> {
        let (zero, one) = (V::zero(), V::splat(T::ONE));
        let logits = T::logits(x);
        let (p, rest) = (logits.sigmoid, logits.sigmoid_neg);
        let negative = one.sub(t);
        let entropy = cross_entropy(logits, negative, t);
        let missing = negative.fma(p, t.mul(rest));
        let share = V::select(missing.eq(zero), zero, p.mul(rest).div(missing));
        let slope = V::splat(self.gamma).mul(share).mul(negative.sub(t));
        let weight = t.fma(V::splat(self.positive), negative.mul(V::splat(self.negative)));
        let weight = weight.mul(power(missing, self.gamma));
        Pair {
            value: weight.mul(entropy.value),
            gradient: weight.mul(slope.fma(entropy.value, entropy.gradient)),
        }
    }
}

/// u^gamma of numbers from 0 to 1; of 0 with gamma 0 it is 1.
#[inline(always)]
fn power<T: Elementary, V: Vector<T>>(u: V, gamma: T) -> V {
    let gamma = gamma.to_f64();
    let mut whole = gamma as u64;
    let rest = gamma - whole as f64;
    let (mut power, mut square) = (V::splat(T::ONE), u);
    while whole > 0 {
        if whole & 1 == 1 {
            power = power.mul(square);
        }
        square = square.mul(square);
        whole >>= 1;
    }
    if rest > 0.0 { power.mul(T::exp(V::constant(rest).mul(T::log(u)))) } else { power }
}
