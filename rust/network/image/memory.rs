//! Where images get their memory.

use super::op::{Home, ImageBuffer};
use crate::kernels::elementary::Elementary;
use crate::kernels::images::ImageShape;
use crate::network::memory::Buffers;
use crate::simd::LANES;

/// Where images get their memory.
pub(super) struct ImageMemory {
    /// Whether those of all blocks are kept, each in its own.
    pub keeps_all: bool,
    /// Blocks of 16 samples of a slab.
    pub slab_blocks: usize,
    /// What a tile has.
    pub tile: Buffers,
}

impl ImageMemory {
    /// Images of so many blocks of a tile, or of all of the slab.
    pub(super) fn images<T: Elementary>(
        &mut self,
        shape: ImageShape,
        blocks: usize,
        batch: &mut Buffers,
    ) -> ImageBuffer {
        let rows = shape.panel_rows();
        let home = if self.keeps_all {
            Home::Batch(batch.add::<T>(rows, self.slab_blocks * LANES))
        } else {
            Home::Tile(self.tile.add::<T>(rows, blocks * LANES), blocks)
        };
        ImageBuffer { home, shape }
    }

    /// Images of which a tile has so many rows at a time.
    pub(super) fn window<T: Elementary>(&mut self, shape: ImageShape, rows: usize) -> ImageBuffer {
        let id = self.tile.add::<T>(rows.min(shape.height) * shape.row_stride(), LANES);
        ImageBuffer { home: Home::Window(id), shape }
    }

    /// Images for what is computed from `from`: the same unless their content is still `needed`.
    pub(super) fn place<T: Elementary>(
        &mut self,
        from: ImageBuffer,
        needed: bool,
        blocks: usize,
        batch: &mut Buffers,
    ) -> ImageBuffer {
        if needed || self.keeps_all { self.images::<T>(from.shape, blocks, batch) } else { from }
    }
}
