//! 16 inputs x 16 or 32 outputs of a Linear layer: gradient, update, second copy.
//!
//! - `block.rs`: such a block, and what its update reads and writes.
//! - `gradient.rs`: its gradient, kept; `apply.rs`: the update from that.
//! - `prepare.rs`: what is done to a gradient before that; `sums.rs`: sums over blocks; `average.rs`: what is
//!   kept of the parameters afterwards.
//! - `train.rs`: both at once, with the gradient in registers.
//! - `lanes.rs`: all of it for an input that has a row of the batch in each lane.

mod apply;
mod average;
mod block;
mod gradient;
mod lanes;
mod prepare;
mod sums;
mod train;

pub use apply::ApplyBlock;
pub use block::{Average, Block, LinearState, Parameter, is_far};
pub use gradient::GradientBlock;
pub use lanes::{LanesGradient, TrainLanes};
pub use prepare::PrepareBlock;
pub use sums::ParameterSums;
pub(super) use sums::penalty_entry;
pub use train::TrainBlock;
