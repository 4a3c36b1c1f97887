//! ironmlp trains multilayer perceptrons on the CPU.
//!
//! The floors of the house, lowest first; a floor uses only those below it.
//!
//! 0. [`error`]: the one error type.
//! 1. [`simd`]: what one CPU can do; [`runtime`]: threads and aligned memory.
//! 2. [`kernels`]: one tile of work on one thread.
//! 3. [`network`]: a model as data, its plan, parameters and one training step.
//! 4. [`training`]: rows of X, mini-batches, the run over epochs.
//! 5. `python`: the extension module `ironmlp._core`, under the feature of that name.

#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_pointer_width = "64",
    target_endian = "little"
)))]
compile_error!("ironmlp runs on little-endian 64-bit x86-64 and aarch64");

pub mod error;
pub mod kernels;
pub mod network;
#[cfg(feature = "python")]
mod python;
pub mod runtime;
pub mod simd;
pub mod training;
