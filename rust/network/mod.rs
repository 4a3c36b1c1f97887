//! A model: data, plan, state, one step.
//!
//! - `spec.rs`: layers, loss and optimizer as data; `shape.rs`: what each layer makes of a batch.
//! - `parameters.rs`: where parameters, gradients and moments lie; `initialize.rs`: their first values.
//! - `plan.rs`: from a spec to ops on buffers, with `row_builder.rs`; `op.rs`: the ops, and the one
//!   place where a tile gets its pointers.
//! - `images.rs`: the ops before Flatten, on images; `image_builder.rs`: from a spec to them, with
//!   `stages.rs`; `image_run.rs`: running them.
//! - `batch.rs`: the rows that a step works on; `step.rs`: forward, loss, backward, apply; `rows.rs`:
//!   its row phase; `parts.rs`: that phase by columns of wide layers; `update.rs`: its updates;
//!   `cost.rs`: how many threads they get.
//! - `finite.rs`: whether a state is finite after a step.
//! - `tiny.rs`: the step of a network that fits into L1.
//! - `trace.rs`: one step with every tensor by name.
//!
//! Three objects, never one: a [`Plan`] is immutable and shared, a [`State`] is what training
//! changes, a [`Workspace`] is the memory of one running step.

mod batch;
mod cost;
mod finite;
mod image_builder;
mod image_run;
mod images;
mod initialize;
mod op;
mod parameters;
mod parts;
mod plan;
mod row_builder;
mod rows;
mod shape;
mod spec;
mod stages;
mod state;
mod step;
mod tiny;
mod trace;
mod update;
mod workspace;

pub use batch::{Batch, Head, Labels, StepLoss};
pub use initialize::parameters as initial_parameters;
pub use parameters::Layout;
pub use plan::{Plan, Purpose, SLAB_ROWS};
pub use shape::Shape;
pub use spec::{Conv2d, Init, Input, Layer, Linear, Optimizer, Reduction, Spec, Weighted};
pub use state::State;
pub use update::Updates;
pub use workspace::Workspace;
