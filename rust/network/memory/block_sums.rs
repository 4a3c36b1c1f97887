//! Sums over the pixels of images on their way from blocks of 16 samples to the whole batch.

use super::running::{RunningLayout, RunningPlace};
use crate::error::Result;
use crate::kernels::panels::Panels;
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::runtime::{Arena, memory};
use crate::simd::LANES;

/// Two sums for each channel of each node that keeps statistics of images, where these lie: a block's, and
/// the means over all blocks.
#[derive(Debug, Default)]
pub(in crate::network) struct BlockSums {
    blocks: Vec<Arena<f64>>,
    means: Option<Arena<f64>>,
}

impl BlockSums {
    /// Makes sure of memory for so many blocks.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub(super) fn reserve(&mut self, layout: &RunningLayout, blocks: usize) -> Result<()> {
        if self.means.is_none() {
            self.means = Some(layout.buffer()?);
        }
        while self.blocks.len() < blocks {
            memory::reserve(&mut self.blocks, 1)?;
            self.blocks.push(layout.buffer()?);
        }
        Ok(())
    }

    /// Bytes of its buffers.
    pub(super) fn bytes(&self) -> usize {
        let elements: usize = self.blocks.iter().chain(&self.means).map(Arena::len).sum();
        elements * size_of::<f64>()
    }

    /// What a block leaves.
    pub(in crate::network) fn block(&self, block: usize) -> &Arena<f64> {
        &self.blocks[block]
    }

    /// The means over all blocks, of gradients.
    ///
    /// # Panics
    /// If no memory was reserved.
    pub(in crate::network) fn means(&self) -> &Arena<f64> {
        self.means.as_ref().expect("memory that was reserved for a batch of images")
    }

    /// The means over `count` pixels from the sums of so many blocks: those of each 256 samples are added in
    /// their order, and their sums meet in the tree (N2). `row` is one of both rows of the node.
    pub(in crate::network) fn meet(
        &self,
        place: &RunningPlace,
        row: fn(&RunningPlace, &Arena<f64>) -> Panels<f64>,
        (blocks, count): (usize, usize),
        to: Panels<f64>,
    ) {
        for channel in 0..place.channels() {
            let sum = sum(blocks, |block| row(place, &self.blocks[block]).flat().get(channel));
            to.flat().set(channel, sum / count as f64);
        }
    }
}

/// The sum of what so many blocks have.
fn sum(blocks: usize, part: impl Fn(usize) -> f64) -> f64 {
    const BLOCKS: usize = BLOCK_ROWS / LANES;
    let mut slots = [0.0; usize::BITS as usize];
    let mut tree = BlockTree::default();
    for first in (0..blocks).step_by(BLOCKS) {
        let last = blocks.min(first + BLOCKS);
        slots[tree.slot()] = (first + 1..last).fold(part(first), |sum, next| sum + part(next));
        for i in tree.push() {
            slots[i] += slots[i + 1];
        }
    }
    for i in tree.finish() {
        slots[i] += slots[i + 1];
    }
    slots[0]
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn blocks_of_256_samples_are_chains_that_meet_in_the_tree() {
        let part = |block: usize| 1.0 / (block as f64 + 3.0);
        let chain = |first: usize, last| (first + 1..last).fold(part(first), |a, b| a + part(b));
        assert_eq!(sum(1, part), part(0));
        assert_eq!(sum(16, part), chain(0, 16));
        assert_eq!(sum(17, part), chain(0, 16) + part(16));
        let three = (chain(0, 16) + chain(16, 32)) + chain(32, 40);
        assert_eq!(sum(40, part), three);
    }
}
