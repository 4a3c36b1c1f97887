//! The layers of a network before Flatten, which work on the images of 16 samples.
//!
//! A tile of the row phase takes one block of 16 samples, or a few, through the whole network while
//! they are in cache. Images live in memory of the tile's own, which the next tile uses again, so that
//! a batch needs no room for the activations of all its images. What sums over the batch are the
//! gradients of parameters: each block leaves its own, and the weight phase adds them
//! (`kernels/convolution/gradient.rs` has the order).
//!
//! Even a block's images may be larger than any cache: 20 MB behind the first convolution at
//! 227 x 227. So the ops from a convolution to its pool form a `Stage`, which goes over the images in
//! bands of rows, each through all ops before the next; and so do the ops back from the pool. The
//! gradient between pool and convolution takes the place of what the forward pass has kept there, or
//! exists as a window of rows alone.
//!
//! - `op.rs`: the ops, as data; `program.rs`: [`ImageProgram`], the stages that they form.
//! - `build.rs`, `back.rs`: from layers to a program, forward and back; `trail.rs`: what one leaves for the
//!   other; `memory.rs`: where its images get their memory; `stages.rs`: which ops go together, in bands of
//!   how many rows.
//! - `run.rs`: the ops at work on one block; `norm.rs`: those of a normalization over the batch, for which all
//!   blocks meet.

mod back;
mod build;
mod memory;
mod norm;
mod op;
mod program;
mod run;
mod stages;
mod trail;

pub(super) use build::ImageBuilder;
pub(super) use op::{Home, ImageBuffer};
pub(super) use program::ImageProgram;
pub(super) use run::ImageContext;
