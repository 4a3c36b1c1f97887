//! Learning rate schedules: a rate for each count of epochs or updates.
//!
//! - `formula.rs`: [`Formula`], what one is; `registry.rs`: [`Curve`], one of them; a new one is a line there.
//! - `step.rs`, `multi_step.rs`, `exponential.rs`, `cosine.rs`, `warm_restarts.rs`, `one_cycle.rs`,
//!   `polynomial.rs`: one schedule a file, its numbers and its rates.
//! - `power.rs`, `anneal.rs`: what several of them need.
//! - `counted.rs`: [`Schedule`], a curve with what it counts and how it begins.
//!
//! Rates are in `f64`, and the same on every machine: there is no function of the standard library
//! between a count and its rate (N5 has the formulas).

mod anneal;
mod cosine;
mod counted;
mod exponential;
mod formula;
mod multi_step;
mod one_cycle;
mod polynomial;
mod power;
mod registry;
mod step;
mod warm_restarts;

pub use cosine::CosineAnnealing;
pub use counted::{Counted, Schedule, Warmup};
pub use exponential::Exponential;
pub use formula::{Counts, Formula, RATES, Rates};
pub use multi_step::MultiStep;
pub use one_cycle::OneCycle;
pub use polynomial::Polynomial;
pub use registry::Curve;
pub use step::Step;
pub use warm_restarts::WarmRestarts;
