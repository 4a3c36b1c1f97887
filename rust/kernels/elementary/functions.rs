//! The elementary functions by name.

use super::coefficients::Coefficients;
use super::softplus::Logits;
use super::{error_function, exponential, logarithm, logistic, mish, softplus};
use crate::simd::Vector;

macro_rules! functions {
    ($($(#[$doc:meta])* fn $name:ident -> $result:ty = $module:ident;)*) => {
        /// The elementary functions of a type, lane by lane.
        ///
        /// A NaN gives a NaN; its sign and payload are unspecified.
        pub trait Elementary: Coefficients {$(
            $(#[$doc])*
            #[inline(always)]
            fn $name<V: Vector<Self>>(x: V) -> $result {
                if V::CALLS { called::$name(x) } else { $module::$name(x) }
            }
        )*}

        /// The same where operations are calls.
        mod called {
            use super::*;

            $(
                #[inline(never)]
                pub(super) fn $name<T: Coefficients, V: Vector<T>>(x: V) -> $result {
                    $module::$name(x)
                }
            )*
        }
    };
}

functions! {
    /// e^x: +0 below the range, inf above it.
    fn exp -> V = exponential;
    /// e^x - 1, without the cancellation at small x.
    fn expm1 -> V = exponential;
    /// The natural logarithm: -inf at zeros, NaN below.
    fn log -> V = logarithm;
    /// log(1 + x), also for small x: -inf at -1, NaN below.
    fn log1p -> V = logarithm;
    /// 1 / (1 + e^-x), of full relative accuracy also where it is tiny.
    fn sigmoid -> V = logistic;
    /// The hyperbolic tangent.
    fn tanh -> V = logistic;
    /// x * sigmoid(x); NaN at -inf.
    fn silu -> V = logistic;
    /// x * tanh(log(1 + e^x)); -0 at -inf.
    fn mish -> V = mish;
    /// log(1 + e^x).
    fn softplus -> V = softplus;
    /// softplus and sigmoid of x and -x, from one exponential.
    fn logits -> Logits<V> = softplus;
    /// The error function, 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x.
    fn erf -> V = error_function;
    /// x/2 (1 + erf(x / sqrt(2))); NaN at -inf.
    fn gelu -> V = error_function;
    /// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); NaN at -inf.
    fn gelu_tanh -> V = error_function;
}

impl Elementary for f32 {}
impl Elementary for f64 {}
