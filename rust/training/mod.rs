//! A training run: shuffled mini-batches of the data, epoch after epoch.
//!
//! - `data.rs`: X, targets and weights of a run, owned or held.
//! - `sampler.rs`: the order of the rows in an epoch.
//! - `run.rs`: the cursor, the losses, and when to stop. `stream.rs`: a run over batches that its caller
//!   brings. `own_loss.rs`: batches whose loss the caller computes.
//! - `tally.rs`: what a run counts, and the loss of an epoch. `validation.rs`: what other rows say of the
//!   network at its end.
//! - `score.rs`: accuracy and the coefficient of determination, of outputs and targets.
//! - `tuning.rs`: the numbers that decide about speed and memory alone.

mod data;
mod own_loss;
mod run;
mod sampler;
mod score;
mod stream;
mod tally;
mod tuning;
mod validation;

pub use data::{Data, OwnedTargets};
pub use run::{Pause, TrainingRun};
pub use sampler::{Order, Sampler};
pub use score::{Estimate, Prediction, Score, evaluate};
pub use stream::StreamRun;
pub use tally::Found;
pub use validation::{Column, Columns, Validation, Watched};
