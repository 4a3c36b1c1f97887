//! A model as data.
//!
//! - `model.rs`: [`Spec`], the whole model; `../nodes/` has its layers.
//! - `shape.rs`: what each layer makes of a batch: that layers fit each other, the loss and the images.
//! - `initialize.rs`: the initial values of parameters.

mod initialize;
mod model;
mod shape;

pub use initialize::parameters as initial_parameters;
pub use model::{Input, Reduction, Spec};
