//! Optimizers: how a gradient changes a parameter.
//!
//! - `formula.rs`: [`Formula`], what one is, and the terms that several share; `clock.rs`: [`Clock`],
//!   what it counts from update to update.
//! - `sgd.rs`, `adam.rs`, `adamw.rs`, `lion.rs`: one optimizer a file, its settings and its formula (N5 has them all).
//! - `options.rs`: [`Options`], what all of them take besides, and [`Method`], both together.
//! - `registry.rs`: [`Optimizer`] and [`Rule`], one of them; a new one is a line there.
//! - `rules.rs`: what weights and biases of a layer are updated by.
//! - `update.rs`: [`FormulaWork`], what is done with a formula: [`Update`], and that of small networks.
//!
//! A parameter and its moments are stored with magnitudes below [`Real::FLUSH`](crate::simd::Real::FLUSH)
//! as +0; within an update they are as computed.

mod adam;
mod adamw;
mod clock;
mod formula;
mod lion;
mod options;
mod registry;
mod rules;
mod sgd;
mod update;

pub use adam::{Adam, AdamFormula, quotient};
pub use adamw::{AdamW, AdamWFormula};
pub use clock::Clock;
pub use formula::{Formula, MOMENTS, Settings};
pub use lion::{Lion, LionFormula};
pub use options::{Method, Options};
pub use registry::{Optimizer, Rule, Rules};
pub use sgd::{Sgd, SgdFormula, plain_sgd};
pub use update::{FormulaWork, Update};
