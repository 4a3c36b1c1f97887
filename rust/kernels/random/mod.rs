//! Random numbers as functions of what they are for: nothing is drawn, so nothing depends on order,
//! threads or what came before (docs/random.md holds the definitions).
//!
//! - `philox.rs`: [`Stream`], the numbers of one seed, purpose, layer, row and step.
//! - `initial.rs`: [`uniform`] and [`normal`] initial parameters.
//! - `permutation.rs`: [`permutation`], the order of the rows in an epoch, and [`split_order`].
//! - `dropout.rs`: [`DropoutMask`], which units of a batch stay.

mod dropout;
mod initial;
mod permutation;
mod philox;

pub use dropout::DropoutMask;
pub use initial::{normal, uniform};
pub use permutation::{permutation, split_order};
pub use philox::{Purpose, Stream, Words};
