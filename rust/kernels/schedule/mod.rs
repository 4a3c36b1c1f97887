//! Learning rate schedules: a rate for each count of epochs or updates.
//!
//! - `formula.rs`: [`Formula`], what one is, and [`Parts`] of rates; `registry.rs`: [`Curve`], one of them; a
//!   new one is a line there.
//! - `step.rs`, `multi_step.rs`, `exponential.rs`, `cosine.rs`, `warm_restarts.rs`, `one_cycle.rs`,
//!   `polynomial.rs`: one schedule a file, its numbers and its rates.
//! - `rates.rs`: counts and rates; `power.rs`, `anneal.rs`: the functions in them.
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
mod rates;
mod registry;
mod step;
mod warm_restarts;

pub use anneal::Anneal;
pub use cosine::CosineAnnealing;
pub use counted::{Counted, Schedule, Warmup};
pub use exponential::Exponential;
pub use formula::{Formula, Parts};
pub use multi_step::MultiStep;
pub use one_cycle::OneCycle;
pub use polynomial::Polynomial;
pub use power::Powers;
pub use rates::{Counts, RATES, Rates};
pub use registry::Curve;
pub use step::Step;
pub use warm_restarts::WarmRestarts;
