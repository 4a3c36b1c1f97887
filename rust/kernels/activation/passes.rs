//! Activations of matrices in panels and of plain memory, forward and back.

use std::marker::PhantomData;

use super::curve::{Curve, CurveWork};
use super::registry::Activation;
use super::sigmoidal::Sigmoid;
use crate::kernels::elementary::Elementary;
use crate::kernels::elementwise::{Operation, each, each_panel};
use crate::kernels::panels::Panels;
use crate::simd::{Kernel, Simd, Vector};

/// a = f(z), padding columns included as far as the last register that holds a column reaches.
pub struct ActivationForward<T> {
    /// f.
    pub activation: Activation,
    /// z.
    pub input: Panels<T>,
    /// a, as many rows and columns; may be the memory of `input`.
    pub output: Panels<T>,
}

impl<T: Elementary> Kernel for ActivationForward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.activation.with(ForwardPass::<T, S> { kernel: &self, isa: PhantomData });
    }
}

struct ForwardPass<'a, T, S> {
    kernel: &'a ActivationForward<T>,
    isa: PhantomData<S>,
}

impl<T: Elementary, S: Simd> CurveWork<T> for ForwardPass<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<C: Curve<T>>(self, curve: C) {
        let ActivationForward { input, output, .. } = *self.kernel;
        each_panel::<T, S, _>(Forward(curve), input, input, output);
    }
}

/// dz = da f'(z), in place, padding columns as in [`ActivationForward`]: where da is 0 there and what
/// was saved is finite, dz is 0. Small results become +0 (N5).
pub struct ActivationBackward<T> {
    /// f.
    pub activation: Activation,
    /// z if [`Activation::needs_input`], else a.
    pub saved: Panels<T>,
    /// da, as many rows and columns; becomes dz.
    pub grad: Panels<T>,
}

impl<T: Elementary> Kernel for ActivationBackward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.activation.with(BackwardPass::<T, S> { kernel: &self, isa: PhantomData });
    }
}

struct BackwardPass<'a, T, S> {
    kernel: &'a ActivationBackward<T>,
    isa: PhantomData<S>,
}

impl<T: Elementary, S: Simd> CurveWork<T> for BackwardPass<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<C: Curve<T>>(self, curve: C) {
        let ActivationBackward { saved, grad, .. } = *self.kernel;
        each_panel::<T, S, _>(Backward(curve), saved, grad, grad);
    }
}

/// The sigmoid of each element.
pub struct SigmoidElements<'a, T> {
    /// z.
    pub input: &'a [T],
    /// a, of the same length.
    pub output: &'a mut [T],
}

impl<T: Elementary> Kernel for SigmoidElements<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { input, output } = self;
        assert_eq!(input.len(), output.len());
        // SAFETY: all have as many elements as `output`.
        unsafe {
            let (z, a) = (input.as_ptr(), output.as_mut_ptr());
            each::<T, S, _>(Forward(Sigmoid), z, z, a, output.len());
        }
    }
}

/// grad_output * output * (1 - output), element by element; small results stay.
pub struct SigmoidBackwardElements<'a, T> {
    /// sigmoid(z).
    pub output: &'a [T],
    /// The gradient with respect to it, of the same length.
    pub grad_output: &'a [T],
    /// Takes the gradient with respect to z, of the same length.
    pub grad: &'a mut [T],
}

impl<T: Elementary> Kernel for SigmoidBackwardElements<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { output, grad_output, grad } = self;
        assert!(output.len() == grad.len() && grad_output.len() == grad.len());
        // SAFETY: all have as many elements as `grad`.
        unsafe {
            let (a, da, dz) = (output.as_ptr(), grad_output.as_ptr(), grad.as_mut_ptr());
            each::<T, S, _>(Unflushed(Sigmoid), a, da, dz, grad.len());
        }
    }
}

#[derive(Clone, Copy)]
struct Forward<C>(C);

impl<T: Elementary, C: Curve<T>> Operation<T> for Forward<C> {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, z: V, _: V) -> V {
        self.0.forward(z)
    }
}

#[derive(Clone, Copy)]
struct Unflushed<C>(C);

impl<T: Elementary, C: Curve<T>> Operation<T> for Unflushed<C> {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, saved: V, grad: V) -> V {
        grad.mul(self.0.derivative(saved))
    }
}

#[derive(Clone, Copy)]
struct Backward<C>(C);

impl<T: Elementary, C: Curve<T>> Operation<T> for Backward<C> {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, saved: V, grad: V) -> V {
        Unflushed(self.0).lanes(saved, grad).flush()
    }
}
