//! A model: data, plan, state, one step.
//!
//! - `nodes/`: the layers, one file a kind. `spec/`: layers, loss and optimizer as data; that they fit
//!   each other; initial values.
//! - `memory/`: where parameters, gradients and moments lie; the state; the workspace; the one place
//!   where a tile gets its pointers.
//! - `op.rs`: the ops of a plan, as data. `plan.rs`: the plan, and `build.rs`: how it is made.
//! - `rows/`: the layers that work on rows; `image/`: those before Flatten; `tiny/`: networks that fit
//!   into L1. In each of them `build.rs` makes what `run.rs` runs.
//! - `step.rs`: running a plan: forward, loss, backward, apply; `own_loss.rs`: the same where the caller
//!   computes the loss in between. `batch.rs`: the rows that a step works on; `standard.rs`: what they are
//!   standardized by; `loss.rs`: their loss; `row_phase.rs`: all that rows do independently; `weight_phase.rs`: sums
//!   over the rows, and updates; `update.rs`: updates from gradients that are kept; `prepare.rs`: what is done to
//!   gradients before; `trace.rs`: one step
//!   with every tensor by name.
//! - `share.rs`: how many threads, and which rows a tile has; `segments.rs`: how the row phase falls into
//!   parts with barriers between; `tuning.rs`: the numbers that decide about speed alone.
//!
//! Three objects, never one: a [`Plan`] is immutable and shared, a [`State`] is what training
//! changes, a [`Workspace`] is the memory of one running step.

mod batch;
mod build;
mod image;
mod loss;
mod memory;
mod nodes;
mod op;
mod own_loss;
mod plan;
mod prepare;
mod row_phase;
mod rows;
mod segments;
mod share;
mod spec;
mod standard;
mod step;
mod tiny;
mod trace;
mod tuning;
mod update;
mod weight_phase;

pub use batch::{Batch, Head, StepLoss, Targets};
pub use memory::{
    KeptParameters, Layout, LearningRate, NodeStatistics, State, Statistics, Workspace,
};
pub use nodes::{
    BatchNorm, Conv2d, Dropout, Init, Layer, LayerNorm, Linear, Prelu, Shape, Sum, Tracked,
    Weighted,
};
pub use op::Task;
pub use plan::Plan;
pub use spec::{Input, Reduction, Spec, initial_parameters};
pub use standard::{Sample, Standards};
pub use tuning::SLAB_ROWS;
pub use update::Updates;
