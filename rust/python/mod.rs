//! The extension module `ironmlp._core`.
//!
//! - `array.rs`: NumPy arrays, in and out; `data.rs`: arguments as numbers, copied and checked.
//! - `spec.rs`: layers, losses and optimizers from Python's objects; `error.rs`: errors to exceptions.
//! - `config.rs`, `functional.rs`: functions of the module.
//! - `model.rs`: `Model`, over `network.rs`, what models of all element types have in common, and
//!   `typed.rs`, a model of one; `state.rs` its optimizer state, `plans.rs` its plans and memory,
//!   `access.rs` who may use it when.
//! - `run.rs`: `Run`, a fit in progress; `predictor.rs`: `Predictor`, the fastest way to few rows.

mod access;
mod array;
mod config;
mod data;
mod error;
mod functional;
mod model;
mod network;
mod plans;
mod predictor;
mod run;
mod spec;
mod state;
mod typed;

/// The compiled part of ironmlp.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::config::{config, get_num_threads, set_num_threads};
    #[pymodule_export]
    use super::functional::{
        binary_cross_entropy, matmul, sigmoid, sigmoid_backward, sigmoid_cross_entropy_with_logits,
        softmax, softmax_cross_entropy_with_logits,
    };
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::predictor::Predictor;
    #[pymodule_export]
    use super::run::Run;
}
