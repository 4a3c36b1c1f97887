//! The update of a block from its gradient.

use super::block::{Block, LinearState, Parameter};
use crate::kernels::gemm::Transpose;
use crate::kernels::optimizer::{MOMENTS, Update};
use crate::kernels::panels::{Panels, Span};
use crate::simd::{Kernel, LANES, Real, Simd};

/// The update of a block from a kept gradient: the bits of [`super::TrainBlock`].
pub struct ApplyBlock<'a, T: Real> {
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
            && let (Some(gradient), Some(bias)) = (bias, &state.bias)
        {
            apply_bias::<T, S>(bias, block, gradient);
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
    let rows = state.weight.values.rows();
    let end = if end < rows { end } else { rows };
    for panel in 0..block.outputs {
        let output = block.output + panel;
        update::<T, S>(&state.weight, gradient.span(panel, 0, end - start), |whole| {
            whole.span(output, start, end)
        });
    }
}

/// Brings the second copy of a block up to date.
#[inline(always)]
pub(super) fn turn_block<T: Real, S: Simd>(state: &LinearState<T>, block: Block) {
    let Some(target) = state.backward else { return };
    for panel in block.output..block.output + block.outputs {
        let source = state.weight.values;
        Transpose { source, target, block: block.input, panel }.run::<S>();
    }
}

/// Updates a block's part of the bias.
#[inline(always)]
pub(super) fn apply_bias<T: Real, S: Simd>(bias: &Parameter<T>, block: Block, gradient: Span<T>) {
    update::<T, S>(bias, gradient, |whole| block.of_bias(whole));
}

/// Updates the part of a parameter that `part` takes of its elements and of its moments.
#[inline(always)]
fn update<T: Real, S: Simd>(
    parameter: &Parameter<T>,
    gradient: Span<T>,
    part: impl Fn(Panels<T>) -> Span<T>,
) {
    let mut moments = [Span::empty(); MOMENTS];
    for k in 0..MOMENTS {
        if let Some(moment) = parameter.moments[k] {
            moments[k] = part(moment);
        }
    }
    let w = part(parameter.values);
    parameter.rule.apply::<S, _>(Update { w, g: gradient, moments });
}
