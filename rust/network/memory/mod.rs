//! Where the numbers of a model and of its steps lie.
//!
//! - `layout.rs`: where parameters, gradients and moments lie, and how they look from outside.
//! - `state.rs`: [`State`], what training changes; `finite.rs`: whether it is finite after a step;
//!   `rate.rs`: [`LearningRate`], the rates of its updates; `kept.rs`: [`KeptParameters`], to go back to.
//! - `running.rs`: the statistics of batches that normalizations keep beside their parameters.
//! - `block_sums.rs`: sums over pixels, on their way to the statistics of a batch of images.
//! - `buffers.rs`: the matrices between two ops; `workspace.rs`: [`Workspace`], the memory of one
//!   running step.
//! - `view.rs`: the one place where a tile gets its pointers.

mod block_sums;
mod buffers;
mod finite;
mod kept;
mod layout;
mod rate;
mod running;
mod state;
mod view;
mod workspace;

pub use buffers::BufferId;
pub(super) use buffers::Buffers;
pub use kept::KeptParameters;
pub use layout::Layout;
pub(super) use layout::{LayerLayout, transpose};
pub use rate::LearningRate;
pub(super) use running::RunningPlace;
pub use running::{NodeStatistics, Statistics};
pub use state::State;
pub(super) use view::{view, whole};
pub use workspace::Workspace;
