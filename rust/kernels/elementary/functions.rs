//! The elementary functions by name.

use super::coefficients::Coefficients;
use super::softplus::Logits;
use super::{error_function, exponential, logarithm, logistic, softplus};
use crate::simd::Vector;

/// The elementary functions of a type, lane by lane.
///
/// A NaN gives a NaN; its sign and payload are unspecified.
pub trait Elementary: Coefficients {
    /// e^x: +0 below the range, inf above it.
    #[inline(always)]
    fn exp<V: Vector<Self>>(x: V) -> V {
        exponential::exp(x)
    }
    /// e^x - 1, without the cancellation at small x.
    #[inline(always)]
    fn expm1<V: Vector<Self>>(x: V) -> V {
        exponential::expm1(x)
    }
    /// The natural logarithm: -inf at zeros, NaN below.
    #[inline(always)]
    fn log<V: Vector<Self>>(x: V) -> V {
        logarithm::log(x)
    }
    /// log(1 + x), also for small x: -inf at -1, NaN below.
    #[inline(always)]
    fn log1p<V: Vector<Self>>(x: V) -> V {
        logarithm::log1p(x)
    }
    /// 1 / (1 + e^-x), of full relative accuracy also where it is tiny.
    #[inline(always)]
    fn sigmoid<V: Vector<Self>>(x: V) -> V {
        logistic::sigmoid(x)
    }
    /// The hyperbolic tangent.
    #[inline(always)]
    fn tanh<V: Vector<Self>>(x: V) -> V {
        logistic::tanh(x)
    }
    /// x * sigmoid(x); NaN at -inf.
    #[inline(always)]
    fn silu<V: Vector<Self>>(x: V) -> V {
        logistic::silu(x)
    }
    /// log(1 + e^x).
    #[inline(always)]
    fn softplus<V: Vector<Self>>(x: V) -> V {
        softplus::softplus(x)
    }
    /// softplus and sigmoid of x and -x, from one exponential.
    #[inline(always)]
    fn logits<V: Vector<Self>>(x: V) -> Logits<V> {
        softplus::logits(x)
    }
    /// The error function, 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x.
    #[inline(always)]
    fn erf<V: Vector<Self>>(x: V) -> V {
        error_function::erf(x)
    }
    /// x/2 (1 + erf(x / sqrt(2))); NaN at -inf.
    #[inline(always)]
    fn gelu<V: Vector<Self>>(x: V) -> V {
        error_function::gelu(x)
    }
    /// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); NaN at -inf.
    #[inline(always)]
    fn gelu_tanh<V: Vector<Self>>(x: V) -> V {
        error_function::gelu_tanh(x)
    }
}

impl Elementary for f32 {}
impl Elementary for f64 {}
