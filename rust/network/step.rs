//! Running a plan: forward, loss, backward, apply.

use std::ops::Range;
use std::time::Instant;

use super::batch::{Batch, Head, Reach, StepLoss};
use super::memory::{State, Workspace, whole};
use super::op::{WeightOp, WeightSource};
use super::plan::Plan;
use super::row_phase::Pass;
use super::update::{apply_block, layer_state};
use crate::error::Result;
use crate::kernels::convolution::SumBlocks;
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::Ahead;
use crate::kernels::gemm::{Transpose, unpack};
use crate::kernels::loss::Divisor;
use crate::kernels::normalization::{AffineGradient, TrainAffine};
use crate::kernels::reduce::{Accumulate, BLOCK_ROWS, BlockTree};
use crate::kernels::weight::{
    Block, GradientBlock, LanesGradient, LinearState, TrainBlock, TrainLanes,
};
use crate::runtime::pool::{Pool, caught};
use crate::runtime::{Arena, watch};
use crate::simd::LANES;

/// Looks at a slab that has ended: its workspace, and its rows of the batch.
type See<'a, T> = dyn FnMut(&Workspace<T>, Range<usize>) -> Result<()> + 'a;

impl<T: Elementary> Plan<T> {
    /// The network's outputs, row-major (rows, out_features), into `out`.
    ///
    /// # Errors
    /// `Error::Internal` if a tile panicked.
    ///
    /// # Panics
    /// If `out` has another length, or state or workspace belong to another network or plan.
    pub fn forward(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        training: bool,
        out: &mut [T],
    ) -> Result<()> {
        self.check(state, workspace);
        let cols = self.buffers.cols(self.output);
        assert_eq!(Some(out.len()), batch.rows.checked_mul(cols));
        for (start, rows) in self.slabs(batch.rows) {
            let head = Head::Nothing;
            let reach = Reach::Outputs;
            self.reserve(threads, state, workspace, reach, rows)?;
            let pass =
                Pass { state, workspace, batch, head, reach, training, divisor: Divisor::ONE };
            self.row_phase(threads, &pass, start, rows)?;
            let outputs = workspace.buffer(self.output).slice(0, rows);
            unpack(outputs, &mut out[start * cols..(start + rows) * cols], cols, 1);
        }
        Ok(())
    }

    /// The loss of a batch, without dropout.
    ///
    /// # Errors
    /// `Error::Internal` if a tile panicked.
    pub fn loss(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<StepLoss> {
        self.check(state, workspace);
        let divisors = self.prepare(threads, workspace, batch)?;
        for (start, rows) in self.slabs(batch.rows) {
            let (head, reach) = (Head::Loss, Reach::Loss);
            self.reserve(threads, state, workspace, reach, rows)?;
            let (training, divisor) = (false, Divisor::ONE);
            let pass = Pass { state, workspace, batch, head, reach, training, divisor };
            self.row_phase(threads, &pass, start, rows)?;
        }
        Ok(self.total(workspace, batch.rows, &divisors))
    }

    /// One update from a batch. A loss that is not finite is given back, and nothing is applied.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for the gradients of slabs, `Error::Internal` if a tile
    /// panicked.
    pub fn train(
        &self,
        threads: usize,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<StepLoss> {
        self.train_before(threads, state, workspace, batch, None)
    }

    /// As [`Self::train`]; rows of X for the next step are fetched while weights are updated.
    ///
    /// # Errors
    /// As [`Self::train`].
    pub fn train_before(
        &self,
        threads: usize,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        next: Option<&Batch<'_, T>>,
    ) -> Result<StepLoss> {
        self.check(state, workspace);
        if let Some(tiny) = &self.tiny {
            return caught(|| self.train_tiny(tiny, state, workspace, batch, 1, &mut |_| {}))?;
        }
        let teams = [
            self.row_team(threads, Reach::Gradients, batch.rows),
            self.weight_team(threads, batch.rows),
        ];
        if teams.iter().all(|team| team.threads() == 1) {
            return self.train_on(1, state, workspace, batch, next);
        }
        let cost = teams.iter().map(|team| team.nanoseconds()).sum();
        let start = workspace.pace.is_due(cost).then(Instant::now);
        let threads = workspace.pace.threads(threads);
        let loss = self.train_on(threads, state, workspace, batch, next)?;
        if let Some(start) = start {
            workspace.pace.record(batch.rows, start.elapsed().as_nanos() as f64);
        }
        Ok(loss)
    }

    /// Updates from one batch, `times` of them, and `each` is told the loss of each. Gives the last loss;
    /// one that is not finite ends it, and nothing is applied.
    ///
    /// # Errors
    /// As [`Self::train`].
    pub fn train_again(
        &self,
        threads: usize,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        times: usize,
        each: &mut dyn FnMut(StepLoss),
    ) -> Result<StepLoss> {
        self.check(state, workspace);
        if let Some(tiny) = &self.tiny {
            return caught(|| self.train_tiny(tiny, state, workspace, batch, times, each))?;
        }
        let mut last = StepLoss::NONE;
        for _ in 0..times {
            last = self.train(threads, state, workspace, batch)?;
            if !last.is_finite() {
                break;
            }
            each(last);
        }
        Ok(last)
    }

    fn train_on(
        &self,
        threads: usize,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        next: Option<&Batch<'_, T>>,
    ) -> Result<StepLoss> {
        if batch.rows > self.slab_rows || !self.fused {
            let loss = self.gradients(threads, state, workspace, batch, Head::Loss, true)?;
            if loss.is_finite() {
                self.apply(threads, state, workspace.gradient())?;
            }
            return Ok(loss);
        }
        let divisors = self.prepare(threads, workspace, batch)?;
        let (reach, rows) = (Reach::Gradients, batch.rows);
        self.reserve(threads, state, workspace, reach, rows)?;
        if self.images.is_some() {
            workspace.reserve_gradients(&state.layout, 1)?;
        }
        self.copy_weights(state, workspace);
        let (head, training, divisor) = (Head::Loss, true, self.reduction(&divisors));
        let pass = Pass { state, workspace, batch, head, reach, training, divisor };
        self.row_phase(threads, &pass, 0, rows)?;
        let loss = self.total(workspace, rows, &divisors);
        if loss.is_finite() {
            state.begin_update(&self.updates.optimizer);
            let (state, workspace) = (&*state, &*workspace);
            let of = |op: &WeightOp| {
                layer_state(state, &self.updates.optimizer, op.index, op.keep_backward)
            };
            let layers: Vec<_> = self.weights.iter().map(of).collect();
            // Between images it costs what it saves (LeNet-5 at 28 x 28: 0.996x).
            let next = next.filter(|_| self.images.is_none());
            let next = next.and_then(|next| Ahead::new(next.source, next.order, next.rows));
            let tiles = self.blocks.len();
            Pool::run(self.weight_team(threads, rows), tiles, &|tile| {
                let ahead = next.map(|next| next.share(tile, tiles));
                self.train_block(state, &layers, workspace, rows, tile, ahead);
            })?;
        }
        Ok(loss)
    }

    /// The gradient of one block of a weight, and its update.
    fn train_block(
        &self,
        state: &State<T>,
        layers: &[LinearState<T>],
        workspace: &Workspace<T>,
        rows: usize,
        tile: usize,
        ahead: Option<Ahead<'_>>,
    ) {
        let (index, block) = self.blocks[tile];
        let (op, layer) = (&self.weights[index], &layers[index]);
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
            WeightSource::Images => {
                let gradient = &workspace.gradients[0];
                self.sum_images(state, workspace, rows, gradient, (op.index, block));
                let layout = &state.layout.layers[op.index];
                apply_block(self.isa, layout, layer, gradient, block);
            }
        }
    }

    /// Adds what the blocks of images have left for one block of a convolution's weight.
    fn sum_images(
        &self,
        state: &State<T>,
        workspace: &Workspace<T>,
        rows: usize,
        gradient: &Arena<T>,
        (index, block): (usize, Block),
    ) {
        let layout = &state.layout.layers[index];
        self.isa.run(SumBlocks {
            parts: &workspace.image_gradients[..rows.div_ceil(LANES)],
            sum: gradient,
            block,
            weight: layout.weight(gradient),
            bias: layout.bias.then(|| layout.bias(gradient)),
        });
    }

    /// The gradients of a batch, left in [`Workspace::gradient`].
    ///
    /// # Errors
    /// As [`Self::train`].
    ///
    /// # Panics
    /// If the batch is larger than a slab of the plan, and slabs of that size break N2.
    pub fn gradients(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        head: Head<'_, T>,
        training: bool,
    ) -> Result<StepLoss> {
        let head = (head, training);
        self.gradients_by_slab(threads, state, workspace, batch, head, &mut |_, _| Ok(()))
    }

    /// As [`Self::gradients`]; after each slab `see` may look at its tensors, and is told which rows of
    /// the batch it has.
    pub(super) fn gradients_by_slab(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        (head, training): (Head<'_, T>, bool),
        see: &mut See<'_, T>,
    ) -> Result<StepLoss> {
        self.check(state, workspace);
        let meet = self.slab_rows.is_power_of_two() && self.slab_rows >= BLOCK_ROWS;
        assert!(meet || batch.rows <= self.slab_rows, "slabs of {} rows break N2", self.slab_rows);
        let divisors = self.prepare(threads, workspace, batch)?;
        self.copy_weights(state, workspace);
        workspace.reserve_gradients(&state.layout, 1)?;
        let mut tree = BlockTree::default();
        for (start, rows) in self.slabs(batch.rows) {
            let slot = tree.slot();
            workspace.reserve_gradients(&state.layout, slot + 1)?;
            let reach = Reach::Gradients;
            self.reserve(threads, state, workspace, reach, rows)?;
            let divisor = self.reduction(&divisors);
            let pass = Pass { state, workspace, batch, head, reach, training, divisor };
            self.row_phase(threads, &pass, start, rows)?;
            self.weight_gradients(threads, state, workspace, rows, slot)?;
            see(workspace, start..start + rows)?;
            // A slab is a power of two of N2's blocks, so slabs meet as blocks do.
            tree.push().for_each(|slot| self.merge(workspace, slot));
        }
        tree.finish().for_each(|slot| self.merge(workspace, slot));
        Ok(match head {
            Head::Loss => self.total(workspace, batch.rows, &divisors),
            Head::Nothing | Head::Gradient(_) => StepLoss::NONE,
        })
    }

    /// The update from a gradient in the layout of the parameters.
    ///
    /// # Errors
    /// `Error::Internal` if a tile panicked.
    pub fn apply(&self, threads: usize, state: &mut State<T>, gradient: &Arena<T>) -> Result<()> {
        self.updates.apply(threads, state, gradient)
    }

    /// Makes the copies of weights that the state does not keep.
    fn copy_weights(&self, state: &State<T>, workspace: &Workspace<T>) {
        if let Some(images) = &self.images {
            images.transpose_weights(self.isa, state, workspace);
        }
        for &(index, copy) in &self.copies {
            let source = state.layout.layers[index].weight(&state.parameters);
            let target = workspace.buffer(copy);
            for block in 0..source.rows().div_ceil(LANES) {
                for panel in 0..source.panels() {
                    self.isa.run(Transpose { source, target, block, panel });
                }
            }
        }
    }

    /// Start and length of the slabs of a batch.
    fn slabs(&self, rows: usize) -> impl Iterator<Item = (usize, usize)> + use<T> {
        let slab = if self.slab_rows == 0 { 1 } else { self.slab_rows };
        (0..rows)
            .step_by(slab)
            .map(move |start| (start, if rows - start < slab { rows - start } else { slab }))
    }

    /// The weight gradients of a slab's `rows` rows, into the gradients' slot.
    fn weight_gradients(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &Workspace<T>,
        rows: usize,
        slot: usize,
    ) -> Result<()> {
        let gradient = &workspace.gradients[slot];
        watch::run(self.weight_team(threads, rows), self.blocks.len(), &|tile| {
            let (op, block) = self.blocks[tile];
            let op = &self.weights[op];
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
                WeightSource::Images => {
                    self.sum_images(state, workspace, rows, gradient, (op.index, block));
                }
            }
        })
    }

    /// Adds the gradient in slot `slot + 1` to that in `slot`.
    pub(super) fn merge(&self, workspace: &Workspace<T>, slot: usize) {
        let [sum, term] = [slot, slot + 1].map(|slot| whole(&workspace.gradients[slot]));
        self.isa.run(Accumulate { sum, term });
    }
}
