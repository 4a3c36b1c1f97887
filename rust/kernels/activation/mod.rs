//! Activations: a = f(z), element by element, and the way back through them.
//!
//! - `curve.rs`: [`Curve`], what one is, and [`CurveWork`], what is done with it.
//! - `rectified.rs`, `sigmoidal.rs`, `gated.rs`, `softplus.rs`: the curves, by their shape.
//! - `registry.rs`: [`Activation`], one of them; a new one is a line there.
//! - `passes.rs`: the passes over panels and over plain memory.

mod curve;
mod gated;
mod passes;
mod rectified;
mod registry;
mod sigmoidal;
mod softplus;

pub use curve::{Curve, CurveWork};
pub use passes::{ActivationBackward, ActivationForward, SigmoidBackwardElements, SigmoidElements};
pub use registry::Activation;
