//! A model: data, plan, state, one step.
//!
//! - `spec.rs`: layers, loss and optimizer as data.
//! - `parameters.rs`: where parameters, gradients and moments lie; `initialize.rs`: their first values.
//! - `plan.rs`: from a spec to ops on buffers; `op.rs`: the ops, and the one place where a tile gets
//!   its pointers.
//! - `batch.rs`: the rows that a step works on; `step.rs`: forward, loss, backward, apply;
//!   `cost.rs`: how many threads they get.
//! - `trace.rs`: one step with every tensor by name.
//!
//! Three objects, never one: a [`Plan`] is immutable and shared, a [`State`] is what training
//! changes, a [`Workspace`] is the memory of one running step.

mod batch;
mod cost;
mod initialize;
mod op;
mod parameters;
mod plan;
mod spec;
mod state;
mod step;
mod trace;
mod workspace;

pub use batch::{Batch, Head, Labels, StepLoss};
pub use parameters::Layout;
pub use plan::{Plan, Purpose, SLAB_ROWS};
pub use spec::{Init, Layer, Linear, Optimizer, Reduction, Spec};
pub use state::State;
pub use workspace::Workspace;
