//! The layers that work on rows: features of samples that no other sample meets.
//!
//! - `build.rs`: from these layers to ops on buffers.
//! - `run.rs`: the row phase of a step: gather, forward pass, loss, input gradients.

mod build;
mod run;

pub(super) use build::RowBuilder;
pub(super) use run::{Pass, Reach};
