//! Elementary functions on vectors, with the same bits on every instruction set.
//!
//! - `functions.rs`: [`Elementary`], all of them.
//! - `coefficients.rs`: the polynomials and bounds of each type ([`Coefficients`]); `polynomial.rs`: how a
//!   polynomial is computed.
//! - `exponential.rs`: exp, expm1. `logarithm.rs`: log, log1p.
//! - `logistic.rs`: sigmoid, tanh, SiLU. `softplus.rs`: softplus, [`Logits`]. `mish.rs`: Mish.
//! - `error_function.rs`: erf, GELU. `circle.rs`: cos of a turn, for random normals.
//! - `scalar.rs`: of one number, for settings.
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
//! | mish | 3 | 3 |
//! | silu, gelu, gelu_tanh | 4 eps abs(x), absolute | 4 eps abs(x), absolute |
//! | cos_two_pi | - | 2 |

mod circle;
mod coefficients;
mod error_function;
mod exponential;
mod functions;
mod logarithm;
mod logistic;
mod mish;
mod polynomial;
mod scalar;
mod softplus;

pub use circle::cos_two_pi;
pub use coefficients::Coefficients;
pub use functions::Elementary;
pub use scalar::exp_of;
pub use softplus::Logits;
