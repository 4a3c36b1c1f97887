//! Sums over the blocks of parameters (N3).
//!
//! A sum has an entry for each 16 x 16 block of a weight and each 16 elements of a bias, which is made where
//! the block's gradient is in cache. Whoever wants the sum adds the entries in their order.

use crate::kernels::optimizer::{Options, Terms};
use crate::kernels::panels::Span;
use crate::kernels::reduce::{fold, wide};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

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

/// The entry of a block's weight in the penalty: up to 16 rows of 16 elements, of which `width` are no padding.
#[inline(always)]
pub(in crate::kernels) fn penalty_entry<T: Real, S: Simd>(
    options: &Options,
    w: Span<T>,
    width: usize,
) -> f64 {
    let sum = |what| S::call(Sum { elements: w, width, what });
    let magnitudes = if options.l1 == 0.0 { 0.0 } else { sum(Summed::Magnitudes) };
    let squares = if options.l2 == 0.0 { 0.0 } else { sum(Summed::Squares) };
    options.penalty(magnitudes, squares)
}

/// What is summed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Summed {
    Magnitudes,
    Squares,
}

/// The sum over rows of 16 elements, of which `width` are no padding: a chain over rows in each of 16 lanes,
/// which are folded (N3).
pub(super) struct Sum<T> {
    pub(super) elements: Span<T>,
    pub(super) width: usize,
    pub(super) what: Summed,
}

impl<T: Real> Kernel for Sum<T> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let Self { elements, width, what } = self;
        assert!(elements.len().is_multiple_of(LANES) && width <= LANES);
        let mut chain = S::Lanes::<f64>::zero();
        let mut i = 0;
        while i < elements.len() {
            let place = elements.at(i);
            // SAFETY: 16 elements from i on are in the span, whose maker vouches for them.
            let lanes = wide::<T, S>(unsafe {
                match width {
                    LANES => S::Lanes::<T>::load(place),
                    width => S::Lanes::<T>::load_partial(place, width),
                }
            });
            chain = match what {
                Summed::Magnitudes => chain.add(lanes.abs()),
                Summed::Squares => lanes.fma(lanes, chain),
            };
            i += LANES;
        }
        fold(chain)
    }
}
