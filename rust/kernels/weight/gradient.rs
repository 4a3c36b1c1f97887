//! The gradient of a block.

use super::block::Block;
use crate::kernels::gemm::{ColumnSums, Finish, Transpose, WeightGradient};
use crate::kernels::panels::Panels;
use crate::kernels::scratch::Scratch;
use crate::kernels::tuning::THIN;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Stores each tile; the view begins at the block.
pub(super) struct Keep<T> {
    pub(super) target: Panels<T>,
}

impl<T> Clone for Keep<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Keep<T> {}

impl<T: Real> Finish<T> for Keep<T> {
    #[inline(always)]
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        col: usize,
        sums: &[[V; NV]; MR],
    ) {
        for i in 0..MR {
            for v in 0..NV {
                let at = col + v * V::LANES;
                let place = self.target.row(at / LANES, row + i).wrapping_add(at % LANES);
                // SAFETY: the views' makers vouch for the target's rows.
                unsafe { sums[i][v].store(place) };
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
        let target = self.block.of_weight(self.weight);
        if is_thin::<S, T>(self.grad) {
            let mut scratch = Scratch::<T, { LANES * LANES }>::zeros();
            let width = self.input.width(input);
            // SAFETY: the scratch holds a panel of 16 rows and lives to the end of this block.
            let source = unsafe { Panels::from_raw(scratch.ptr(), LANES, width, LANES) };
            thin_gradient(self.input, self.grad, self.block)
                .each_thin_tile::<S, _>(Keep { target: source });
            Transpose { source, target: target.padded(), block: 0, panel: 0 }.run::<S>();
        } else {
            gradient(self.input, self.grad, self.block).each_tile::<S, _>(Keep { target });
        }
        if input == 0
            && let Some(bias) = self.bias
        {
            let target = self.block.of_bias(bias);
            ColumnSums { d: self.grad, output, outputs, target }.run::<S>();
        }
    }
}

#[inline(always)]
pub(super) fn gradient<T: Real>(
    input: Panels<T>,
    grad: Panels<T>,
    block: Block,
) -> WeightGradient<T> {
    let Block { input: panel, output, outputs } = block;
    WeightGradient { a: input, d: grad, input: panel, output, outputs }
}

/// Whether a layer has few outputs, and a register fewer lanes than plain Rust's.
#[inline(always)]
pub(super) fn is_thin<S: Simd, T>(grad: Panels<T>) -> bool {
    S::REGISTERS >= 16 && grad.cols() <= THIN
}

/// The gradient of a block of a layer with few outputs, turned.
#[inline(always)]
pub(super) fn thin_gradient<T: Real>(
    input: Panels<T>,
    grad: Panels<T>,
    block: Block,
) -> WeightGradient<T> {
    let Block { input: panel, output, .. } = block;
    WeightGradient { a: grad, d: input, input: output, output: panel, outputs: 1 }
}
