//! 16 inputs x 16 or 32 outputs of a Linear layer: gradient, update, second copy.
//!
//! - `block.rs`: such a block, and what its update reads and writes.
//! - `gradient.rs`: its gradient, kept; `apply.rs`: the update from that.
//! - `train.rs`: both at once, with the gradient in registers.
//! - `lanes.rs`: all of it for an input that has a row of the batch in each lane.

mod apply;
mod block;
mod gradient;
mod lanes;
mod train;

pub use apply::ApplyBlock;
pub use block::{Block, LinearState, Parameter, is_far};
pub use gradient::GradientBlock;
pub use lanes::{LanesGradient, TrainLanes};
pub use train::TrainBlock;
