//! Sums over the blocks of parameters (N3).
//!
//! A sum has an entry for each 16 x 16 block of a weight and each 16 elements of a bias, which is made where
//! the block's gradient is in cache. Whoever wants the sum adds the entries in their order.

use crate::kernels::optimizer::{Options, Terms};
use crate::kernels::panels::Span;
use crate::simd::LANES;

/// Where the entries of a layer's sums go.
#[derive(Clone, Copy)]
pub struct ParameterSums {
    /// Of the penalty on the weight; empty if there is none, or it has none.
    pub penalty: Span<f64>,
    /// Of the squares of gradients; empty if nobody wants them.
    pub squares: Span<f64>,
    /// What the penalty is.
    pub options: Options,
}

impl ParameterSums {
    /// How many entries a layer has: its weight's come first, by panels of outputs, in each by blocks of
    /// inputs, then its bias's.
    #[must_use]
    pub fn count(inputs: usize, outputs: usize) -> usize {
        outputs.div_ceil(LANES) * (inputs.div_ceil(LANES) + 1)
    }

    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self { penalty: Span::empty(), squares: Span::empty(), options: Options::default() }
    }
}

/// What is done to the gradients of a parameter.
#[derive(Clone, Copy)]
pub(super) struct Prepared<T> {
    pub(super) terms: Option<Terms<T>>,
    pub(super) sums: ParameterSums,
}
