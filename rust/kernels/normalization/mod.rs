//! Normalizations: y = w xhat + b with xhat = (x - mean) / sqrt(variance + eps).
//!
//! Layer normalization has mean and variance over the n features of a row (Ba, Kiros and Hinton, 2016), as
//! `torch.nn.LayerNorm`; batch normalization those of each feature over the rows of a batch (Ioffe and
//! Szegedy, 2015), as `torch.nn.BatchNorm1d`.
//!
//! - `forward.rs`, `backward.rs`: layer normalization: y, xhat and 1 / sqrt(variance + eps), and the gradient
//!   with respect to x.
//! - `batch.rs`: mean and variance of a batch's columns, or of past ones; `batch_forward.rs`,
//!   `batch_backward.rs`: batch normalization with either; `channels.rs`: that of images.
//! - `parameters.rs`: the gradients of w and b, sums over rows, and their update, of both.
//! - `lanes.rs`: what all take of a row, and sums over it.
//!
//! Sums over a row are in f64: 16 lanes by index mod 16, missing lanes +0, folded 8, 4, 2, 1 (N3). Those over
//! rows for mean and variance and for the way back through them are N2's, in f64 too.

mod backward;
mod batch;
mod batch_backward;
mod batch_forward;
mod channels;
mod forward;
mod lanes;
mod parameters;

pub use backward::NormalizeBackward;
pub use batch::Population;
pub use batch_backward::BatchNormalizeBackward;
pub use batch_forward::BatchNormalize;
pub use channels::{ChannelGradientSums, ChannelNormalize, ChannelNormalizeBackward, ChannelSums};
pub use forward::Normalize;
pub use parameters::{AffineGradient, TrainAffine};
