//! Random numbers as functions of what they are for: nothing is drawn, so nothing depends on order,
//! threads or what came before (docs/random.md holds the definitions).
//!
//! - `philox.rs`: [`Stream`], the numbers of one seed, purpose, layer, row and step.
//! - `initial.rs`: [`uniform`] and [`normal`] initial parameters.
//! - `permutation.rs`: [`permutation`], the order of the rows in an epoch, and [`split_order`].
//! - `dropout.rs`: [`DropoutMask`], which units of a batch stay.
//! - `mt19937.rs`: [`Mt19937`], NumPy's legacy generator, which is drawn from where a caller's program is
//!   to find the numbers that it knows.

mod dropout;
mod initial;
mod mt19937;
mod permutation;
mod philox;

pub use dropout::DropoutMask;
pub use initial::{normal, uniform};
pub use mt19937::{Mt19937, WORDS};
pub use permutation::{permutation, split_order};
pub use philox::{Purpose, Stream, Words};
