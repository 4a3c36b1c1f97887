//! z times a gate, which goes from 0 to 1 as z grows: the two forms of GELU, SiLU, Mish,
//! and Hardswish.

use super::curve::Curve;
use crate::kernels::elementary::Elementary;
use crate::simd::Vector;

#[derive(Clone, Copy)]
pub(super) struct Gelu;

impl<T: Elementary> Curve<T> for Gelu {
    const NEEDS_INPUT: bool = true;

    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        T::gelu(z)
    }
    /// (1 + erf(z / sqrt(2))) / 2 + z e^(-z^2 / 2) / sqrt(2 pi).
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, z: V) -> V {
        let half = V::constant(0.5);
        let erf = T::erf(z.mul(V::constant(std::f64::consts::FRAC_1_SQRT_2)));
        let density = T::exp(z.mul(half).mul(z).neg()).mul(V::constant(0.398_942_280_401_432_7));
        z.fma(density, half.fma(erf, half))
    }
}

#[derive(Clone, Copy)]
pub(super) struct GeluTanh;

impl<T: Elementary> Curve<T> for GeluTanh {
    const NEEDS_INPUT: bool = true;

    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        T::gelu_tanh(z)
    }
    /// (1 + t) / 2 + z/2 (1 - t^2) sqrt(2/pi) (1 + 3 * 0.044715 z^2), t the tangent of the forward
    /// pass.
    ///
    /// From |z| = 10 on t is 1 to the last digit of f64 and the derivative 0 or 1; z is held there,
    /// lest z^2 overflow and be multiplied by 1 - t^2 = 0. In this order of arguments `min` and
    /// `max` pass a NaN on (N7).
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, z: V) -> V {
        let (one, half) = (V::splat(T::ONE), V::constant(0.5));
        let limit = V::constant(10.0);
        let z = limit.neg().max(limit.min(z));
        let scale = V::constant(0.797_884_560_802_865_4);
        let square = z.mul(z).mul(V::constant(0.044_715));
        let t = T::tanh(scale.mul(square.fma(z, z)));
        let slope = scale.mul(V::constant(3.0).fma(square, one));
        let rise = half.mul(z).mul(t.neg().fma(t, one));
        rise.fma(slope, half.fma(t, half))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Silu;

impl<T: Elementary> Curve<T> for Silu {
    const NEEDS_INPUT: bool = true;

    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        T::silu(z)
    }
    /// s (1 + z (1 - s)), s = sigmoid(z).
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, z: V) -> V {
        let one = V::splat(T::ONE);
        let s = T::sigmoid(z);
        s.mul(z.fma(one.sub(s), one))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Mish;

impl<T: Elementary> Curve<T> for Mish {
    const NEEDS_INPUT: bool = true;

    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        T::mish(z)
    }
    /// (n + 4 z c / d) / d, where n / d is the tangent, and with e = e^-abs(z):
    /// n = 1 + 2e, d = n + 2e^2, c = e^2 (1 + e) above 0; n = e (2 + e), d = 2 + n, c = e (1 + e) below.
    /// c is 0 before z overflows.
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, z: V) -> V {
        let one = V::splat(T::ONE);
        let e = T::exp(z.abs().neg());
        let twice = e.add(e);
        let (below, above) = (e.fma(e, twice), twice.add(one));
        let square = e.fma(e, e);
        let negative = z.sign_mask();
        let n = V::select(negative, below, above);
        let d = V::select(negative, below.add(V::constant(2.0)), twice.fma(e, above));
        let c = V::select(negative, square, e.mul(square));
        let reciprocal = one.div(d);
        let rise = z.mul(c.mul(V::constant(4.0)));
        rise.fma(reciprocal, n).mul(reciprocal)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Hardswish;

impl<T: Elementary> Curve<T> for Hardswish {
    const NEEDS_INPUT: bool = true;

    /// The gate is a ramp from z = -3 to 3. In this order of arguments `min` and `max` pass a NaN on (N7).
    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        let six = V::constant(6.0);
        let ramp = V::zero().max(six.min(z.add(V::constant(3.0))));
        z.mul(ramp.div(six))
    }
    /// (2z + 3) / 6 on the ramp; at its ends 0 and 1.
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, z: V) -> V {
        let three = V::constant(3.0);
        let slope = V::constant(2.0).fma(z, three).div(V::constant(6.0));
        let above = V::select(z.lt(three), slope, V::splat(T::ONE));
        V::select(z.le(three.neg()), V::zero(), above)
    }
}
