//! The functions and their derivatives, lane by lane.

use crate::kernels::elementary::Elementary;
use crate::simd::{Real, Vector};

/// An elementwise function a = f(z).
pub trait Curve<T: Elementary>: Copy {
    /// f(z).
    fn forward<V: Vector<T>>(self, z: V) -> V;
    /// f'(z), from z or from a as `Activation::needs_input` says; finite where that is.
    fn derivative<V: Vector<T>>(self, saved: V) -> V;
}

/// `above` where x > 0, else `below`.
#[inline(always)]
fn by_sign<T: Real, V: Vector<T>>(x: V, above: V, below: V) -> V {
    V::select(V::zero().lt(x), above, below)
}

#[derive(Clone, Copy)]
pub(super) struct Identity;

impl<T: Elementary> Curve<T> for Identity {
    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        z
    }
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, _: V) -> V {
        V::splat(T::ONE)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sigmoid;

impl<T: Elementary> Curve<T> for Sigmoid {
    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        T::sigmoid(z)
    }
    /// a (1 - a).
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, a: V) -> V {
        a.mul(V::splat(T::ONE).sub(a))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl<T: Elementary> Curve<T> for Tanh {
    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        T::tanh(z)
    }
    /// 1 - a^2.
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, a: V) -> V {
        a.neg().fma(a, V::splat(T::ONE))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Relu;

impl<T: Elementary> Curve<T> for Relu {
    /// In this order of arguments `max` passes a NaN on (N7).
    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        V::zero().max(z)
    }
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, a: V) -> V {
        by_sign(a, V::splat(T::ONE), V::zero())
    }
}

#[derive(Clone, Copy)]
pub(super) struct LeakyRelu<T> {
    pub(super) slope: T,
}

impl<T: Elementary> Curve<T> for LeakyRelu<T> {
    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        by_sign(z, z, z.mul(V::splat(self.slope)))
    }
    /// The slope is not negative, so a > 0 where z > 0.
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, a: V) -> V {
        by_sign(a, V::splat(T::ONE), V::splat(self.slope))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Elu<T> {
    pub(super) alpha: T,
}

impl<T: Elementary> Curve<T> for Elu<T> {
    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        by_sign(z, z, T::expm1(z).mul(V::splat(self.alpha)))
    }
    /// alpha e^z = a + alpha for z <= 0; alpha is not negative, so a > 0 where z > 0.
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, a: V) -> V {
        by_sign(a, V::splat(T::ONE), a.add(V::splat(self.alpha)))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Gelu;

impl<T: Elementary> Curve<T> for Gelu {
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
pub(super) struct Softplus<T> {
    pub(super) beta: T,
    pub(super) threshold: T,
}

impl<T: Elementary> Curve<T> for Softplus<T> {
    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        let beta = V::splat(self.beta);
        let x = z.mul(beta);
        V::select(V::splat(self.threshold).lt(x), z, T::softplus(x).div(beta))
    }
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, z: V) -> V {
        let x = z.mul(V::splat(self.beta));
        V::select(V::splat(self.threshold).lt(x), V::splat(T::ONE), T::sigmoid(x))
    }
}
