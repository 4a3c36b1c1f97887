//! What is done to the gradient of a block before its update.

use super::block::{Block, LinearState, Parameter};
use super::sums::Prepared;
use crate::kernels::optimizer::Options;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::{fold, wide};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// A block's gradient before its update, in place.
pub struct PrepareBlock<'a, T: Real> {
    /// Transposed gradient of the block.
    pub weight: Panels<T>,
    /// Gradient of its part of the bias, if there is one; used where the block's inputs are the first.
    pub bias: Option<Span<T>>,
    /// Which block.
    pub block: Block,
    /// What is to be updated.
    pub state: &'a LinearState<T>,
}

impl<T: Real> Kernel for PrepareBlock<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { weight, bias, block, state } = self;
        prepare_weight::<T, S>(state, block, weight);
        if block.input == 0
            && let (Some(gradient), Some(bias)) = (bias, &state.bias)
        {
            prepare_bias::<T, S>(state, bias, block, gradient);
        }
    }
}

/// Prepares the gradient of a block's weight, whose view begins at the block.
#[inline(always)]
pub(super) fn prepare_weight<T: Real, S: Simd>(
    state: &LinearState<T>,
    block: Block,
    gradient: Panels<T>,
) {
    let Some(prepared) = state.prepared(&state.weight) else { return };
    let values = state.weight.values;
    let (start, end) = block.rows(values);
    for panel in 0..block.outputs {
        let output = block.output + panel;
        S::call(Prepare {
            w: values.span(output, start, end),
            g: gradient.span(panel, 0, end - start),
            width: values.width(output),
            entry: output * values.rows().div_ceil(LANES) + block.input,
            prepared,
        });
    }
}

/// Prepares the gradient of a block's part of the bias.
#[inline(always)]
pub(super) fn prepare_bias<T: Real, S: Simd>(
    state: &LinearState<T>,
    bias: &Parameter<T>,
    block: Block,
    gradient: Span<T>,
) {
    let Some(mut prepared) = state.prepared(bias) else { return };
    prepared.sums.penalty = Span::empty();
    let values = state.weight.values;
    let first = values.panels() * values.rows().div_ceil(LANES);
    for panel in 0..block.outputs {
        let output = block.output + panel;
        S::call(Prepare {
            w: bias.values.span(output, 0, 1),
            g: gradient.slice(panel * LANES, (panel + 1) * LANES),
            width: values.width(output),
            entry: first + output,
            prepared,
        });
    }
}

/// Up to 16 rows of 16 elements: terms are added to gradients, and entries of sums made.
struct Prepare<T> {
    w: Span<T>,
    g: Span<T>,
    /// Elements of a row that are no padding.
    width: usize,
    /// Which entry.
    entry: usize,
    prepared: Prepared<T>,
}

impl<T: Real> Kernel for Prepare<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { w, g, width, entry, prepared: Prepared { terms, sums } } = self;
        assert!(w.len() == g.len() && w.len().is_multiple_of(LANES));
        if !sums.penalty.is_empty() {
            let Options { l1, l2, .. } = sums.options;
            let sum = |what| S::call(Sum { elements: w, width, what });
            let magnitudes = if l1 == 0.0 { 0.0 } else { sum(Summed::Magnitudes) };
            let squares = if l2 == 0.0 { 0.0 } else { sum(Summed::Squares) };
            sums.penalty.set(entry, sums.options.penalty(magnitudes, squares));
        }
        if let Some(terms) = terms {
            let mut i = 0;
            while i < g.len() {
                // SAFETY: 16 elements from i on are in both spans, whose makers vouch for them.
                unsafe {
                    let lanes = S::Lanes::<T>::load(g.at(i));
                    terms.lanes(S::Lanes::<T>::load(w.at(i)), lanes).store(g.at(i));
                }
                i += LANES;
            }
        }
        if !sums.squares.is_empty() {
            let squares = S::call(Sum { elements: g, width, what: Summed::Squares });
            sums.squares.set(entry, squares);
        }
    }
}

/// What is summed.
#[derive(Clone, Copy, PartialEq)]
enum Summed {
    Magnitudes,
    Squares,
}

/// The sum over rows of 16 elements, of which `width` are no padding: a chain over rows in each of 16 lanes,
/// which are folded (N3).
struct Sum<T> {
    elements: Span<T>,
    width: usize,
    what: Summed,
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
