//! The layers that work on rows: features of samples that no other sample meets.
//!
//! - `build.rs`: from these layers to ops on buffers.
//! - `run.rs`: the ops at work on some rows of a batch.

mod build;
mod run;

pub(super) use build::RowBuilder;
pub(super) use run::{RowContext, RowKernels};
