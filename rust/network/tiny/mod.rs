//! Networks that fit into L1: which they are, and their step.

mod run;

pub(super) use run::{Tiny, fits};
