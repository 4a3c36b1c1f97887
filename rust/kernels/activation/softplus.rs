//! Softplus, with PyTorch's two numbers.

use super::curve::Curve;
use crate::kernels::elementary::Elementary;
use crate::simd::Vector;

#[derive(Clone, Copy)]
pub(super) struct Softplus<T> {
    pub(super) beta: T,
    pub(super) threshold: T,
}

impl<T: Elementary> Curve<T> for Softplus<T> {
    const NEEDS_INPUT: bool = true;

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
