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
