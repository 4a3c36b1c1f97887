//! What is done to the gradient of a block before its update.

use super::block::{Block, LinearState, Parameter};
use super::sums::{Prepared, Sum, Summed, penalty_entry};
use crate::kernels::panels::{Panels, Span};
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
    if let Some(prepared) = state.prepared(&state.weight) {
        prepare_panels::<T, S>(state, block, gradient, prepared);
    }
}

/// Makes the entries of the penalty on a block's weight, whose gradient is prepared elsewhere.
#[inline(always)]
pub(super) fn sum_penalty<T: Real, S: Simd>(state: &LinearState<T>, block: Block) {
    if !state.sums.penalty.is_empty() {
        // Without terms nothing is read of a gradient.
        let weight = block.of_weight(state.weight.values);
        let prepared = Prepared { terms: None, sums: state.sums };
        prepare_panels::<T, S>(state, block, weight, prepared);
    }
}

#[inline(always)]
fn prepare_panels<T: Real, S: Simd>(
    state: &LinearState<T>,
    block: Block,
    gradient: Panels<T>,
    prepared: Prepared<T>,
) {
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
            sums.penalty.set(entry, penalty_entry::<T, S>(&sums.options, w, width));
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
