//! From the Python layer's specs to [`Spec`](crate::network::Spec), by class name and attributes.

mod layers;
mod losses;
mod model;
mod optimizers;
mod schedules;
mod values;

pub use model::{input, model};
pub use schedules::learning_rate;
