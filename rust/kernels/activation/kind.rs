//! Which function an activation is.

use super::curve::{self, Curve};
use crate::kernels::elementary::Elementary;

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
