//! The sum of what blocks of images leave of a convolution's gradient.

use crate::kernels::panels::Panels;
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::weight::Block;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Partial sums on their way through the tree: enough for 16 million rows.
const NODES: usize = 16;

/// A block of a convolution's gradient from what blocks of 16 images have left: those of each 256 rows
/// are added in their order, and their sums meet in the tree of `reduce.rs` (N2).
pub struct SumBlocks<'a, T> {
    /// The transposed gradient of the weight (in, out) of each 16 images, first to last.
    pub weights: &'a [Panels<T>],
    /// As many gradients of the bias, one row each.
    pub biases: &'a [Panels<T>],
    /// Which block.
    pub block: Block,
    /// Written: transposed gradient of the weight (in, out).
    pub weight: Panels<T>,
    /// Written: gradient of the bias, one row, if there is one.
    pub bias: Option<Panels<T>>,
}

impl<T: Real> Kernel for SumBlocks<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Block { input, output, outputs } = self.block;
        let start = input * LANES;
        let end =
            if start + LANES < self.weight.rows() { start + LANES } else { self.weight.rows() };
        for panel in output..output + outputs {
            for row in start..end {
                sum_parts::<T, S::Lanes<T>>(self.weights, self.weight, panel, row);
            }
            if input == 0
                && let Some(bias) = self.bias
            {
                sum_parts::<T, S::Lanes<T>>(self.biases, bias, panel, 0);
            }
        }
    }
}

/// 16 elements of a sum.
#[inline(always)]
fn sum_parts<T: Real, V: Vector<T>>(
    parts: &[Panels<T>],
    target: Panels<T>,
    panel: usize,
    row: usize,
) {
    let mut nodes = [V::zero(); NODES];
    let mut tree = BlockTree::default();
    for block in parts.chunks(BLOCK_ROWS / LANES) {
        // SAFETY: a panel's row holds 16 elements, for which the views' makers vouch.
        let part = |part: &Panels<T>| unsafe { V::load(part.row(panel, row)) };
        let mut sum = part(&block[0]);
        for next in &block[1..] {
            sum = sum.add(part(next));
        }
        nodes[tree.slot()] = sum;
        for i in tree.push() {
            nodes[i] = nodes[i].add(nodes[i + 1]);
        }
    }
    for i in tree.finish() {
        nodes[i] = nodes[i].add(nodes[i + 1]);
    }
    // SAFETY: as above.
    unsafe { nodes[0].store(target.row(panel, row)) };
}
