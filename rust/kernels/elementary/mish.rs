//! Mish.

use super::coefficients::Coefficients;
use super::exponential::{reduce, scale_down};
use crate::simd::Vector;

/// x tanh(log(1 + e^x)).
///
/// With e = e^-abs(x) the tangent is (1 + 2e) / (1 + 2e + 2e^2) above 0 and
/// e (2 + e) / (2 + e (2 + e)) below, where no term is negative. Below 0 the factor e = 2^-k p counts as
/// p, with what its rounding and that of its product with x have left, and 2^-k comes last: a subnormal
/// result is rounded once.
#[inline(always)]
pub(super) fn mish<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let (one, two) = (V::splat(T::ONE), V::constant(2.0));
    let a = V::splat(T::MISH_LIMIT).min(x.abs());
    let reduced = reduce(a.neg());
    let (q, k) = (reduced.q(), reduced.k.neg());
    let p = q.add(one);
    let e = scale_down(p, k);
    let twice = e.add(e);
    let (below, above) = (e.add(two), twice.add(one));
    let negative = x.sign_mask();
    let numerator = V::select(negative, below, above);
    let denominator = V::select(negative, e.fma(below, two), twice.fma(e, above));
    let quotient = numerator.div(denominator);
    // abs(x) e^r = product + rest, where e^r = p + (q - (p - 1)) exactly.
    let product = a.mul(p);
    let rest = a.fma(q.sub(p.sub(one)), a.fma(p, product.neg()));
    let below = scale_down(product.fma(quotient, rest.mul(quotient)), k).neg();
    V::select(negative, below, x.mul(quotient))
}
