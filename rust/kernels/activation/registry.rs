//! The activations that there are.

use super::curve::{Curve, CurveWork};
use super::gated::{Gelu, GeluTanh, Hardswish, Mish, Silu};
use super::rectified::{Elu, Identity, LeakyRelu, Relu, Selu};
use super::sigmoidal::{Sigmoid, Tanh};
use super::softplus::Softplus;
use crate::kernels::elementary::Elementary;

/// From the list of activations to [`Activation`], which is one of them; each has the name and the
/// numbers of its curve.
macro_rules! registry {
    ($(
        $(#[$doc:meta])*
        $Name:ident $({ $($(#[$of_field:meta])* $field:ident,)+ })?,
    )+) => {
        /// An elementwise function of a network.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Activation {
            $($(#[$doc])* $Name $({ $($(#[$of_field])* $field: f64,)+ })?,)+
        }

        impl Activation {
            /// Does work with this activation's curve: a choice for a whole pass, outside its loops.
            #[inline(always)]
            pub fn with<T: Elementary, W: CurveWork<T>>(self, work: W) -> W::Output {
                match self {
                    $(Self::$Name $({ $($field),+ })? => {
                        work.run($Name $({ $($field: T::from_f64($field)),+ })?)
                    })+
                }
            }
        }
    };
}

registry! {
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
        slope,
    },
    /// z where z > 0, else alpha (e^z - 1).
    Elu {
        /// At least 0.
        alpha,
    },
    /// 1.0507... times ELU with alpha = 1.6732...
    Selu,
    /// z/2 (1 + erf(z / sqrt(2))).
    Gelu,
    /// z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))).
    GeluTanh,
    /// z sigmoid(z).
    Silu,
    /// z tanh(log(1 + e^z)).
    Mish,
    /// z max(0, min(z + 3, 6)) / 6.
    Hardswish,
    /// log(1 + e^(beta z)) / beta; z where beta z > threshold.
    Softplus {
        /// Above 0.
        beta,
        /// At least 0.
        threshold,
    },
}

impl Activation {
    /// Whether the derivative is computed from the input z, not from the output a.
    #[must_use]
    pub fn needs_input(self) -> bool {
        struct NeedsInput;
        impl<T: Elementary> CurveWork<T> for NeedsInput {
            type Output = bool;
            #[inline(always)]
            fn run<C: Curve<T>>(self, _: C) -> bool {
                C::NEEDS_INPUT
            }
        }
        self.with::<f32, _>(NeedsInput)
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
            Self::Sigmoid => Some(work.run(Sigmoid)),
            Self::Tanh => Some(work.run(Tanh)),
            Self::Relu => Some(work.run(Relu)),
            _ => None,
        }
    }
}
