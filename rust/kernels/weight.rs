//! 16 inputs x 16 or 32 outputs of a Linear layer: gradient, update, second copy.

use super::gemm::{ColumnSums, Transpose, WeightGradient};
use super::optimizer::{Rule, Update};
use super::panels::{Panels, Span};
use crate::simd::{Kernel, LANES, Real, Simd};

/// What the update of a Linear layer reads and writes.
pub struct LinearState<T> {
    /// The update rule.
    pub rule: Rule<T>,
    /// Transposed weight (in, out).
    pub weight: Panels<T>,
    /// The optimizer's moments of the weight; empty where it keeps fewer.
    pub moments: [Option<Panels<T>>; 2],
    /// The weight (out, in) that the input gradient reads, if it is to be kept up to date.
    pub backward: Option<Panels<T>>,
    /// The bias, one row, if there is one.
    pub bias: Option<Panels<T>>,
    /// The optimizer's moments of the bias.
    pub bias_moments: [Option<Panels<T>>; 2],
}

impl<T> Clone for LinearState<T>
where
    Rule<T>: Copy,
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for LinearState<T> where Rule<T>: Copy {}

/// A block of a weight: panel `input` of the inputs, panels `output..output + outputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Panel of the inputs.
    pub input: usize,
    /// First panel of the outputs.
    pub output: usize,
    /// 1 or 2.
    pub outputs: usize,
}

/// The gradient of a block goes straight into the update, through 2 KB of scratch in L1: Adam in the
/// accumulators' registers would spill. The block of input panel 0 also does the bias.
pub struct TrainBlock<T> {
    /// The layer's input (rows, in).
    pub input: Panels<T>,
    /// Gradient with respect to the layer's output (rows, out).
    pub grad: Panels<T>,
    /// Which block.
    pub block: Block,
    /// What is updated.
    pub state: LinearState<T>,
}

impl<T: Real> Kernel for TrainBlock<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut scratch = [T::ZERO; 2 * LANES * LANES];
        // SAFETY: the array holds two panels of 16 rows and lives to the end of this function.
        let target =
            unsafe { Panels::from_raw(scratch.as_mut_ptr(), LANES, 2 * LANES, LANES * LANES) };
        gradient(self.input, self.grad, self.block, target).run::<S>();
        apply_block::<T, S>(&self.state, self.block, target);
        if self.block.input == 0
            && let Some(bias) = self.state.bias
        {
            for panel in self.block.output..self.block.output + self.block.outputs {
                let sums = target.span(0, 0, 1);
                ColumnSums { d: self.grad, output: panel, target: sums }.run::<S>();
                apply_bias::<T, S>(&self.state, bias, panel, sums);
            }
        }
    }
}

/// The gradient of a block, kept.
pub struct GradientBlock<T> {
    /// The layer's input (rows, in).
    pub input: Panels<T>,
    /// Gradient with respect to the layer's output (rows, out).
    pub grad: Panels<T>,
    /// Which block.
    pub block: Block,
    /// Transposed gradient of the weight (in, out).
    pub weight: Panels<T>,
    /// Gradient of the bias, one row, if there is one.
    pub bias: Option<Panels<T>>,
}

impl<T: Real> Kernel for GradientBlock<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Block { input, output, outputs } = self.block;
        let target = self.weight.from(output, input * LANES);
        gradient(self.input, self.grad, self.block, target).run::<S>();
        if input == 0
            && let Some(bias) = self.bias
        {
            for panel in output..output + outputs {
                let target = bias.span(panel, 0, 1);
                ColumnSums { d: self.grad, output: panel, target }.run::<S>();
            }
        }
    }
}

/// The update of a block from a kept gradient: the bits of [`TrainBlock`].
pub struct ApplyBlock<T> {
    /// Transposed gradient of the weight (in, out).
    pub weight: Panels<T>,
    /// Gradient of the bias, one row, if there is one.
    pub bias: Option<Panels<T>>,
    /// Which block.
    pub block: Block,
    /// What is updated.
    pub state: LinearState<T>,
}

impl<T: Real> Kernel for ApplyBlock<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Block { input, output, outputs } = self.block;
        apply_block::<T, S>(&self.state, self.block, self.weight.from(output, input * LANES));
        if input == 0
            && let (Some(grad), Some(bias)) = (self.bias, self.state.bias)
        {
            for panel in output..output + outputs {
                apply_bias::<T, S>(&self.state, bias, panel, grad.span(panel, 0, 1));
            }
        }
    }
}

#[inline(always)]
fn gradient<T: Real>(
    input: Panels<T>,
    grad: Panels<T>,
    block: Block,
    target: Panels<T>,
) -> WeightGradient<T> {
    let Block { input: panel, output, outputs } = block;
    WeightGradient { a: input, d: grad, input: panel, output, outputs, target }
}

/// Updates a block; the gradient's view begins at the block.
#[inline(always)]
fn apply_block<T: Real, S: Simd>(state: &LinearState<T>, block: Block, gradient: Panels<T>) {
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
        if let Some(backward) = state.backward {
            Transpose { source: state.weight, target: backward, block: block.input, panel: output }
                .run::<S>();
        }
    }
}

#[inline(always)]
fn apply_bias<T: Real, S: Simd>(
    state: &LinearState<T>,
    bias: Panels<T>,
    panel: usize,
    gradient: Span<T>,
) {
    Update {
        rule: state.rule,
        w: bias.span(panel, 0, 1),
        g: gradient,
        m: moment(state.bias_moments[0], panel, 0, 1),
        v: moment(state.bias_moments[1], panel, 0, 1),
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
