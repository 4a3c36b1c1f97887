//! Losses: the loss of each row of a batch, and the gradient with respect to the outputs.
//!
//! - `registry.rs`: [`Loss`], the losses as data; a new sum over outputs is a line there.
//! - `loss_rows.rs`: [`LossRows`], their computation.
//! - `pointwise.rs`: the rows of losses that are a sum over outputs. Their formulas: `binary.rs` the
//!   cross-entropies of logits and of probabilities, `focal.rs` the focal loss, `regression.rs` squared,
//!   absolute, of quantiles, Huber, log cosh, `poisson.rs` Poisson's likelihood.
//! - `gaussian.rs`: the likelihood of a normal distribution, of two outputs for each target.
//! - `softmax.rs`: softmax cross-entropy, and softmax itself.
//! - `clipped.rs`: the cross-entropies of probabilities that are neither 0 nor 1.
//! - `classes.rs`: softmax cross-entropy of classes, with a row in each lane.
//! - `functional.rs`: the cross-entropies of whole row-major arrays.
//! - `rows.rs`: 16 columns of a row at a time, in panels or row-major.
//! - `weights.rs`: weights of rows and classes; `divisors.rs`: what a batch's losses are divided by.
//!
//! The loss of a row is summed in f64 over 16 lanes by column mod 16 (N3, N4); the rows' sum is
//! `kernels::reduce`'s. Gradients are the formula's in the element type, times s = weight / divisor,
//! where a row whose target is a class has its class's weight as a factor of its own.
//! A row of weight 0 costs 0 and has gradient 0, whatever its outputs are.

mod binary;
mod classes;
mod clipped;
mod divisors;
mod focal;
pub mod functional;
mod gaussian;
mod loss_rows;
mod pointwise;
mod poisson;
mod registry;
mod regression;
mod rows;
mod softmax;
mod weights;

pub use divisors::Divisors;
pub use loss_rows::{LossRows, RowTargets};
pub use registry::{IGNORED, Loss};
pub use softmax::Softmax;
pub use weights::{Divisor, RowWeights};
