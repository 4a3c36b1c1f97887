//! The curves with two limits: sigmoid and tanh.

use super::curve::Curve;
use crate::kernels::elementary::Elementary;
use crate::simd::Vector;

#[derive(Clone, Copy)]
pub(super) struct Sigmoid;

impl<T: Elementary> Curve<T> for Sigmoid {
    const NEEDS_INPUT: bool = false;

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
    const NEEDS_INPUT: bool = false;

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
