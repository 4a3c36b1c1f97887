//! The layers before Flatten, which work on images of 16 samples.
//!
//! - `op.rs`: the ops on a block of images, and the plan that they make.
//! - `build.rs`: from the layers to ops; `stages.rs`: which ops go together, and in what bands.
//! - `run.rs`: the ops at work on one block.

mod build;
mod op;
mod run;
mod stages;

pub(super) use build::ImageBuilder;
pub(super) use op::{Home, ImageBuffer, ImagePlan};
pub(super) use run::ImageContext;
