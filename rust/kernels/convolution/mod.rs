//! Convolutions on images of 16 samples (`images.rs`): products whose right operand is read in place.
//!
//! - `axis.rs`: which taps of a kernel meet which positions.
//! - `correlate.rs`: the forward pass, and the gradient at the input with the weight's channels transposed.
//! - `gradient.rs`: the gradient of the weight and of the bias; `line.rs`: its sums over a row of pixels.
//! - `sum.rs`: the sum of the gradients that blocks of 16 images have left.
//!
//! The weight of a convolution lies as that of a Linear layer does: rows are the inputs of one output
//! (channel of the group, kernel row, kernel column), columns the output channels, in panels.

mod axis;
mod correlate;
mod gradient;
mod line;
mod sum;

pub use axis::{Axis, Stencil, Taps};
pub use correlate::{Correlate, TransposeChannels};
pub use gradient::ConvolutionGradient;
pub use sum::SumBlocks;
