//! The gradient of a block, and its update, where the layer's input has a row of the batch in each lane.
//!
//! The sum over the rows is then a product as any other, whose left operand's rows are inputs: kernels that
//! exist are called, and the gradient goes through 2 KB of scratch.

use super::apply::ApplyBlock;
use super::block::{Block, LinearState, fetch_block, is_far};
use crate::kernels::gemm::{ColumnSums, Product};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::BLOCK_ROWS;
use crate::kernels::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// The gradient of a block, kept; each element is the chain of [`super::GradientBlock`].
pub struct LanesGradient<T> {
    /// The layer's input (in, rows), of up to [`BLOCK_ROWS`] rows.
    pub input: Panels<T>,
    /// Gradient with respect to the layer's output (rows, out).
    pub grad: Panels<T>,
    /// Which block.
    pub block: Block,
    /// Written: transposed gradient of the block.
    pub weight: Panels<T>,
    /// Written where the block's inputs are the first: gradient of its part of the bias, if there is one.
    pub bias: Option<Span<T>>,
}

impl<T: Real> Kernel for LanesGradient<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { input, grad, block, weight, bias } = self;
        let Block { input: panel, output, outputs } = block;
        assert!(grad.rows() <= BLOCK_ROWS, "more rows are a tree of chains");
        let (start, left) = (panel * LANES, input.rows() - panel * LANES);
        let height = if left < LANES { left } else { LANES };
        let b = grad.columns(output, output + outputs);
        S::call(Product {
            a: input.slice(start, start + height).first_columns(grad.rows()),
            b,
            c: weight.slice(0, height).first_columns(b.cols()),
            bias: Span::empty(),
        });
        if panel == 0
            && let Some(target) = bias
        {
            S::call(ColumnSums { d: grad, output, outputs, target });
        }
    }
}

/// The gradient of a block goes into its update.
pub struct TrainLanes<'a, T: Real> {
    /// As for [`LanesGradient`].
    pub input: Panels<T>,
    /// As for [`LanesGradient`].
    pub grad: Panels<T>,
    /// Which block.
    pub block: Block,
    /// What is updated.
    pub state: &'a LinearState<T>,
}

impl<T: Real> Kernel for TrainLanes<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { input, grad, block, state } = self;
        fetch_block::<T, S>(state, block);
        fetch_next::<T, S>(input, grad, block);
        // Zeros where no tile writes: padding of the last panel is updated too.
        let mut weight = Scratch::<T, { 2 * LANES * LANES }>::zeros();
        let mut bias = Scratch::<T, { 2 * LANES }>::zeros();
        // SAFETY: the scratch holds two panels of 16 rows, and as many sums, until the end of this function.
        let (weight, bias) = unsafe {
            let weight = Panels::from_raw(weight.ptr(), LANES, 2 * LANES, LANES * LANES);
            (weight, Some(Span::from_raw(bias.ptr(), block.outputs * LANES)))
        };
        LanesGradient { input, grad, block, weight, bias }.run::<S>();
        S::call(ApplyBlock { weight, bias, block, state });
    }
}

/// Fetches a block's share of the inputs that come after its own: they lie in as many places as the batch
/// has blocks of 16 rows, where no hardware looks.
#[inline(always)]
fn fetch_next<T: Real, S: Simd>(input: Panels<T>, grad: Panels<T>, block: Block) {
    let first = (block.input + 1) * LANES;
    if first + LANES > input.rows() || !is_far::<T>(input.rows(), grad.rows()) {
        return;
    }
    let (panels, all) = (grad.rows().div_ceil(LANES), grad.panels());
    let mut panel = panels * block.output / all;
    while panel < panels * (block.output + block.outputs) / all {
        for row in first..first + LANES {
            S::Register::<T>::prefetch_far(input.row(panel, row));
        }
        panel += 1;
    }
}
