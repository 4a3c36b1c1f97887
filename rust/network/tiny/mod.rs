//! Networks that fit into L1.
//!
//! The passes are those of `kernels/tiny/`. A batch goes through in chunks of 16 rows, whose sums
//! go on from chunk to chunk within N2's blocks of 256, so that activations are never more than a
//! chunk's, whatever the batch.
//!
//! - `build.rs`: which networks they are, and where their matrices lie.
//! - `run.rs`: their steps.

mod build;
mod run;

pub(super) use build::{Tiny, fits};
pub(super) use run::{Each, TinySteps};
