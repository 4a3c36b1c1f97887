//! Running a plan: forward, loss, backward, apply.

use std::time::Instant;

use super::batch::{Batch, Head, StepLoss};
use super::cost::{LABEL_ROWS, label_team, row_tiles};
use super::op::RowContext;
use super::plan::{Plan, WeightOp};
use super::spec::{Optimizer, Reduction};
use super::state::State;
use super::workspace::Workspace;
use crate::error::Result;
use crate::kernels::activation::{Activation, ActivationBackward};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{Gather, Rows, Source};
use crate::kernels::gemm::{Transpose, unpack};
use crate::kernels::loss::{LossRows, Targets, divisor};
use crate::kernels::panels::Span;
use crate::kernels::reduce::{Accumulate, BlockTree, sum_rows};
use crate::kernels::weight::{ApplyBlock, GradientBlock, LinearState, TrainBlock};
use crate::runtime::Arena;
use crate::runtime::pool::Pool;
use crate::simd::{Entry, Isa, LANES};

/// The kernels of the weight phase, compiled for one instruction set.
pub(super) struct StepKernels<T: Elementary> {
    train: Entry<TrainBlock<T>>,
    gradient: Entry<GradientBlock<T>>,
    apply: Entry<ApplyBlock<T>>,
}

impl<T: Elementary> StepKernels<T> {
    pub(super) fn new(isa: Isa) -> Self {
        Self { train: isa.entry(), gradient: isa.entry(), apply: isa.entry() }
    }
}

/// How far a pass goes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reach {
    Outputs,
    Loss,
    Gradients,
}

/// One pass of the row phase over a slab.
struct Pass<'a, T: Elementary> {
    state: &'a State<T>,
    workspace: &'a Workspace<T>,
    batch: &'a Batch<'a, T>,
    head: Head<'a, T>,
    reach: Reach,
    training: bool,
    divisor: f64,
}

impl<T: Elementary> Plan<T> {
    /// The network's outputs, row-major (rows, out_features), into `out`.
    ///
    /// # Errors
    /// `Error::Internal` if a tile panicked.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn forward(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        training: bool,
        out: &mut [T],
    ) -> Result<()> {
        let cols = self.buffers.cols(self.output);
        assert_eq!(out.len(), batch.rows * cols);
        for (start, rows) in self.slabs(batch.rows) {
            let head = Head::Nothing;
            let reach = Reach::Outputs;
            let pass = Pass { state, workspace, batch, head, reach, training, divisor: 1.0 };
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
        let divisor = self.prepare(threads, workspace, batch)?;
        for (start, rows) in self.slabs(batch.rows) {
            let (head, reach) = (Head::Loss, Reach::Loss);
            let pass = Pass { state, workspace, batch, head, reach, training: false, divisor: 1.0 };
            self.row_phase(threads, &pass, start, rows)?;
        }
        Ok(self.total(workspace, batch.rows, divisor))
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
        let teams = [
            self.row_team(threads, Reach::Gradients, batch.rows),
            self.weight_team(threads, batch.rows),
        ];
        if teams.iter().all(|team| team.threads() == 1) {
            return self.train_on(1, state, workspace, batch);
        }
        let cost = teams.iter().map(|team| team.nanoseconds()).sum();
        let start = workspace.pace.is_due(cost).then(Instant::now);
        let threads = workspace.pace.threads(threads);
        let loss = self.train_on(threads, state, workspace, batch)?;
        if let Some(start) = start {
            workspace.pace.record(batch.rows, start.elapsed().as_nanos() as f64);
        }
        Ok(loss)
    }

    fn train_on(
        &self,
        threads: usize,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<StepLoss> {
        if batch.rows > self.slab_rows || !self.fused {
            let loss = self.gradients(threads, state, workspace, batch, Head::Loss, true)?;
            if loss.is_finite() {
                self.apply(threads, state, workspace.gradient())?;
            }
            return Ok(loss);
        }
        let divisor = self.prepare(threads, workspace, batch)?;
        let pass = Pass {
            state,
            workspace,
            batch,
            head: Head::Loss,
            reach: Reach::Gradients,
            training: true,
            divisor: self.scale(divisor),
        };
        self.row_phase(threads, &pass, 0, batch.rows)?;
        let loss = self.total(workspace, batch.rows, divisor);
        if loss.is_finite() {
            state.begin_update(&self.optimizer);
            let state = &*state;
            let workspace = &*workspace;
            let team = self.weight_team(threads, batch.rows);
            Pool::run(team, self.blocks.len(), &|tile| {
                let (index, block) = self.blocks[tile];
                let op = &self.weights[index];
                self.kernels.train.call(TrainBlock {
                    input: workspace.buffer(op.input).slice(0, batch.rows),
                    grad: workspace.buffer(op.grad).slice(0, batch.rows),
                    block,
                    state: linear_state(state, &self.optimizer, op),
                });
            })?;
        }
        Ok(loss)
    }

    /// The gradients of a batch, left in [`Workspace::gradient`].
    ///
    /// # Errors
    /// As [`Self::train`].
    pub fn gradients(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        head: Head<'_, T>,
        training: bool,
    ) -> Result<StepLoss> {
        let divisor = self.prepare(threads, workspace, batch)?;
        for &(linear, copy) in &self.copies {
            let source = state.layout.linears[linear].weight(&state.parameters);
            let target = workspace.buffer(copy);
            for block in 0..source.rows().div_ceil(LANES) {
                for panel in 0..source.panels() {
                    self.isa.run(Transpose { source, target, block, panel });
                }
            }
        }
        workspace.reserve_gradients(&state.layout, 1)?;
        let mut tree = BlockTree::default();
        for (start, rows) in self.slabs(batch.rows) {
            let slot = tree.slot();
            workspace.reserve_gradients(&state.layout, slot + 1)?;
            let reach = Reach::Gradients;
            let scale = self.scale(divisor);
            let pass = Pass { state, workspace, batch, head, reach, training, divisor: scale };
            self.row_phase(threads, &pass, start, rows)?;
            self.weight_gradients(threads, state, workspace, rows, slot)?;
            // A slab is a power of two of N2's blocks, so slabs meet as blocks do.
            tree.push().for_each(|slot| self.merge(workspace, slot));
        }
        tree.finish().for_each(|slot| self.merge(workspace, slot));
        Ok(match head {
            Head::Loss => self.total(workspace, batch.rows, divisor),
            Head::Nothing | Head::Gradient(_) => StepLoss { sum: 0.0, divisor: 1.0, reduced: 0.0 },
        })
    }

    /// The update from a gradient in the layout of the parameters.
    ///
    /// # Errors
    /// `Error::Internal` if a tile panicked.
    pub fn apply(&self, threads: usize, state: &mut State<T>, gradient: &Arena<T>) -> Result<()> {
        state.begin_update(&self.optimizer);
        let state = &*state;
        Pool::run(self.weight_team(threads, 0), self.blocks.len(), &|tile| {
            let (index, block) = self.blocks[tile];
            let op = &self.weights[index];
            let layout = &state.layout.linears[op.linear];
            if layout.trainable {
                self.kernels.apply.call(ApplyBlock {
                    weight: layout.weight(gradient),
                    bias: layout.bias.then(|| layout.bias(gradient)),
                    block,
                    state: linear_state(state, &self.optimizer, op),
                });
            }
        })
    }

    /// Start and length of the slabs of a batch.
    fn slabs(&self, rows: usize) -> impl Iterator<Item = (usize, usize)> + use<T> {
        let slab = if self.slab_rows == 0 { 1 } else { self.slab_rows };
        (0..rows)
            .step_by(slab)
            .map(move |start| (start, if rows - start < slab { rows - start } else { slab }))
    }

    /// Gathers classes and weights of a batch, and gives the divisor of its mean.
    fn prepare(
        &self,
        threads: usize,
        workspace: &Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<f64> {
        let rows = batch.rows;
        assert!(rows <= workspace.batch_rows());
        Pool::run(label_team(threads, rows), rows.div_ceil(LABEL_ROWS), &|tile| {
            let (start, end) = (tile * LABEL_ROWS, rows.min((tile + 1) * LABEL_ROWS));
            batch.gather_labels(start..end, workspace.classes(), workspace.weights());
        })?;
        let Some((loss, _)) = &self.loss else { return Ok(1.0) };
        let outputs = self.buffers.cols(self.output);
        let classes = batch.classes_of(workspace);
        Ok(divisor(loss, classes, batch.weights_of(workspace), rows, outputs))
    }

    /// What the gradient is divided by.
    fn scale(&self, divisor: f64) -> f64 {
        match self.loss {
            Some((_, Reduction::Mean)) => divisor,
            _ => 1.0,
        }
    }

    /// The loss of a batch from those of its rows.
    fn total(&self, workspace: &Workspace<T>, rows: usize, divisor: f64) -> StepLoss {
        let sum = sum_rows(workspace.row_loss().slice(0, rows));
        let scale = self.scale(divisor);
        // Where all rows have zero weight, the loss is 0, not 0 / 0.
        StepLoss { sum, divisor, reduced: if scale == 0.0 { 0.0 } else { sum / scale } }
    }

    fn row_phase(
        &self,
        threads: usize,
        pass: &Pass<'_, T>,
        slab: usize,
        rows: usize,
    ) -> Result<()> {
        let team = self.row_team(threads, pass.reach, rows);
        let tiles = row_tiles(team, rows);
        Pool::run(team, tiles, &|tile| {
            let (start, end) = (rows * tile / tiles, rows * (tile + 1) / tiles);
            self.row_tile(pass, slab, start, end);
        })
    }

    /// Rows `start..end` of the slab that begins at row `slab` of the batch.
    fn row_tile(&self, pass: &Pass<'_, T>, slab: usize, start: usize, end: usize) {
        let Pass { state, workspace, batch, .. } = *pass;
        let kernels = &self.row_kernels;
        let training = pass.training;
        let context = RowContext { kernels, state, workspace, start, end, slab, training };
        let first = slab + start;
        let last = slab + end;
        self.isa.run(Gather {
            source: batch.source,
            rows: batch.order.range(first, last),
            target: context.rows(self.input),
        });
        for op in &self.forward {
            context.run(op);
        }
        if pass.reach == Reach::Outputs {
            return;
        }
        match pass.head {
            Head::Nothing => return,
            Head::Loss => {
                let targets = match batch.values(self.buffers.cols(self.output)) {
                    Some(values) => {
                        let target = context.rows(self.targets);
                        let rows = batch.order.range(first, last);
                        self.isa.run(Gather { source: values, rows, target });
                        Targets::Values(target)
                    }
                    None => Targets::Classes(workspace.classes().slice(first, last)),
                };
                let Some((loss, _)) = &self.loss else { return };
                let gradients = pass.reach == Reach::Gradients;
                self.isa.run(LossRows {
                    loss,
                    outputs: context.rows(self.output),
                    targets,
                    weights: match batch.weights {
                        Some(_) => workspace.weights().slice(first, last),
                        None => Span::empty(),
                    },
                    divisor: pass.divisor,
                    row_loss: workspace.row_loss().slice(first, last),
                    grad: gradients.then(|| context.rows(self.output_grad)),
                });
            }
            Head::Gradient(values) => {
                let source = Source::of_slice(values, self.buffers.cols(self.output));
                let target = context.rows(self.output_grad);
                self.isa.run(Gather { source, rows: Rows::From(first), target });
                self.isa.run(ActivationBackward {
                    activation: Activation::Identity,
                    saved: target,
                    grad: target,
                });
            }
        }
        if pass.reach == Reach::Gradients {
            for op in &self.backward {
                context.run(op);
            }
        }
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
        Pool::run(self.weight_team(threads, rows), self.blocks.len(), &|tile| {
            let (index, block) = self.blocks[tile];
            let op = &self.weights[index];
            let layout = &state.layout.linears[op.linear];
            self.kernels.gradient.call(GradientBlock {
                input: workspace.buffer(op.input).slice(0, rows),
                grad: workspace.buffer(op.grad).slice(0, rows),
                block,
                weight: layout.weight(gradient),
                bias: layout.bias.then(|| layout.bias(gradient)),
            });
        })
    }

    /// Adds the gradient in slot `slot + 1` to that in `slot`.
    fn merge(&self, workspace: &Workspace<T>, slot: usize) {
        let [sum, term] = [slot, slot + 1].map(|slot| whole(&workspace.gradients[slot]));
        self.isa.run(Accumulate { sum, term });
    }
}

fn whole<T: Elementary>(arena: &Arena<T>) -> Span<T> {
    super::op::view(arena, 0, 1, arena.len(), LANES).flat()
}

fn linear_state<T: Elementary>(
    state: &State<T>,
    optimizer: &Optimizer,
    op: &WeightOp,
) -> LinearState<T> {
    let layout = &state.layout.linears[op.linear];
    let moment = |index: usize| state.moments.get(index);
    LinearState {
        rule: state.rule(optimizer, layout.lr_scale),
        weight: layout.weight(&state.parameters),
        moments: [0, 1].map(|index| moment(index).map(|arena| layout.weight(arena))),
        backward: op.keep_backward.then(|| layout.backward_weight(&state.backward)),
        bias: layout.bias.then(|| layout.bias(&state.parameters)),
        bias_moments: [0, 1].map(|index| moment(index).map(|arena| layout.bias(arena))),
    }
}
