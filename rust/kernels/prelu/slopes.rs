//! The gradient of slopes by rows, and their update.

use crate::kernels::chains::{Chains, over_rows};
use crate::kernels::panels::{Panels, Span, columns};
use crate::kernels::reduce::fold;
use crate::kernels::scratch::Scratch;
use crate::kernels::weight::{ApplyBlock, Block, LinearState};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Sums over all rows (N2) of dy min(z, 0), by fma: the gradients of one block of slopes, which count as the
/// weight of a Linear layer with one input.
pub struct SlopeGradient<T> {
    /// z (rows, n).
    pub z: Panels<T>,
    /// dy, as many rows and columns.
    pub grad: Panels<T>,
    /// Whether there is one slope for all columns.
    pub one: bool,
    /// Which block; its input is 0.
    pub block: Block,
    /// Written: the gradients, 16 elements for each panel of the block; those of no slope are +0.
    pub slopes: Span<T>,
}

impl<T: Real> Kernel for SlopeGradient<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        assert!(self.grad.rows() == self.z.rows() && self.grad.cols() == self.z.cols());
        assert!(self.slopes.len() == self.block.outputs * LANES);
        for panel in 0..self.block.outputs {
            let sums = Sums { of: &self, panel: self.block.output + panel };
            let [slopes] = over_rows::<S, T, _, 1>(self.grad.rows(), &sums);
            // SAFETY: the span holds 16 elements for each panel of the block.
            unsafe { slopes.store(self.slopes.at(panel * LANES)) };
        }
    }
}

/// The sums of a panel of slopes.
struct Sums<'a, T> {
    of: &'a SlopeGradient<T>,
    panel: usize,
}

impl<T: Real, S: Simd> Chains<S, T, 1> for Sums<'_, T> {
    #[inline(always)]
    fn chains(&self, start: usize, len: usize) -> [S::Lanes<T>; 1] {
        let grad = self.of.grad;
        if !self.of.one {
            return [self.of.chain(self.panel, start, len)];
        }
        let mut sum = S::Lanes::<T>::zero();
        for panel in 0..grad.panels() {
            sum = sum.add(self.of.chain(panel, start, len));
        }
        [first::<T, S::Lanes<T>>(fold(sum))]
    }
}

impl<T: Real> SlopeGradient<T> {
    /// The chains over `len` rows from row `start` on, +0 in padding.
    #[inline(always)]
    fn chain<V: Vector<T>>(&self, panel: usize, start: usize, len: usize) -> V {
        let mut sum = V::zero();
        for row in start..start + len {
            // SAFETY: the views' makers vouch for the 16 elements of their rows.
            let (z, dy) =
                unsafe { (V::load(self.z.row(panel, row)), V::load(self.grad.row(panel, row))) };
            sum = dy.fma(below(z), sum);
        }
        columns(sum, self.grad.width(panel))
    }
}

/// min(z, 0); in this order of arguments a NaN passes (N7).
#[inline(always)]
pub(super) fn below<T: Real, V: Vector<T>>(z: V) -> V {
    V::zero().min(z)
}

/// `x` in the first lane, the others +0.
#[inline(always)]
pub(super) fn first<T: Real, V: Vector<T>>(x: T) -> V {
    columns(V::splat(x), 1)
}

/// The gradients of a block go straight into their update.
pub struct TrainSlopes<'a, T: Real> {
    /// As for [`SlopeGradient`].
    pub z: Panels<T>,
    /// As for [`SlopeGradient`].
    pub grad: Panels<T>,
    /// As for [`SlopeGradient`].
    pub one: bool,
    /// Which block; its input is 0.
    pub block: Block,
    /// What is updated.
    pub state: &'a LinearState<T>,
}

impl<T: Real> Kernel for TrainSlopes<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { z, grad, one, block, state } = self;
        let mut memory = Scratch::<T, { 2 * LANES }>::zeros();
        let len = block.outputs * LANES;
        // SAFETY: the scratch holds 32 elements until the end of this function.
        let slopes = unsafe { Span::from_raw(memory.ptr(), len) };
        SlopeGradient { z, grad, one, block, slopes }.run::<S>();
        let weight = slopes.panels(0, (1, len), LANES);
        S::call(ApplyBlock { weight, bias: None, block, state });
    }
}
