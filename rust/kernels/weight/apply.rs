//! The update of a block from its gradient.

use super::block::{Block, LinearState};
use crate::kernels::gemm::Transpose;
use crate::kernels::optimizer::Update;
use crate::kernels::panels::{Panels, Span};
use crate::simd::{Kernel, LANES, Real, Simd};

/// The update of a block from a kept gradient: the bits of [`super::TrainBlock`].
pub struct ApplyBlock<'a, T> {
    /// Transposed gradient of the block.
    pub weight: Panels<T>,
    /// Gradient of its part of the bias, if there is one; read where the block's inputs are the first.
    pub bias: Option<Span<T>>,
    /// Which block.
    pub block: Block,
    /// What is updated.
    pub state: &'a LinearState<T>,
}

impl<T: Real> Kernel for ApplyBlock<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { weight, bias, block, state } = self;
        apply_block::<T, S>(state, block, weight);
        turn_block::<T, S>(state, block);
        if block.input == 0
            && let (Some(gradient), Some(bias)) = (bias, state.bias)
        {
            apply_bias::<T, S>(state, bias, block, gradient);
        }
    }
}

/// Updates a block; the gradient's view begins at the block.
#[inline(always)]
pub(super) fn apply_block<T: Real, S: Simd>(
    state: &LinearState<T>,
    block: Block,
    gradient: Panels<T>,
) {
    let start = block.input * LANES;
    let end = start + LANES;
    let end = if end < state.weight.rows() { end } else { state.weight.rows() };
    for panel in 0..block.outputs {
        let output = block.output + panel;
        Update {
            rule: state.rule,
            w: state.weight.span(output, start, end),
            g: gradient.span(panel, 0, end - start),
            m: moment(state.moments[0], output, start, end),
            v: moment(state.moments[1], output, start, end),
        }
        .run::<S>();
    }
}

/// Brings the second copy of a block up to date.
#[inline(always)]
pub(super) fn turn_block<T: Real, S: Simd>(state: &LinearState<T>, block: Block) {
    let Some(target) = state.backward else { return };
    for panel in block.output..block.output + block.outputs {
        Transpose { source: state.weight, target, block: block.input, panel }.run::<S>();
    }
}

#[inline(always)]
pub(super) fn apply_bias<T: Real, S: Simd>(
    state: &LinearState<T>,
    bias: Panels<T>,
    block: Block,
    gradient: Span<T>,
) {
    let of = |bias: Option<Panels<T>>| bias.map_or(Span::empty(), |bias| block.of_bias(bias));
    Update {
        rule: state.rule,
        w: block.of_bias(bias),
        g: gradient,
        m: of(state.bias_moments[0]),
        v: of(state.bias_moments[1]),
    }
    .run::<S>();
}

#[inline(always)]
fn moment<T>(moment: Option<Panels<T>>, panel: usize, start: usize, end: usize) -> Span<T> {
    match moment {
        Some(panels) => panels.span(panel, start, end),
        None => Span::empty(),
    }
}
