//! Networks that fit into L1: the passes of a step over up to 16 rows, with samples in lanes.
//!
//! In panels a row's units lie side by side, and a layer of three units uses three lanes of sixteen.
//! Here matrices are turned: rows are units, columns are samples. The forward pass and the input
//! gradients work on turned matrices. The weight gradients are sums over rows, whose order N2
//! fixes, so for them the gradients at the outputs are turned back, and lanes are units again.
//!
//! Every sum is a chain of N1 or N2, so a step gives the bits of the general path.
//!
//! No matrix is larger than 16 x 16, and all have memory of that size, so that they are turned by
//! whole registers: what scalars have just stored, a vector load would wait for.
//!
//! - `layers.rs`: [`TinyLayer`], and [`Step`], what the passes of one step share.
//! - `rows.rs`: [`Rows`], what the rows of a chunk do independently: X, outputs, losses, gradients.
//! - `update.rs`: sums over the rows of a chunk, [`TinyUpdate`]; `penalty.rs`: [`TinyPenalty`], what is
//!   beside the loss.
//! - `steps.rs`: [`Steps`], both, one after the other.
//! - `chains.rs`: products; `turn.rs`: transposes.

mod chains;
mod layers;
mod penalty;
mod rows;
mod steps;
mod turn;
mod update;

pub use layers::{ROOM, Step, TinyLayer};
pub use penalty::TinyPenalty;
pub use rows::Rows;
pub use steps::{Steps, Then};
pub use update::TinyUpdate;
