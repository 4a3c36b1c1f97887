//! The identity, and what is it above 0 and something else below.

use super::curve::Curve;
use crate::kernels::elementary::Elementary;
use crate::simd::{Real, Vector};

/// `above` where x > 0, else `below`.
#[inline(always)]
fn by_sign<T: Real, V: Vector<T>>(x: V, above: V, below: V) -> V {
    V::select(V::zero().lt(x), above, below)
}

#[derive(Clone, Copy)]
pub(super) struct Identity;

impl<T: Elementary> Curve<T> for Identity {
    const NEEDS_INPUT: bool = false;

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
pub(super) struct Relu;

impl<T: Elementary> Curve<T> for Relu {
    const NEEDS_INPUT: bool = false;

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
    const NEEDS_INPUT: bool = false;

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
    const NEEDS_INPUT: bool = false;

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

/// ELU with the two numbers that keep mean 0 and variance 1 from layer to layer.
#[derive(Clone, Copy)]
pub(super) struct Selu;

impl Selu {
    /// The slope above 0.
    const SCALE: f64 = 1.050_700_987_355_480_5;
    /// The scale times alpha, 1.6732632423543772: what is approached below 0, and the slope at 0.
    const BELOW: f64 = 1.758_099_340_847_376_9;
}

impl<T: Elementary> Curve<T> for Selu {
    const NEEDS_INPUT: bool = false;

    #[inline(always)]
    fn forward<V: Vector<T>>(self, z: V) -> V {
        by_sign(z, z.mul(V::constant(Self::SCALE)), T::expm1(z).mul(V::constant(Self::BELOW)))
    }
    /// As ELU's.
    #[inline(always)]
    fn derivative<V: Vector<T>>(self, a: V) -> V {
        by_sign(a, V::constant(Self::SCALE), a.add(V::constant(Self::BELOW)))
    }
}
