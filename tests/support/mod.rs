//! What the tests of the core share.

pub mod columns;
pub mod elementary;
pub mod images;
pub mod losses;
pub mod matrix;
pub mod optimizers;
