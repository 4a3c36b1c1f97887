//! A training run: shuffled mini-batches of the data, epoch after epoch.
//!
//! - `data.rs`: X, targets and weights of a run, owned or held.
//! - `sampler.rs`: the order of the rows in an epoch.
//! - `run.rs`: the cursor, the losses, and when to stop.
//! - `tuning.rs`: the numbers that decide about speed and memory alone.

mod data;
mod run;
mod sampler;
mod tuning;

pub use data::{Data, OwnedTargets};
pub use run::{Pause, TrainingRun};
pub use sampler::Sampler;
