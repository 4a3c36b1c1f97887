//! The sum of what blocks of images leave of a convolution's gradient.

use crate::kernels::panels::Panels;
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::weight::Block;
use crate::runtime::Arena;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Partial sums on their way through the tree: enough for 16 million rows.
const NODES: usize = 16;

/// A block of a convolution's gradient from what blocks of 16 images have left: those of each 256 rows
/// are added in their order, and their sums meet in the tree of `reduce.rs` (N2).
pub struct SumBlocks<'a, T: Real> {
    /// The gradients of each 16 images, first to last, each where the sum has its own in its buffer.
    pub parts: &'a [Arena<T>],
    /// The buffer of the sum, at least as long.
    pub sum: &'a Arena<T>,
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
                self.sum_parts::<S::Lanes<T>>(self.weight.row(panel, row));
            }
            if input == 0
                && let Some(bias) = self.bias
            {
                self.sum_parts::<S::Lanes<T>>(bias.row(panel, 0));
            }
        }
    }
}

impl<T: Real> SumBlocks<'_, T> {
    /// 16 elements of the sum.
    #[inline(always)]
    fn sum_parts<V: Vector<T>>(&self, target: *mut T) {
        let at = (target.addr() - self.sum.as_ptr().addr()) / size_of::<T>();
        let part = |part: &Arena<T>| {
            assert!(at + LANES <= part.len());
            // SAFETY: the 16 elements are inside the buffer, which nobody writes meanwhile.
            unsafe { V::load(part.as_ptr().add(at)) }
        };
        let mut nodes = [V::zero(); NODES];
        let mut tree = BlockTree::default();
        for block in self.parts.chunks(BLOCK_ROWS / LANES) {
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
        // SAFETY: a panel's row holds 16 elements, for which the view's maker vouches.
        unsafe { nodes[0].store(target) };
    }
}
