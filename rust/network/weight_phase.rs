//! The weight phase of a step: sums over the rows of a batch, and the updates from them.

use super::memory::{State, Workspace};
use super::op::{WeightOp, WeightSource};
use super::prepare::Preparation;
use super::share::weight_team;
use super::update::{apply_block, layer_state, prepare_block};
use crate::error::Result;
use crate::kernels::convolution::SumBlocks;
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::Ahead;
use crate::kernels::normalization::{AffineGradient, TrainAffine};
use crate::kernels::prelu::{SlopeGradient, TrainSlopes};
use crate::kernels::weight::{
    Block, GradientBlock, LanesGradient, LinearState, TrainBlock, TrainLanes,
};
use crate::runtime::pool::ThreadPool;
use crate::runtime::{Arena, Team, watch};
use crate::simd::{Isa, LANES};

/// What the weight phase of a plan does.
pub(super) struct WeightPhase {
    isa: Isa,
    ops: Vec<WeightOp>,
    /// Tiles: an index into `ops` and a block of that layer.
    tiles: Vec<(usize, Block)>,
}

impl WeightPhase {
    pub(super) fn new(isa: Isa, ops: Vec<WeightOp>, tiles: Vec<(usize, Block)>) -> Self {
        Self { isa, ops, tiles }
    }

    /// Bytes of its lists.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.tiles[..]) + size_of_val(&self.ops[..])
    }

    /// The threads for sums over so many rows.
    pub(super) fn team<T: Elementary>(&self, threads: usize, rows: usize) -> Team {
        weight_team::<T>(threads, self.tiles.len(), rows)
    }

    /// The gradient of each weight from a slab's `rows` rows, and at once its update, which has been
    /// counted; rows of X for the next step are fetched beside it.
    pub(super) fn train<T: Elementary>(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &Workspace<T>,
        how: &Preparation<'_, T>,
        rows: usize,
        next: Option<Ahead<'_>>,
    ) -> Result<()> {
        let of = |op: &WeightOp| layer_state(state, how, op.index, op.keep_backward);
        let layers: Vec<_> = self.ops.iter().map(of).collect();
        let tiles = self.tiles.len();
        ThreadPool::run(self.team::<T>(threads, rows), tiles, &|tile| {
            let ahead = next.map(|next| next.share(tile, tiles));
            self.train_block(state, &layers, workspace, rows, tile, ahead);
        })
    }

    /// The gradient of one block of a weight, and its update.
    fn train_block<T: Elementary>(
        &self,
        state: &State<T>,
        layers: &[LinearState<T>],
        workspace: &Workspace<T>,
        rows: usize,
        tile: usize,
        ahead: Option<Ahead<'_>>,
    ) {
        let (index, block) = self.tiles[tile];
        let (op, layer) = (&self.ops[index], &layers[index]);
        match op.source {
            WeightSource::Rows { input, grad } => self.isa.run(TrainBlock {
                input: workspace.buffer(input).slice(0, rows),
                grad: workspace.buffer(grad).slice(0, rows),
                block,
                state: layer,
                ahead,
            }),
            WeightSource::Lanes { input, grad } => self.isa.run(TrainLanes {
                input: workspace.buffer(input),
                grad: workspace.buffer(grad).slice(0, rows),
                block,
                state: layer,
            }),
            WeightSource::Normalized { normalized, grad } => self.isa.run(TrainAffine {
                normalized: workspace.buffer(normalized).slice(0, rows),
                grad: workspace.buffer(grad).slice(0, rows),
                block,
                state: layer,
            }),
            WeightSource::Slopes { z, grad } => self.isa.run(TrainSlopes {
                z: workspace.buffer(z).slice(0, rows),
                grad: workspace.buffer(grad).slice(0, rows),
                one: layer.weight.values.cols() == 1,
                block,
                state: layer,
            }),
            WeightSource::Images => {
                let gradient = workspace.gradient();
                self.sum_images(state, workspace, rows, gradient, (op.index, block));
                let layout = &state.layout.layers[op.index];
                apply_block(self.isa, layout, layer, gradient, block);
            }
        }
    }

    /// The gradient of each weight from a slab's `rows` rows, kept in the gradients' slot.
    pub(super) fn gradients<T: Elementary>(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &Workspace<T>,
        rows: usize,
        slot: usize,
    ) -> Result<()> {
        watch::run(self.team::<T>(threads, rows), self.tiles.len(), &|tile| {
            self.keep_block(state, workspace, rows, slot, tile);
        })
    }

    /// The same in a batch's first slot, and each is prepared while it is in cache.
    pub(super) fn prepared<T: Elementary>(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &Workspace<T>,
        how: &Preparation<'_, T>,
        rows: usize,
    ) -> Result<()> {
        let of = |op: &WeightOp| layer_state(state, how, op.index, op.keep_backward);
        let layers: Vec<_> = self.ops.iter().map(of).collect();
        ThreadPool::run(self.team::<T>(threads, rows), self.tiles.len(), &|tile| {
            self.keep_block(state, workspace, rows, 0, tile);
            let (op, block) = self.tiles[tile];
            let layout = &state.layout.layers[self.ops[op].index];
            prepare_block(self.isa, layout, &layers[op], workspace.gradient(), block);
        })
    }

    /// The gradient of one block of a weight, kept.
    fn keep_block<T: Elementary>(
        &self,
        state: &State<T>,
        workspace: &Workspace<T>,
        rows: usize,
        slot: usize,
        tile: usize,
    ) {
        let gradient = workspace.gradient_slot(slot);
        let (op, block) = self.tiles[tile];
        let op = &self.ops[op];
        let layout = &state.layout.layers[op.index];
        let weight = layout.weight(gradient);
        let bias = layout.bias.then(|| layout.bias(gradient));
        match op.source {
            WeightSource::Rows { input, grad } => self.isa.run(GradientBlock {
                input: workspace.buffer(input).slice(0, rows),
                grad: workspace.buffer(grad).slice(0, rows),
                block,
                weight,
                bias,
            }),
            WeightSource::Lanes { input, grad } => self.isa.run(LanesGradient {
                input: workspace.buffer(input),
                grad: workspace.buffer(grad).slice(0, rows),
                block,
                weight: block.of_weight(weight),
                bias: bias.map(|bias| block.of_bias(bias)),
            }),
            WeightSource::Normalized { normalized, grad } => self.isa.run(AffineGradient {
                normalized: workspace.buffer(normalized).slice(0, rows),
                grad: workspace.buffer(grad).slice(0, rows),
                block,
                weight: block.of_bias(weight),
                bias: block.of_bias(layout.bias(gradient)),
            }),
            WeightSource::Slopes { z, grad } => self.isa.run(SlopeGradient {
                z: workspace.buffer(z).slice(0, rows),
                grad: workspace.buffer(grad).slice(0, rows),
                one: weight.cols() == 1,
                block,
                slopes: block.of_bias(weight),
            }),
            WeightSource::Images => {
                self.sum_images(state, workspace, rows, gradient, (op.index, block));
            }
        }
    }

    /// Adds what the blocks of images have left for one block of a convolution's weight.
    fn sum_images<T: Elementary>(
        &self,
        state: &State<T>,
        workspace: &Workspace<T>,
        rows: usize,
        gradient: &Arena<T>,
        (index, block): (usize, Block),
    ) {
        let layout = &state.layout.layers[index];
        self.isa.run(SumBlocks {
            parts: workspace.image_gradients(rows.div_ceil(LANES)),
            sum: gradient,
            block,
            weight: layout.weight(gradient),
            bias: layout.bias.then(|| layout.bias(gradient)),
        });
    }
}
