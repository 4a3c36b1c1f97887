//! What an activation is: a function and its derivative, lane by lane.

use crate::kernels::elementary::Elementary;
use crate::simd::Vector;

/// An elementwise function a = f(z).
pub trait Curve<T: Elementary>: Copy {
    /// Whether the derivative is computed from the input z, not from the output a.
    const NEEDS_INPUT: bool;

    /// f(z).
    fn forward<V: Vector<T>>(self, z: V) -> V;
    /// f'(z), from z or from a as [`Self::NEEDS_INPUT`] says; finite where that is.
    fn derivative<V: Vector<T>>(self, saved: V) -> V;
}

/// Work that is compiled once for each activation.
pub trait CurveWork<T: Elementary> {
    /// What the work gives back.
    type Output;
    /// Does the work; `#[inline(always)]`, as a kernel's `run`.
    fn run<C: Curve<T>>(self, curve: C) -> Self::Output;
}
