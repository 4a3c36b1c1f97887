//! sigmoid, tanh and SiLU.
//!
//! Both functions are one division of two sums that are themselves rounded. The residual of that
//! division against the unrounded sums is computed with fused multiply-adds and added back, which
//! leaves the last rounding and the error of e^r: one division, and less than 1 ULP.

use super::coefficients::Coefficients;
use super::exponential::{Reduced, reduce, scale_down};
use crate::simd::Vector;

/// 1 / (1 + e^-x).
///
/// With abs(x) = k ln 2 + r and m = 2^-k: sigmoid(-abs(x)) = m / (m + e^r), and sigmoid(abs(x)) is
/// 1 minus that. m is a power of two, so the last product is exact or the one rounding of a
/// subnormal result.
#[inline(always)]
pub(super) fn sigmoid<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let one = V::splat(T::ONE);
    let reduced = reduce(V::splat(T::SIGMOID_LIMIT).min(x.abs()));
    let q = reduced.q();
    let m = scale_down(one, reduced.k);
    // e^r = p + rest exactly.
    let p = q.add(one);
    let rest = q.sub(p.sub(one));
    let y = one.div(m.add(p));
    let minus_y = y.neg();
    let residual = minus_y.fma(rest, minus_y.fma(m, minus_y.fma(p, one)));
    // abs(0 - y m), or 1 - y m: the product is exact, or too small to change 1.
    let y = y.fma(residual, y);
    y.neg().fma(m, one.unless_negative(x)).abs()
}

/// The hyperbolic tangent.
///
/// With -2 abs(x) = k ln 2 + r, m = 2^k and q = e^r - 1:
/// tanh(abs(x)) = (1 - m - m q) / (1 + m + m q). Where k is 0 the numerator is -q, of full relative
/// accuracy; q enters in its two parts, for near abs(x) = ln(2) / 4 its rounding alone would cost
/// 0.7 ULP.
#[inline(always)]
pub(super) fn tanh<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let one = V::splat(T::ONE);
    let a = V::splat(T::TANH_LIMIT).min(x.abs());
    let Reduced { k, head, curve } = reduce(a.add(a).neg());
    let m = k.pow2();
    // m = c + (m - c), where 1 + c and 1 - c are exact; m - c is 0 unless m is below eps.
    let upper = one.add(m);
    let c = upper.sub(one);
    let lower = one.sub(c);
    let w = m.fma(head, m.sub(c));
    let v = m.mul(curve);
    let reciprocal = one.div(upper.add(w).add(v));
    // lower - w = first + rest exactly (lower is 0 or above abs(w)). The residual begins with what is
    // close to y upper, so that its own roundings are those of small numbers.
    let first = lower.sub(w);
    let rest = lower.sub(first).sub(w);
    let y = first.sub(v).mul(reciprocal);
    let minus_y = y.neg();
    let residual = w.fma(minus_y, minus_y.fma(upper, first).sub(v));
    let residual = v.fma(minus_y, residual).add(rest);
    residual.fma(reciprocal, y).copysign(x)
}

/// x sigmoid(x).
#[inline(always)]
pub(super) fn silu<T: Coefficients, V: Vector<T>>(x: V) -> V {
    x.mul(sigmoid(x))
}
