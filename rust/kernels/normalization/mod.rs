//! Layer normalization: y = w xhat + b with xhat = (x - mean) / sqrt(variance + eps), mean and variance
//! over the n features of a row (Ba, Kiros and Hinton, 2016), as `torch.nn.LayerNorm`.
//!
//! - `forward.rs`: y, xhat and 1 / sqrt(variance + eps).
//! - `backward.rs`: the gradient with respect to x.
//! - `lanes.rs`: what both take of a row, and sums over it.
//! - `parameters.rs`: the gradients of w and b, sums over rows, and their update.
//!
//! Sums over a row are in f64: 16 lanes by index mod 16, missing lanes +0, folded 8, 4, 2, 1 (N3).

mod backward;
mod forward;
mod lanes;
mod parameters;

pub use backward::NormalizeBackward;
pub use forward::Normalize;
pub use parameters::{AffineGradient, TrainAffine};
