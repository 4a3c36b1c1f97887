//! The gradients of a normalization's weight and bias, and their update.

use super::load;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::scratch::Scratch;
use crate::kernels::weight::{ApplyBlock, Block, LinearState};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Partial sums on their way through the tree: enough for 2^16 - 1 blocks, 16 million rows.
const SLOTS: usize = 16;

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
            let [weight, bias] = self.sums::<S::Lanes<T>>(self.block.output + panel);
            // SAFETY: both spans hold 16 elements for each panel of the block.
            unsafe {
                weight.store(self.weight.at(panel * LANES));
                bias.store(self.bias.at(panel * LANES));
            }
        }
    }
}

impl<T: Real> AffineGradient<T> {
    /// The sums of one panel's columns.
    #[inline(always)]
    fn sums<V: Vector<T>>(&self, panel: usize) -> [V; 2] {
        let rows = self.grad.rows();
        if rows <= BLOCK_ROWS {
            // Without the tree's slots, which cost as much as 30 rows.
            return self.chains(panel, 0, rows);
        }
        let mut nodes = [[V::zero(); 2]; SLOTS];
        let mut tree = BlockTree::default();
        for block in 0..rows.div_ceil(BLOCK_ROWS) {
            let start = block * BLOCK_ROWS;
            let left = rows - start;
            let len = if left < BLOCK_ROWS { left } else { BLOCK_ROWS };
            nodes[tree.slot()] = self.chains(panel, start, len);
            for i in tree.push() {
                merge(&mut nodes, i);
            }
        }
        for i in tree.finish() {
            merge(&mut nodes, i);
        }
        nodes[0]
    }

    /// The chains over `len` rows from row `start` on.
    #[inline(always)]
    fn chains<V: Vector<T>>(&self, panel: usize, start: usize, len: usize) -> [V; 2] {
        let [mut weight, mut bias] = [V::zero(); 2];
        for row in start..start + len {
            let dy: V = load(self.grad, panel, row);
            weight = dy.fma(load(self.normalized, panel, row), weight);
            bias = bias.add(dy);
        }
        [weight, bias]
    }
}

/// Adds the node after this one to it.
#[inline(always)]
fn merge<T: Real, V: Vector<T>>(nodes: &mut [[V; 2]; SLOTS], at: usize) {
    for i in 0..2 {
        nodes[at][i] = nodes[at][i].add(nodes[at + 1][i]);
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
