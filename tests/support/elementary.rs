//! What the two tests of the elementary functions share: the functions by name, how to run one on
//! an instruction set, and how to measure its error.

use ironmlp::kernels::elementary::Elementary;
use ironmlp::simd::{Isa, Kernel, LANES, Simd, Vector};

/// The functions of `Elementary`; the four `Logits` values count as functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Exp,
    Expm1,
    Log,
    Log1p,
    Sigmoid,
    Tanh,
    Softplus,
    Erf,
    Silu,
    Mish,
    Gelu,
    GeluTanh,
    LogitsSoftplus,
    LogitsSoftplusNeg,
    LogitsSigmoid,
    LogitsSigmoidNeg,
}

use Function::*;

impl Function {
    pub const ALL: [Self; 16] = [
        Exp,
        Expm1,
        Log,
        Log1p,
        Sigmoid,
        Tanh,
        Softplus,
        Erf,
        Silu,
        Mish,
        Gelu,
        GeluTanh,
        LogitsSoftplus,
        LogitsSoftplusNeg,
        LogitsSigmoid,
        LogitsSigmoidNeg,
    ];

    /// The largest error that f32 may have, in the unit of [`Function::error32`].
    pub fn bound32(self) -> f64 {
        match self {
            Exp | Log | Log1p | Sigmoid | Tanh => 1.0,
            Expm1 | Softplus | Erf => 2.0,
            // 16 eps relative is at least 8 ULP; half of that is asked for.
            LogitsSoftplus | LogitsSoftplusNeg | LogitsSigmoid | LogitsSigmoidNeg => 4.0,
            Mish => 3.0,
            Silu | Gelu | GeluTanh => 4.0,
        }
    }

    /// The largest error that f64 may have.
    #[allow(dead_code)] // only one of the two tests uses it
    pub fn bound64(self) -> f64 {
        match self {
            Mish => 3.0,
            Silu | Gelu | GeluTanh => 4.0,
            LogitsSoftplus | LogitsSoftplusNeg | LogitsSigmoid | LogitsSigmoidNeg => 4.0,
            _ => 2.0,
        }
    }

    /// Whether the error is measured in eps * abs(x) instead of ULP.
    pub fn absolute(self) -> bool {
        matches!(self, Silu | Gelu | GeluTanh)
    }

    /// The function from the C library in f64: its error is below 1e-8 ULP of f32.
    #[allow(clippy::disallowed_methods)] // the reference must not be the code under test
    pub fn reference(self, x: f64) -> f64 {
        fn sigmoid(x: f64) -> f64 {
            if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
        }
        fn softplus(x: f64) -> f64 {
            (if x < 0.0 { 0.0 } else { x }) + (-x.abs()).exp().ln_1p()
        }
        unsafe extern "C" {
            safe fn erf(x: f64) -> f64;
            safe fn erfc(x: f64) -> f64;
        }
        match self {
            Exp => x.exp(),
            Expm1 => x.exp_m1(),
            Log => x.ln(),
            Log1p => x.ln_1p(),
            Sigmoid | LogitsSigmoid => sigmoid(x),
            LogitsSigmoidNeg => sigmoid(-x),
            Tanh => x.tanh(),
            Softplus | LogitsSoftplus => softplus(x),
            LogitsSoftplusNeg => softplus(-x),
            Erf => erf(x),
            Silu => x * sigmoid(x),
            Mish if x == f64::NEG_INFINITY => -0.0,
            Mish => x * softplus(x).tanh(),
            Gelu => 0.5 * x * erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
            GeluTanh => {
                let two_over_pi = std::f64::consts::FRAC_2_PI;
                x * sigmoid(2.0 * two_over_pi.sqrt() * (x + 0.044715 * x * x * x))
            }
        }
    }

    /// The error of `got` at `x`, in ULP of the true value or in eps * abs(x).
    pub fn error32(self, x: f32, got: f32) -> f64 {
        let want = self.reference(f64::from(x));
        if want.is_nan() || got.is_nan() {
            return if want.is_nan() && got.is_nan() { 0.0 } else { f64::INFINITY };
        }
        if got == 0.0
            && (x == 0.0 || !self.absolute())
            && got.is_sign_negative() != want.is_sign_negative()
        {
            return f64::INFINITY;
        }
        if self.absolute() {
            if x == 0.0 || x.is_infinite() || f64::from(got) == want {
                return if f64::from(got) == want { 0.0 } else { f64::INFINITY };
            }
            // A rounded result may be off by half of the smallest subnormal number.
            let unit = f64::from(f32::EPSILON) * f64::from(x.abs()) + f64::from(f32::from_bits(1));
            return (f64::from(got) - want).abs() / unit;
        }
        ulps32(got, want)
    }
}

/// The distance of `got` from `want` in units in the last place of an f32 of `want`'s size.
pub fn ulps32(got: f32, want: f64) -> f64 {
    // What rounds to infinity counts as 2^128, the number after the largest one.
    let top = 2.0 * 2.0f64.powi_exact(127);
    let clip = |v: f64| {
        if v > top {
            top
        } else if v < -top {
            -top
        } else {
            v
        }
    };
    let (got, want) = (clip(f64::from(got)), clip(want));
    if got == want {
        return 0.0;
    }
    let exponent = ((want.abs().to_bits() >> 52) as i32 - 1023).clamp(-126, 127);
    (got - want).abs() / 2.0f64.powi_exact(exponent - 23)
}

trait PowiExact {
    fn powi_exact(self, n: i32) -> f64;
}

impl PowiExact for f64 {
    /// 2^n; the receiver is 2.
    fn powi_exact(self, n: i32) -> f64 {
        f64::from_bits(((1023 + n) as u64) << 52)
    }
}

struct Apply<'a, T> {
    function: Function,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Elementary> Kernel for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { function, x, y } = self;
        // A macro and not a closure: that would not be inlined into the function that enables the
        // instruction set, and each operation in it would be a call.
        macro_rules! map {
            ($lanes:ident => $value:expr) => {
                for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
                    let n = x.len();
                    // SAFETY: both chunks have n elements, and n is at most LANES.
                    let $lanes = unsafe { S::Lanes::<T>::load_partial(x.as_ptr(), n) };
                    // SAFETY: as above.
                    unsafe { $value.store_partial(y.as_mut_ptr(), n) };
                }
            };
        }
        match function {
            Exp => map!(v => T::exp(v)),
            Expm1 => map!(v => T::expm1(v)),
            Log => map!(v => T::log(v)),
            Log1p => map!(v => T::log1p(v)),
            Sigmoid => map!(v => T::sigmoid(v)),
            Tanh => map!(v => T::tanh(v)),
            Softplus => map!(v => T::softplus(v)),
            Erf => map!(v => T::erf(v)),
            Silu => map!(v => T::silu(v)),
            Mish => map!(v => T::mish(v)),
            Gelu => map!(v => T::gelu(v)),
            GeluTanh => map!(v => T::gelu_tanh(v)),
            LogitsSoftplus => map!(v => T::logits(v).softplus),
            LogitsSoftplusNeg => map!(v => T::logits(v).softplus_neg),
            LogitsSigmoid => map!(v => T::logits(v).sigmoid),
            LogitsSigmoidNeg => map!(v => T::logits(v).sigmoid_neg),
        }
    }
}

/// y[i] = function(x[i]) on one instruction set.
pub fn apply<T: Elementary>(isa: Isa, function: Function, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len());
    isa.run(Apply { function, x, y });
}
