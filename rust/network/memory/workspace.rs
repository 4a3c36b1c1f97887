//! What one running thread needs besides the state: activations, deltas, the batch's labels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::block_sums::BlockSums;
use super::buffers::{BufferId, Buffers};
use super::layout::Layout;
use super::running::Statistics;
use super::view::whole;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::Accumulate;
use crate::runtime::{Arena, Pace, memory};
use crate::simd::{Isa, LANES};

/// The images of one tile.
#[derive(Debug)]
struct TileMemory<T: Elementary> {
    memory: Arena<T>,
    taken: AtomicBool,
}

/// The memory of a tile, which it gives back.
pub(in crate::network) struct TakenTile<'a, T: Elementary>(&'a TileMemory<T>);

impl<T: Elementary> TakenTile<'_, T> {
    pub(in crate::network) fn memory(&self) -> &Arena<T> {
        &self.0.memory
    }
}

impl<T: Elementary> Drop for TakenTile<'_, T> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}

/// The memory of one running step; made for a plan and a largest batch.
#[derive(Debug)]
pub struct Workspace<T: Elementary> {
    buffers: Arc<Buffers>,
    memory: Arena<T>,
    row_loss: Arena<f64>,
    classes: Arena<i32>,
    weights: Arena<f64>,
    /// Gradients of finished slabs on their way through the tree of N2; the first is the result.
    gradients: Vec<Arena<T>>,
    /// What each block of 16 rows of a slab leaves of the gradients of the layers on images.
    image_gradients: Vec<Arena<T>>,
    tiles: Vec<TileMemory<T>>,
    /// Those of the batch, where a normalization wants them.
    statistics: Option<Statistics>,
    /// Entries of sums over blocks of parameters, where updates want them.
    sums: Option<Arena<f64>>,
    /// On their way from images to these.
    pub(in crate::network) block_sums: BlockSums,
    /// How training steps here go best.
    pub(in crate::network) pace: Pace,
    batch_rows: usize,
}

impl<T: Elementary> Workspace<T> {
    pub(in crate::network) fn new(buffers: &Arc<Buffers>, batch_rows: usize) -> Result<Self> {
        let rows = batch_rows.checked_next_multiple_of(LANES);
        let rows = rows.ok_or_else(|| memory::refusal(usize::MAX))?;
        Ok(Self {
            buffers: Arc::clone(buffers),
            memory: buffers.memory()?,
            row_loss: Arena::zeroed(rows)?,
            classes: Arena::zeroed(rows)?,
            weights: Arena::zeroed(rows)?,
            gradients: Vec::new(),
            image_gradients: Vec::new(),
            tiles: Vec::new(),
            statistics: None,
            sums: None,
            block_sums: BlockSums::default(),
            pace: Pace::default(),
            batch_rows,
        })
    }

    /// Whether it is the memory of a plan with these buffers.
    pub(in crate::network) fn is_of(&self, buffers: &Arc<Buffers>) -> bool {
        Arc::ptr_eq(&self.buffers, buffers) || self.buffers == *buffers
    }

    /// Bytes of all its buffers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tiles = self.tiles.iter().map(|tile| &tile.memory);
        let arenas = self.gradients.iter().chain(&self.image_gradients).chain(tiles);
        let sums = self.sums.as_ref().map_or(0, Arena::len);
        let elements: usize = arenas.chain([&self.memory]).map(Arena::len).sum();
        elements * size_of::<T>()
            + (self.row_loss.len() + self.weights.len() + sums) * size_of::<f64>()
            + self.classes.len() * size_of::<i32>()
            + self.block_sums.bytes()
            + self.statistics.as_ref().map_or(0, Statistics::bytes)
    }

    /// Frees what only a batch of several slabs needs.
    pub fn shrink(&mut self) {
        self.gradients.truncate(1);
    }

    /// The largest batch that it takes.
    #[must_use]
    pub fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    /// A matrix.
    #[inline]
    pub(in crate::network) fn buffer(&self, id: BufferId) -> Panels<T> {
        self.buffers.view(&self.memory, id)
    }

    /// All matrices, and what was reserved.
    pub(in crate::network) fn memory(&self) -> Span<T> {
        whole(&self.memory)
    }

    /// The loss of each row of the batch.
    pub(in crate::network) fn row_loss(&self) -> Span<f64> {
        whole(&self.row_loss)
    }

    /// The class of each row of the batch.
    pub(in crate::network) fn classes(&self) -> Span<i32> {
        whole(&self.classes)
    }

    /// The weight of each row of the batch.
    pub(in crate::network) fn weights(&self) -> Span<f64> {
        whole(&self.weights)
    }

    /// The gradient that [`super::Plan::gradients`] left, in the layout of the parameters.
    ///
    /// # Panics
    /// If none was computed yet.
    #[must_use]
    pub fn gradient(&self) -> &Arena<T> {
        &self.gradients[0]
    }

    /// The gradient of a slab in the tree of N2.
    pub(in crate::network) fn gradient_slot(&self, slot: usize) -> &Arena<T> {
        &self.gradients[slot]
    }

    /// Adds the gradient in slot `slot + 1` to that in `slot`.
    pub(in crate::network) fn merge_gradients(&self, isa: Isa, slot: usize) {
        let [sum, term] = [slot, slot + 1].map(|slot| whole(&self.gradients[slot]));
        isa.run(Accumulate { sum, term });
    }

    /// What the first `blocks` blocks of 16 rows of a slab leave of the gradients of layers of images.
    pub(in crate::network) fn image_gradients(&self, blocks: usize) -> &[Arena<T>] {
        &self.image_gradients[..blocks]
    }

    /// What one of them leaves.
    pub(in crate::network) fn image_gradient(&self, block: usize) -> &Arena<T> {
        &self.image_gradients[block]
    }

    /// Makes sure of memory for the images of `tiles` tiles at a time, and for the
    /// gradients that `blocks` blocks of rows leave.
    pub(in crate::network) fn reserve_images(
        &mut self,
        buffers: &Buffers,
        tiles: usize,
        layout: &Layout,
        blocks: usize,
    ) -> Result<()> {
        while self.tiles.len() < tiles {
            memory::reserve(&mut self.tiles, 1)?;
            let memory = buffers.memory()?;
            self.tiles.push(TileMemory { memory, taken: AtomicBool::new(false) });
        }
        while self.image_gradients.len() < blocks {
            memory::reserve(&mut self.image_gradients, 1)?;
            self.image_gradients.push(layout.images_buffer()?);
        }
        Ok(())
    }

    /// Makes sure of memory for the statistics of a batch, of so many values in each channel of each node
    /// that wants some.
    pub(in crate::network) fn reserve_statistics(
        &mut self,
        layout: &Layout,
        counts: impl Iterator<Item = usize>,
    ) -> Result<()> {
        if layout.running.is_empty() {
            return Ok(());
        }
        if self.statistics.is_none() {
            self.statistics = Some(Statistics::new(&layout.running)?);
        }
        if let Some(statistics) = &mut self.statistics {
            statistics.begin(counts);
        }
        Ok(())
    }

    /// Makes sure of memory for the sums over pixels of so many blocks of 16 samples.
    pub(in crate::network) fn reserve_block_sums(
        &mut self,
        layout: &Layout,
        blocks: usize,
    ) -> Result<()> {
        self.block_sums.reserve(&layout.running, blocks)
    }

    /// What the last pass in training has left of its batch.
    pub(in crate::network) fn statistics(&self) -> Option<&Statistics> {
        self.statistics.as_ref()
    }

    /// The same, to keep.
    pub fn take_statistics(&mut self) -> Option<Statistics> {
        self.statistics.take()
    }

    /// Memory for the images of a tile: that of its own number, or what is free; there is some for as many
    /// threads as were reserved for.
    pub(in crate::network) fn take_tile(&self, own: Option<usize>) -> TakenTile<'_, T> {
        if let Some(own) = own {
            return TakenTile(&self.tiles[own]);
        }
        loop {
            for tile in &self.tiles {
                // Acquires what the tile before wrote there.
                if !tile.taken.swap(true, Ordering::Acquire) {
                    return TakenTile(tile);
                }
            }
            std::hint::spin_loop();
        }
    }

    /// The table of sums over blocks of parameters, once it is reserved.
    pub(in crate::network) fn sums(&self) -> Option<&Arena<f64>> {
        self.sums.as_ref()
    }

    /// Makes sure of that table.
    pub(in crate::network) fn reserve_sums(&mut self, layout: &Layout) -> Result<()> {
        if self.sums.is_none() {
            self.sums = Some(layout.sums_table()?);
        }
        Ok(())
    }

    /// Makes sure of `count` buffers for gradients.
    pub(in crate::network) fn reserve_gradients(
        &mut self,
        layout: &Layout,
        count: usize,
    ) -> Result<()> {
        while self.gradients.len() < count {
            self.gradients.push(layout.buffer()?);
        }
        Ok(())
    }
}
