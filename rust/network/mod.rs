//! A model: data, plan, state, one step.
//!
//! - `nodes/`: the layers, one file a kind. `spec/`: layers, loss and optimizer as data; that they fit each
//!   other; initial values.
//! - `op.rs`: the ops of a plan, as data; `plan.rs`: from a spec to ops on buffers.
//! - `rows/`: the layers that work on rows; `image/`: those before Flatten; `tiny/`: networks that fit
//!   into L1. In each of them `build.rs` makes ops, and `run.rs` runs them.
//! - `batch.rs`: the rows that a step works on; `row_phase.rs`: what they do independently; `step.rs`:
//!   forward, loss, backward, apply; `update.rs`: how parameters change; `trace.rs`: one step with every
//!   tensor by name.
//! - `share.rs`: the row phase by columns of wide layers; `cost.rs`: how many threads phases get.
//! - `memory/`: where parameters, gradients and moments lie; the state; the workspace; the one place
//!   where a tile gets its pointers.
//! - `finite.rs`: whether a state is finite after a step.
//!
//! Three objects, never one: a [`Plan`] is immutable and shared, a [`State`] is what training
//! changes, a [`Workspace`] is the memory of one running step.

mod batch;
mod cost;
mod finite;
mod image;
mod memory;
mod nodes;
mod op;
mod plan;
mod row_phase;
mod rows;
mod share;
mod spec;
mod step;
mod tiny;
mod trace;
mod traced;
mod update;

pub use batch::{Batch, Head, Labels, StepLoss};
pub use memory::{Layout, State, Workspace};
pub use nodes::{Conv2d, Dropout, Init, Layer, LayerNorm, Linear, Shape, Sum, Weighted};
pub use op::Purpose;
pub use plan::{Plan, SLAB_ROWS};
pub use spec::{Input, Optimizer, Reduction, Spec, initial_parameters};
pub use update::Updates;
