//! One tile of work on one thread.
//!
//! Each file holds one family of kernels, generic over the element type and the instruction set:
//! `elementary` exp and its relatives, `gemm` matrix products, `activation` and other `elementwise`
//! passes, `prelu`, `normalization`, `loss`, `optimizer`, `weight` gradient and update of a block of a Linear
//! layer, `reduce` sums in fixed order, `chains` those of columns, `random`,
//! `tiny` whole steps of small networks, `gather` rows of X into a batch, `finite` a look for NaN, `standard` columns of one scale, `panels`, the layout that they
//! all share, `scratch`, memory of their own, and `fetch`, what is read next. `images` is the layout of
//! images in panels, with `convolution`, `pooling` and `flatten` on it; `tuning` has the numbers that were
//! tried out. A kernel's formula fixes its bits
//! (see docs/numerics.md); how it is blocked does not.

pub mod activation;
mod chains;
pub mod convolution;
pub mod elementary;
pub mod elementwise;
pub mod fetch;
pub mod finite;
pub mod flatten;
pub mod gather;
pub mod gemm;
pub mod images;
pub mod loss;
pub mod normalization;
pub mod optimizer;
pub mod panels;
pub mod pooling;
pub mod prelu;
pub mod random;
pub mod reduce;
pub mod schedule;
mod scratch;
pub mod standard;
pub mod tiny;
pub mod tuning;
pub mod weight;
