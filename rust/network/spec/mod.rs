//! A model as data.
//!
//! - `layers.rs`: the layers, and what those with parameters have in common.
//! - `model.rs`: [`Spec`], the whole model.
//! - `shape.rs`: what each layer makes of a batch: that layers fit each other, the loss and the images.
//! - `initialize.rs`: the initial values of parameters.

mod initialize;
mod layers;
mod model;
mod shape;

pub use initialize::parameters as initial_parameters;
pub use layers::{Conv2d, Init, Layer, Linear, Weighted};
pub use model::{Input, Reduction, Spec};
pub use shape::Shape;
