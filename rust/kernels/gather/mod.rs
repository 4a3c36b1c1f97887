//! Rows of a user's matrix, copied into a batch.
//!
//! The matrix has any dtype and strides, and another thread may write to it at any time. So no
//! reference to it is ever made, values are read raw and unaligned, and what a concurrent write
//! leaves behind is some value.
//!
//! - `source.rs`: [`Source`], the matrix: `matrix.rs` with constant steps, `columns.rs` column by column,
//!   `sparse.rs` without most of its zeros.
//! - `dtype.rs`: [`DType`], `element.rs`: elements of each type and their conversions.
//! - `rows.rs`: [`Gather`], rows into panels; `order.rs`: [`RowOrder`], which of them.
//! - `ahead.rs`: [`Ahead`], rows fetched before a gather.
//! - `divide.rs`: [`Divide`], the scale of X.
//! - `finite.rs`: [`first_non_finite`]; `search.rs`: the same of one matrix.
//! - `cast.rs`: [`to_vec`] and [`to_i64`], whole arrays of targets, weights and labels.

mod ahead;
mod cast;
mod columns;
mod divide;
mod dtype;
mod element;
mod finite;
mod matrix;
mod order;
mod rows;
mod search;
mod source;
mod sparse;

pub use ahead::Ahead;
pub use cast::{to_i64, to_vec};
pub use columns::{ColumnArrays, Columns};
pub use divide::Divide;
pub use dtype::DType;
pub use finite::{first_non_finite, non_finite_column};
pub use matrix::Matrix;
pub use order::RowOrder;
pub use rows::Gather;
pub use source::Source;
pub use sparse::{CompressedRows, Sparse};
