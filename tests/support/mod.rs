//! What the tests of the core share.

pub mod losses;
pub mod matrix;
