//! Elementary functions on vectors, with the same bits on every instruction set.
//!
//! - `coefficients.rs`: the polynomials and bounds of each type ([`Coefficients`]).
//! - `exponential.rs`: exp, expm1. `logarithm.rs`: log, log1p.
//! - `logistic.rs`: sigmoid, tanh, SiLU. `softplus.rs`: softplus, [`Logits`].
//! - `error_function.rs`: erf, GELU. `circle.rs`: cos of a turn, for random normals.
//!
//! Every function is a straight line of additions, multiplications, fused multiply-adds, one or
//! two true divisions and selections, so a lane's result depends on that lane alone. There are no
//! tables, no estimates of reciprocals and no branches. Both types share the algorithms; only the
//! coefficients differ. Subnormal arguments and results are right to the same bound as others.
//!
//! Largest errors, in units in the last place of the true value (`tests/elementary_exhaustive.rs`
//! measures all 2^32 arguments of f32, `tests/elementary.rs` f64 against 50-digit references):
//!
//! | function | f32 bound | f64 bound |
//! |---|---|---|
//! | exp, log, log1p, sigmoid, tanh | 1 | 2 |
//! | expm1, erf, softplus | 2 | 2 |
//! | silu, gelu, gelu_tanh | 4 eps abs(x), absolute | 4 eps abs(x), absolute |
//! | cos_two_pi | - | 2 |

mod circle;
mod coefficients;
mod error_function;
mod exponential;
mod logarithm;
mod logistic;
mod softplus;

pub use circle::cos_two_pi;
pub use coefficients::Coefficients;
pub use softplus::Logits;

use crate::simd::{Real, Vector};

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

/// `c[0] + c[1] x + c[2] x^2 + ...`, a chain of fused multiply-adds from the last coefficient.
#[inline(always)]
fn polynomial<T: Real, V: Vector<T>>(x: V, c: &[T]) -> V {
    let (last, rest) = match c.split_last() {
        Some((&last, rest)) => (V::splat(last), rest),
        None => (V::zero(), c),
    };
    rest.iter().rev().fold(last, |sum, &c| sum.fma(x, V::splat(c)))
}
