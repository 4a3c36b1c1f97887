//! log and log1p.

use super::coefficients::Coefficients;
use crate::simd::Vector;

/// e ln 2 + log(1 + z) for an integer e and -1/4 <= z <= 1/2.
///
/// The two large terms are added exactly (their sum and its error), so that only the last addition
/// rounds at the scale of the result: for e = -1 and 1 it may be smaller than both.
#[inline(always)]
fn combine<T: Coefficients, V: Vector<T>>(e: V, z: V) -> V {
    let large = e.mul(V::splat(T::LN2_SHORT));
    let sum = large.add(z);
    let error = z.sub(sum.sub(large));
    let small = e.fma(V::splat(T::LN2_SHORT_REST), T::log1p_tail(z));
    sum.add(small.add(error))
}

/// `result` where `0 < y < inf`; log's values at zero, infinity, NaN and below zero elsewhere.
#[inline(always)]
fn edges<T: Coefficients, V: Vector<T>>(y: V, result: V) -> V {
    let infinity = V::splat(T::INFINITY);
    // inf and NaN give themselves.
    let result = V::select(y.lt(infinity), result, y);
    let outside = V::select(y.eq(V::zero()), infinity.neg(), V::constant(f64::NAN));
    V::select(V::zero().lt(y), result, outside)
}

/// Exponent and mantissa of a positive normal number, the mantissa in [3/4, 3/2).
#[inline(always)]
fn split<T: Coefficients, V: Vector<T>>(x: V) -> (V, V) {
    let mantissa = x.mantissa();
    let exponent = x.exponent();
    let large = V::constant(1.5).le(mantissa);
    (
        V::select(large, exponent.add(V::splat(T::ONE)), exponent),
        V::select(large, mantissa.mul(V::constant(0.5)), mantissa),
    )
}

/// The natural logarithm.
#[inline(always)]
pub(super) fn log<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let subnormal = x.lt(V::splat(T::MIN_NORMAL));
    let normal = V::select(subnormal, x.mul(V::splat(T::RAISE)), x);
    let (e, f) = split(normal);
    let e = V::select(subnormal, e.sub(V::splat(T::RAISE_EXPONENT)), e);
    edges(x, combine(e, f.sub(V::splat(T::ONE))))
}

/// log(1 + x).
#[inline(always)]
pub(super) fn log1p<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let one = V::splat(T::ONE);
    let y = x.add(one);
    // The rounded 1 + x only chooses e; z = (1 + x) 2^-e - 1 is exact (Sterbenz) because 2^-e x
    // and 1 - 2^-e differ by a factor of two at most. 2^(2-e) and x/4 stand in for 2^-e and x:
    // 2^-e is subnormal for the largest x.
    let (e, _) = split(y);
    let scale = V::constant(2.0).sub(e).pow2();
    let quarter = V::constant(0.25);
    let z = x.mul(quarter).fma(scale, scale.mul(quarter).sub(one));
    let result = edges(y, combine(e, z));
    // x/4 loses the last bits of a subnormal x, and the sum the sign of -0.
    V::select(x.abs().lt(V::splat(T::LOG1P_TINY)), x, result)
}

/// log(1 + x) for 0 <= x <= 1 or NaN, for softplus: without the edges and with e in {0, 1}.
#[inline(always)]
pub(super) fn log1p_unit<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let half = V::constant(0.5);
    let large = half.le(x);
    let z = V::select(large, x.sub(V::splat(T::ONE)).mul(half), x);
    let e = V::select(large, V::splat(T::ONE), V::zero());
    combine(e, z)
}
