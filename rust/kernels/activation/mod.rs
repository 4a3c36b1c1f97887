//! Activations: a = f(z), element by element, and the way back through them.
//!
//! `curve.rs` holds the functions and their derivatives, this file the passes over panels and over
//! plain memory. The choice of function is made once a pass, outside its loops.

mod curve;

pub use curve::Curve;

use std::marker::PhantomData;

use super::elementary::Elementary;
use super::elementwise::{Operation, each, each_panel};
use super::panels::Panels;
use crate::simd::{Kernel, Simd, Vector};

/// An elementwise function of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// z.
    Identity,
    /// 1 / (1 + e^-z).
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// max(0, z).
    Relu,
    /// z where z > 0, else slope z.
    LeakyRelu {
        /// At least 0.
        slope: f64,
    },
    /// z where z > 0, else alpha (e^z - 1).
    Elu {
        /// At least 0.
        alpha: f64,
    },
    /// z/2 (1 + erf(z / sqrt(2))).
    Gelu,
    /// z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))).
    GeluTanh,
    /// z sigmoid(z).
    Silu,
    /// log(1 + e^(beta z)) / beta; z where beta z > threshold.
    Softplus {
        /// Above 0.
        beta: f64,
        /// At least 0.
        threshold: f64,
    },
}

/// Work that is compiled once for each activation.
pub trait CurveWork<T: Elementary> {
    /// What the work gives back.
    type Output;
    /// Does the work; `#[inline(always)]`, as a kernel's `run`.
    fn run<C: Curve<T>>(self, curve: C) -> Self::Output;
}

impl Activation {
    /// Whether the derivative is computed from the input z, not from the output a.
    #[must_use]
    pub fn needs_input(self) -> bool {
        match self {
            Self::Identity
            | Self::Sigmoid
            | Self::Tanh
            | Self::Relu
            | Self::LeakyRelu { .. }
            | Self::Elu { .. } => false,
            Self::Gelu | Self::GeluTanh | Self::Silu | Self::Softplus { .. } => true,
        }
    }

    /// Does work with this activation's function.
    #[inline(always)]
    pub fn with<T: Elementary, W: CurveWork<T>>(self, work: W) -> W::Output {
        match self {
            Self::Identity => work.run(curve::Identity),
            Self::Sigmoid => work.run(curve::Sigmoid),
            Self::Tanh => work.run(curve::Tanh),
            Self::Relu => work.run(curve::Relu),
            Self::LeakyRelu { slope } => work.run(curve::LeakyRelu { slope: T::from_f64(slope) }),
            Self::Elu { alpha } => work.run(curve::Elu { alpha: T::from_f64(alpha) }),
            Self::Gelu => work.run(curve::Gelu),
            Self::GeluTanh => work.run(curve::GeluTanh),
            Self::Silu => work.run(curve::Silu),
            Self::Softplus { beta, threshold } => work.run(curve::Softplus {
                beta: T::from_f64(beta),
                threshold: T::from_f64(threshold),
            }),
        }
    }

    /// Whether it is among those that networks of images have most.
    #[must_use]
    pub fn is_frequent(self) -> bool {
        struct Nothing;
        impl<T: Elementary> CurveWork<T> for Nothing {
            type Output = ();
            #[inline(always)]
            fn run<C: Curve<T>>(self, _: C) {}
        }
        self.with_frequent::<f32, _>(Nothing).is_some()
    }

    /// As [`Self::with`], for the frequent ones; `None` of others. Each is a copy of the work.
    #[inline(always)]
    pub fn with_frequent<T: Elementary, W: CurveWork<T>>(self, work: W) -> Option<W::Output> {
        match self {
            Self::Sigmoid => Some(work.run(curve::Sigmoid)),
            Self::Tanh => Some(work.run(curve::Tanh)),
            Self::Relu => Some(work.run(curve::Relu)),
            _ => None,
        }
    }
}

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
            each::<T, S, _>(Forward(curve::Sigmoid), z, z, a, output.len());
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
            each::<T, S, _>(Unflushed(curve::Sigmoid), a, da, dz, grad.len());
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
