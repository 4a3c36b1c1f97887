//! The layers of a model, as nodes: data with inputs.
//!
//! Each node reads what the node before it gives, the first one X; a [`Sum`] also reads what another
//! node reads. A node's number is its place in the list, its name that of the user's layer: those of a
//! `Residual` at place k are "k.0", "k.1" and so on, and its sum, which comes after them, is "k".
//!
//! - `node.rs`: [`Node`], what each kind of layer knows of itself: what it makes of a sample, which
//!   parameters it has, and its ops on rows, forward and back.
//! - `linear.rs`, `conv2d.rs`, `pool.rs`, `flatten.rs`, `activation.rs`, `dropout.rs`, `prelu.rs`,
//!   `layer_norm.rs`, `batch_norm.rs`, `sum.rs`: one kind each. On images they are known to `image/build.rs`.
//! - `layer.rs`: [`Layer`], any of them; `names.rs`: how they are called.
//! - `shape.rs`: what is between two nodes; `parameters.rs`: what nodes with parameters have in common;
//!   `tracked.rs`: the same of those that keep statistics of their batches.
//! - `builder.rs`: what nodes put their ops and buffers into.

mod activation;
mod batch_norm;
mod builder;
mod conv2d;
mod dropout;
mod flatten;
mod layer;
mod layer_norm;
mod linear;
mod names;
mod node;
mod parameters;
mod pool;
mod prelu;
mod shape;
mod sum;
mod tracked;

pub use batch_norm::BatchNorm;
pub(super) use builder::{Builder, Gradient, Place, Trail};
pub use conv2d::Conv2d;
pub use dropout::Dropout;
pub use layer::Layer;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub(super) use names::names;
pub use parameters::{Init, Weighted};
pub use prelu::Prelu;
pub(super) use shape::PartialShape;
pub use shape::Shape;
pub use sum::Sum;
pub use tracked::Tracked;
