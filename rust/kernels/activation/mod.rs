//! Activations: a = f(z), element by element, and the way back through them.
//!
//! - `kind.rs`: [`Activation`], any of them; the choice is made once a pass, outside its loops.
//! - `curve.rs`: the functions and their derivatives.
//! - `passes.rs`: the passes over panels and over plain memory.

mod curve;
mod kind;
mod passes;

pub use curve::Curve;
pub use kind::{Activation, CurveWork};
pub use passes::{ActivationBackward, ActivationForward, SigmoidBackwardElements, SigmoidElements};
