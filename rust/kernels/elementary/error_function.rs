//! erf and the two forms of GELU.

use super::coefficients::Coefficients;
use super::exponential::exp_nonpositive;
use super::logistic::sigmoid;
use super::polynomial::polynomial;
use crate::simd::Vector;

/// The error function: x + x p(x^2) near zero, 1 - e^-q(abs(x)) beyond.
///
/// Where the two meet, erfc is below 1/5, so the error of the exponential counts a fifth.
#[inline(always)]
pub(super) fn erf<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let a = x.abs();
    let near = x.fma(polynomial(x.mul(x), T::ERF_NEAR), x);
    let bounded = V::splat(T::ERF_LIMIT).min(a);
    let complement = exp_nonpositive(polynomial(bounded, T::ERF_FAR).neg());
    let far = V::splat(T::ONE).sub(complement).copysign(x);
    V::select(a.lt(V::splat(T::ERF_SPLIT)), near, far)
}

/// x/2 (1 + erf(x / sqrt(2))).
#[inline(always)]
pub(super) fn gelu<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let half = x.mul(V::constant(0.5));
    let erf = erf(x.mul(V::constant(std::f64::consts::FRAC_1_SQRT_2)));
    // Where the sum is 0 its sign is +, also for x = -0.
    half.fma(erf, half).copysign(x)
}

/// x sigmoid(2u) = x/2 (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3).
#[inline(always)]
pub(super) fn gelu_tanh<T: Coefficients, V: Vector<T>>(x: V) -> V {
    const LINEAR: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::SQRT_2;
    let cubic = x.mul(x).fma(V::constant(LINEAR * 0.044_715), V::constant(LINEAR));
    x.mul(sigmoid(x.mul(cubic)))
}
