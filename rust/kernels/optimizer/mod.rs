//! Optimizers: how a gradient changes a parameter.
//!
//! - `formula.rs`: [`Formula`], what one is, and the terms that several share; `clock.rs`: [`Clock`],
//!   what it counts from update to update.
//! - One optimizer a file, its settings and its formula (N5 has them all): `sgd.rs`, `dampened_sgd.rs`,
//!   `velocity_sgd.rs`; `adam.rs`, `amsgrad.rs`, `adamw.rs`, `nadam.rs`, `radam.rs`; `rmsprop.rs`, `adagrad.rs`; `lion.rs`.
//! - `options.rs`: [`Options`], what all of them take besides, and [`Method`], both together; `terms.rs`:
//!   [`Terms`], what becomes of a gradient before the formula.
//! - `registry.rs`: [`Optimizer`] and [`Rule`], one of them; a new one is a line there.
//! - `rules.rs`: what weights and biases of a layer are updated by.
//! - `update.rs`: [`FormulaWork`], what is done with a formula: [`Update`], and that of small networks.
//!
//! A parameter and its moments are stored with magnitudes below [`Real::FLUSH`](crate::simd::Real::FLUSH)
//! as +0; within an update they are as computed.

mod adagrad;
mod adam;
mod adamw;
mod amsgrad;
mod clock;
mod dampened_sgd;
mod formula;
mod lion;
mod nadam;
mod options;
mod radam;
mod registry;
mod rmsprop;
mod rules;
mod sgd;
mod terms;
mod update;
mod velocity_sgd;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamFormula, quotient};
pub use adamw::{AdamW, AdamWFormula};
pub use amsgrad::{Amsgrad, AmsgradFormula};
pub use clock::Clock;
pub use dampened_sgd::{DampenedSgd, DampenedSgdFormula};
pub use formula::{Formula, MOMENTS, Settings};
pub use lion::{Lion, LionFormula};
pub use nadam::{NAdam, NAdamFormula};
pub use options::{BatchWeight, Method, Options};
pub use radam::{RAdam, RAdamFormula};
pub use registry::{Optimizer, Rule, Rules};
pub use rmsprop::{RmsProp, RmsPropFormula};
pub use sgd::{Sgd, SgdFormula, plain_sgd};
pub use terms::{Terms, moved_average};
pub use update::{FormulaWork, Update};
pub use velocity_sgd::VelocitySgd;
