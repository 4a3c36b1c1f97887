//! The gradients of a normalization's weight and bias, and their update.

use super::lanes::load;
use crate::kernels::chains::{Chains, over_rows};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::scratch::Scratch;
use crate::kernels::weight::{ApplyBlock, Block, LinearState};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Sums over all rows (N2) of dy xhat, by fma, and of dy: the gradients of one block of a normalization's
/// weight and bias, which count as those of a Linear layer with one input.
pub struct AffineGradient<T> {
    /// xhat (rows, n).
    pub normalized: Panels<T>,
    /// dy, as many rows and columns.
    pub grad: Panels<T>,
    /// Which block; its input is 0.
    pub block: Block,
    /// Written: the weight's gradient, 16 elements for each panel of the block.
    pub weight: Span<T>,
    /// Written: the bias's, as many.
    pub bias: Span<T>,
}

impl<T: Real> Kernel for AffineGradient<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        assert!(self.grad.rows() == self.normalized.rows());
        let elements = self.block.outputs * LANES;
        assert!(self.weight.len() == elements && self.bias.len() == elements);
        for panel in 0..self.block.outputs {
            let sums = AffineSums { affine: &self, panel: self.block.output + panel };
            let [weight, bias] = over_rows::<S, T, _, 2>(self.grad.rows(), &sums);
            // SAFETY: both spans hold 16 elements for each panel of the block.
            unsafe {
                weight.store(self.weight.at(panel * LANES));
                bias.store(self.bias.at(panel * LANES));
            }
        }
    }
}

/// The sums of one panel's columns: of dy xhat, and of dy.
struct AffineSums<'a, T> {
    affine: &'a AffineGradient<T>,
    panel: usize,
}

impl<T: Real, S: Simd> Chains<S, T, 2> for AffineSums<'_, T> {
    #[inline(always)]
    fn chains(&self, start: usize, len: usize) -> [S::Lanes<T>; 2] {
        let AffineGradient { normalized, grad, .. } = *self.affine;
        let [mut weight, mut bias] = [S::Lanes::<T>::zero(); 2];
        for row in start..start + len {
            let dy: S::Lanes<T> = load(grad, self.panel, row);
            weight = dy.fma(load(normalized, self.panel, row), weight);
            bias = bias.add(dy);
        }
        [weight, bias]
    }
}

/// The gradients of a block go straight into their update.
pub struct TrainAffine<'a, T: Real> {
    /// As for [`AffineGradient`].
    pub normalized: Panels<T>,
    /// As for [`AffineGradient`].
    pub grad: Panels<T>,
    /// Which block; its input is 0.
    pub block: Block,
    /// What is updated.
    pub state: &'a LinearState<T>,
}

impl<T: Real> Kernel for TrainAffine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { normalized, grad, block, state } = self;
        let mut memory = Scratch::<T, { 4 * LANES }>::zeros();
        // SAFETY: the scratch holds 64 elements until the end of this function.
        let memory = unsafe { Span::from_raw(memory.ptr(), 4 * LANES) };
        let half = block.outputs * LANES;
        let (weight, bias) = (memory.slice(0, half), memory.slice(half, 2 * half));
        AffineGradient { normalized, grad, block, weight, bias }.run::<S>();
        let weight = memory.panels(0, (1, half), LANES);
        S::call(ApplyBlock { weight, bias: Some(bias), block, state });
    }
}
