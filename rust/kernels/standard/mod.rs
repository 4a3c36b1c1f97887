//! Columns brought to mean 0 and standard deviation 1: `(x / divisor - mean) / deviation`, in f64 and rounded
//! once.
//!
//! Rows come through f64 in pieces that stay in an L1, gathered as for a model in f64; so no kernel here
//! knows the types of elements that a source may have.
//!
//! - `standardizer.rs`: [`Standardizer`], the numbers and what is done with them.
//! - `apply.rs`: the formula on a piece.
//! - `sums.rs`: [`ColumnSums`] and [`MergeSums`], from which mean and deviation are learned.

mod apply;
mod standardizer;
mod sums;

pub use standardizer::{PIECE_COLS, Standardizer};
pub use sums::{ColumnSums, LEAST, MOST, MergeSums, SLOT_ROWS};
