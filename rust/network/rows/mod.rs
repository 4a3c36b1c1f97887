//! The layers that work on rows: features of samples that no other sample meets.
//!
//! - `program.rs`: [`RowProgram`], what these layers do in a step. `build.rs`: from layers to its ops.
//! - `run.rs`: the ops at work on some rows of a batch.

mod build;
mod program;
mod run;

pub(super) use build::RowBuilder;
pub(super) use program::RowProgram;
pub(super) use run::{RowContext, RowKernels};
