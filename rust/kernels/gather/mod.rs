//! Rows of a user's matrix, copied into a batch.
//!
//! The matrix has any dtype and strides, and another thread may write to it at any time. So no
//! reference to it is ever made, values are read raw and unaligned, and what a concurrent write
//! leaves behind is some value.
//!
//! - `source.rs`: [`Source`], the matrix.
//! - `element.rs`: its element types and their conversions.
//! - `rows.rs`: [`Gather`], rows into panels.
//! - `ahead.rs`: [`Ahead`], rows fetched before a gather.
//! - `divide.rs`: [`Divide`], the scale of X.
//! - `finite.rs`: [`first_non_finite`].
//! - `cast.rs`: [`to_vec`] and [`to_i64`], whole arrays of targets, weights and labels.

mod ahead;
mod cast;
mod divide;
mod element;
mod finite;
mod rows;
mod source;

pub use ahead::Ahead;
pub use cast::{to_i64, to_vec};
pub use divide::Divide;
pub use finite::first_non_finite;
pub use rows::{Gather, RowOrder};
pub use source::{DType, Source};
