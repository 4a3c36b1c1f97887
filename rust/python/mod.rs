//! The extension module `ironmlp._core`: the only files that know PyO3 and NumPy.
//!
//! - `entry.rs`: what every call from Python goes through, and what a long one does on its way.
//!   `environment.rs`: `Environment`, the same for arithmetic in Python.
//! - `handle.rs`: `Model`; `model.rs`: its methods, whose arguments become views, numbers and specs here.
//!   `run.rs`: `Run`, a fit in progress; `legacy_shuffle.rs`: `LegacyShuffle`, orders for one.
//!   `predictor.rs`: `Predictor`. `rates.rs`: `Rates`. `snapshot.rs`: `Snapshot`; `objective.rs`:
//!   `Objective`, a loss for optimizers outside.
//! - `network.rs`: what models, runs and predictors of all element types have in common; `shared.rs`: what
//!   a model of one of them has, and its runs and predictors with it; `typed.rs`: what that model does;
//!   `packed.rs`: its parameters as (in, out) arrays; `typed_run.rs`: its fits over arrays, `stream.rs`: those over batches that come one by one.
//! - `functional.rs`: functions of arrays. `config.rs`: what this installation is and uses.
//! - `array.rs`: NumPy arrays that come in, `output.rs`: those that go out; all `unsafe` of this floor.
//!   `samples.rs`: X; `table.rs`: `Table`, one that is no array.
//!   `data.rs`: arguments as numbers, checked; `validation.rs`: those of a fit's validation.
//!   `spec/`: layers, loss, optimizer and schedule. `state.rs`: the optimizer's state.
//!   `standard.rs`: what data are standardized by.
//! - `access.rs`: who may use a model now. `route.rs`: which plan a call takes; `plans.rs`: plans and
//!   workspaces; `kept.rs`: those that are kept for the next calls.
//! - `error.rs`: errors as exceptions. `tuning.rs`: the numbers that decide about speed and memory alone.

mod access;
mod array;
mod config;
mod data;
mod entry;
mod environment;
mod error;
mod functional;
mod handle;
mod kept;
mod legacy_shuffle;
mod model;
mod network;
mod objective;
mod output;
mod own_loss;
mod packed;
mod plans;
mod predictor;
mod rates;
mod route;
mod run;
mod running;
mod samples;
mod shared;
mod snapshot;
mod spec;
mod standard;
mod state;
mod stream;
mod table;
mod tuning;
mod typed;
mod typed_run;
mod validation;

/// The compiled part of ironmlp: training, prediction and array functions in Rust.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::config::{
        cap_threads, chunks_of_workers, config, force_threads, get_num_threads, set_num_threads,
        thread_complaint,
    };
    #[pymodule_export]
    use super::environment::Environment;
    #[pymodule_export]
    use super::functional::{
        binary_cross_entropy, exp, matmul, sigmoid, sigmoid_backward,
        sigmoid_cross_entropy_with_logits, softmax, softmax_cross_entropy_with_logits,
    };
    #[pymodule_export]
    use super::handle::Model;
    #[pymodule_export]
    use super::legacy_shuffle::LegacyShuffle;
    #[pymodule_export]
    use super::objective::Objective;
    #[pymodule_export]
    use super::predictor::Predictor;
    #[pymodule_export]
    use super::rates::Rates;
    #[pymodule_export]
    use super::run::Run;
    #[pymodule_export]
    use super::snapshot::Snapshot;
    #[pymodule_export]
    use super::table::Table;
    #[pymodule_export]
    use super::validation::split_order;
}
