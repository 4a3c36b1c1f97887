//! The update of a block from its gradient.

use super::average::{MoveAverage, Scale};
use super::block::{Average, Block, LinearState, Parameter};
use super::prepare::PrepareBlock;
use crate::kernels::gemm::Transpose;
use crate::kernels::optimizer::{MOMENTS, Update};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd};

/// The update of a block from a kept gradient, which is prepared where it lies: the bits of
/// [`super::TrainBlock`].
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
        PrepareBlock { weight, bias, block, state }.run::<S>();
        let mut scratch = Scratch::<T, { 2 * LANES * LANES }>::new();
        let weight = match state.factor {
            None => weight,
            Some(factor) => scaled::<T, S>(&mut scratch, weight, block, state, factor),
        };
        apply_block::<T, S>(state, block, weight);
        turn_block::<T, S>(state, block);
        if block.input == 0
            && let (Some(gradient), Some(bias)) = (bias, &state.bias)
        {
            let mut scratch = Scratch::<T, { 2 * LANES }>::new();
            let gradient = match state.factor {
                None => gradient,
                Some(factor) => {
                    // SAFETY: the scratch holds 16 elements for each panel, and lives to the end of this
                    // block.
                    let to = unsafe { Span::from_raw(scratch.ptr(), gradient.len()) };
                    S::call(Scale { from: gradient, to, factor });
                    to
                }
            };
            apply_bias::<T, S>(bias, block, gradient);
        }
    }
}

/// The gradient of a block times a factor, in scratch.
#[inline(always)]
fn scaled<T: Real, S: Simd>(
    scratch: &mut Scratch<T, { 2 * LANES * LANES }>,
    gradient: Panels<T>,
    block: Block,
    state: &LinearState<T>,
    factor: T,
) -> Panels<T> {
    let (start, end) = block.rows(state.weight.values);
    // SAFETY: the scratch holds two panels of 16 rows, which are written before they are read.
    let scaled = unsafe { Panels::from_raw(scratch.ptr(), LANES, 2 * LANES, LANES * LANES) };
    for panel in 0..block.outputs {
        let (from, to) = (gradient.span(panel, 0, end - start), scaled.span(panel, 0, end - start));
        S::call(Scale { from, to, factor });
    }
    scaled
}

/// Updates a block; the gradient's view begins at the block.
#[inline(always)]
pub(super) fn apply_block<T: Real, S: Simd>(
    state: &LinearState<T>,
    block: Block,
    gradient: Panels<T>,
) {
    let (start, end) = block.rows(state.weight.values);
    for panel in 0..block.outputs {
        let output = block.output + panel;
        update::<T, S>(&state.weight, gradient.span(panel, 0, end - start), |whole| {
            whole.span(output, start, end)
        });
    }
}

/// Moves the average of a block that has been updated.
#[inline(always)]
pub(super) fn average_block<T: Real, S: Simd>(state: &LinearState<T>, block: Block) {
    let (start, end) = block.rows(state.weight.values);
    for panel in block.output..block.output + block.outputs {
        move_average::<T, S>(&state.weight, |whole| whole.span(panel, start, end));
    }
}

/// Moves the average of the part of a parameter that `part` takes of its elements.
#[inline(always)]
fn move_average<T: Real, S: Simd>(parameter: &Parameter<T>, part: impl Fn(Panels<T>) -> Span<T>) {
    if let Some(Average { values, rest }) = parameter.average {
        S::call(MoveAverage { w: part(parameter.values), average: part(values), rest });
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
    move_average::<T, S>(parameter, part);
}
