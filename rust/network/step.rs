//! Running a plan: forward, loss, backward, apply.

use std::ops::Range;
use std::time::Instant;

use super::batch::{Batch, Head, Reach, StepLoss};
use super::memory::{State, Workspace};
use super::plan::Plan;
use super::prepare::Preparation;
use super::row_phase::Pass;
use super::tiny::{Each, Tiny, TinySteps};
use super::trace::{Recorder, Tensor};
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::Ahead;
use crate::kernels::gemm::unpack;
use crate::kernels::loss::Divisor;
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::runtime::Arena;
use crate::runtime::pool::caught;

/// Looks at a slab that has ended: its workspace, and its rows of the batch.
type See<'a, T> = dyn FnMut(&Workspace<T>, Range<usize>) -> Result<()> + 'a;

impl<T: Elementary> Plan<T> {
    /// The network's outputs, row-major (rows, out_features), into `out`, in the units of y.
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
        let (head, reach) = (Head::Nothing, Reach::Outputs);
        self.pass_forward(threads, state, workspace, batch, (head, reach, training), out)?;
        batch.restore(out);
        Ok(())
    }

    /// The loss of a batch, without dropout, and the outputs that it is of, on the scale of the targets:
    /// [`Batch::restore`] brings them to the units of y.
    ///
    /// # Errors
    /// As [`Self::forward`].
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn evaluate(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        out: &mut [T],
    ) -> Result<StepLoss> {
        let divisors = self.row_phase.loss().prepare(threads, workspace, batch)?;
        let (head, reach) = (Head::Loss, Reach::Loss);
        self.pass_forward(threads, state, workspace, batch, (head, reach, false), out)?;
        Ok(self.row_phase.loss().total(workspace, batch.rows, &divisors))
    }

    /// All slabs of a batch on the way forward; their outputs go into `out`.
    fn pass_forward(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        (head, reach, training): (Head<'_, T>, Reach, bool),
        out: &mut [T],
    ) -> Result<()> {
        self.check(state, workspace);
        let cols = self.outputs();
        assert_eq!(Some(out.len()), batch.rows.checked_mul(cols));
        if training {
            self.row_phase.check_values(batch.rows)?;
        }
        for (start, rows) in self.slabs(batch.rows) {
            self.row_phase.reserve(threads, state, workspace, (reach, training), rows)?;
            let pass =
                Pass { state, workspace, batch, head, reach, training, divisor: Divisor::ONE };
            self.row_phase.run(threads, &pass, start, rows)?;
            let outputs = workspace.buffer(self.row_phase.output()).slice(0, rows);
            unpack(outputs, &mut out[start * cols..(start + rows) * cols], cols, 1);
        }
        Ok(())
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
            return caught(|| {
                self.tiny_steps(tiny, workspace, batch).train(state, workspace, 1, &mut |_, _| {})
            })?;
        }
        let teams = [
            self.row_phase.team(threads, Reach::Gradients, batch.rows),
            self.weight_phase.team::<T>(threads, batch.rows),
        ];
        if teams.iter().all(|team| team.threads() == 1) {
            return self.train_on(1, state, workspace, batch, Head::Loss, next);
        }
        let cost = teams.iter().map(|team| team.nanoseconds()).sum();
        let start = workspace.pace.is_due(cost).then(Instant::now);
        let threads = workspace.pace.threads(threads);
        let loss = self.train_on(threads, state, workspace, batch, Head::Loss, next)?;
        if let Some(start) = start {
            workspace.pace.record(batch.rows, start.elapsed().as_nanos() as f64);
        }
        Ok(loss)
    }

    /// Updates from one batch, `times` of them; when one has been counted, `each` is told its loss and may
    /// count too. Gives the last loss; one that is not finite ends it, and nothing is applied.
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
        each: &mut Each<'_, T>,
    ) -> Result<StepLoss> {
        self.check(state, workspace);
        if let Some(tiny) = &self.tiny {
            return caught(|| {
                self.tiny_steps(tiny, workspace, batch).train(state, workspace, times, each)
            })?;
        }
        let mut last = StepLoss::NONE;
        for _ in 0..times {
            last = self.train(threads, state, workspace, batch)?;
            if !last.is_finite() {
                break;
            }
            each(state, last);
        }
        Ok(last)
    }

    /// Steps on a batch of a network that fits into L1.
    fn tiny_steps<'a>(
        &'a self,
        tiny: &'a Tiny,
        workspace: &Workspace<T>,
        batch: &'a Batch<'a, T>,
    ) -> TinySteps<'a, T> {
        let (loss, scale) = (self.row_phase.loss(), self.row_phase.scale());
        TinySteps::new(tiny, batch, self.isa, loss, &self.updates, scale, workspace)
    }

    /// One update; a head of the caller's has no loss here, which is finite.
    pub(super) fn train_on(
        &self,
        threads: usize,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        head: Head<'_, T>,
        next: Option<&Batch<'_, T>>,
    ) -> Result<StepLoss> {
        let updates = &self.updates;
        updates.reserve(state, workspace)?;
        if batch.rows > self.slab_rows || !self.fused {
            let mut loss = self.gradients(threads, state, workspace, batch, head, true)?;
            if loss.is_finite() {
                let divisors = self.row_phase.loss().divisors(workspace, batch);
                let weight = self.row_phase.loss().weight(workspace, batch, &divisors);
                loss.penalty = updates.train(threads, state, workspace, weight)?;
                Self::track(state, workspace);
            }
            return Ok(loss);
        }
        self.row_phase.check_values(batch.rows)?;
        let clips = updates.method.options.clip_norm.is_some();
        let divisors = self.row_phase.loss().prepare(threads, workspace, batch)?;
        let (reach, rows) = (head.reach(), batch.rows);
        self.row_phase.reserve(threads, state, workspace, (reach, true), rows)?;
        if self.row_phase.takes_images() || clips {
            workspace.reserve_gradients(&state.layout, 1)?;
        }
        self.row_phase.copy_weights(state, workspace);
        let (training, divisor) = (true, self.row_phase.loss().reduction(&divisors));
        let pass = Pass { state, workspace, batch, head, reach, training, divisor };
        self.row_phase.run(threads, &pass, 0, rows)?;
        let mut loss = self.row_phase.total(workspace, rows, head, &divisors);
        if loss.is_finite() {
            let weight = self.row_phase.loss().weight(workspace, batch, &divisors);
            let sums = workspace.sums();
            let how = Preparation::new(&updates.method, Some(weight), &state.layout, sums);
            if clips {
                self.weight_phase.prepared(threads, state, workspace, &how, rows)?;
                updates.apply_prepared(threads, state, workspace.gradient(), sums)?;
                loss.penalty = updates.penalty(state, workspace, weight);
                Self::track(state, workspace);
                return Ok(loss);
            }
            state.begin_update(&updates.method.optimizer);
            // Between images it costs what it saves (LeNet-5 at 28 x 28: 0.996x).
            let next = next.filter(|_| !self.row_phase.takes_images());
            let next = next.and_then(|next| Ahead::new(next.source, next.order, next.rows));
            self.weight_phase.train(threads, state, workspace, &how, rows, next)?;
            loss.penalty = updates.penalty(state, workspace, weight);
            Self::track(state, workspace);
        }
        Ok(loss)
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
        if training {
            self.row_phase.check_values(batch.rows)?;
        }
        let divisors = self.row_phase.loss().prepare(threads, workspace, batch)?;
        self.row_phase.copy_weights(state, workspace);
        workspace.reserve_gradients(&state.layout, 1)?;
        let mut tree = BlockTree::default();
        for (start, rows) in self.slabs(batch.rows) {
            let slot = tree.slot();
            workspace.reserve_gradients(&state.layout, slot + 1)?;
            let reach = head.reach();
            self.row_phase.reserve(threads, state, workspace, (reach, training), rows)?;
            let divisor = self.row_phase.loss().reduction(&divisors);
            let pass = Pass { state, workspace, batch, head, reach, training, divisor };
            self.row_phase.run(threads, &pass, start, rows)?;
            self.weight_phase.gradients(threads, state, workspace, rows, slot)?;
            see(workspace, start..start + rows)?;
            // A slab is a power of two of N2's blocks, so slabs meet as blocks do.
            tree.push().for_each(|slot| workspace.merge_gradients(self.isa, slot));
        }
        tree.finish().for_each(|slot| workspace.merge_gradients(self.isa, slot));
        Ok(self.row_phase.total(workspace, batch.rows, head, &divisors))
    }

    /// Refuses a batch in training of so few rows that a normalization has nothing to work on.
    ///
    /// # Errors
    /// `Error::Value` names the layer.
    pub fn check_training(&self, rows: usize) -> Result<()> {
        self.row_phase.check_values(rows)
    }

    /// Moves running statistics towards those of the batch that an update was made from.
    fn track(state: &mut State<T>, workspace: &Workspace<T>) {
        if let Some(statistics) = workspace.statistics() {
            state.track(statistics);
        }
    }

    /// Adds the penalty on weights to the gradients that were made of a batch in this workspace, and gives it.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for sums over weights, `Error::Internal` if a tile panicked.
    pub fn penalize(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<f64> {
        let loss = self.row_phase.loss();
        let weight = loss.weight(workspace, batch, &loss.divisors(workspace, batch));
        self.updates.penalize(threads, state, workspace, weight)
    }

    /// The update from a gradient in the layout of the parameters, which is overwritten.
    ///
    /// # Errors
    /// `Error::Internal` if a tile panicked.
    pub fn apply(&self, threads: usize, state: &mut State<T>, gradient: &Arena<T>) -> Result<()> {
        self.updates.apply(threads, state, gradient)
    }

    /// Start and length of the slabs of a batch.
    fn slabs(&self, rows: usize) -> impl Iterator<Item = (usize, usize)> + use<T> {
        let slab = if self.slab_rows == 0 { 1 } else { self.slab_rows };
        (0..rows)
            .step_by(slab)
            .map(move |start| (start, if rows - start < slab { rows - start } else { slab }))
    }

    /// Forward, loss and backward of a batch, without dropout; the plan's task is `Trace`.
    ///
    /// Tensors come in the order in which they are computed. A layer's `grad_output` is the gradient
    /// of the loss with respect to that layer's output.
    ///
    /// # Errors
    /// As [`Plan::gradients`], and `Error::Memory` if there is no room for the tensors.
    pub fn trace(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<(Vec<Tensor<T>>, f64)> {
        let (traces, rows) = (&self.traces, batch.rows);
        let mut recorder = Recorder::new(traces, &self.buffers, self.isa, rows)?;
        let head = (Head::Loss, false);
        let see = &mut |slab: &Workspace<T>, seen| {
            recorder.see(slab, seen);
            Ok(())
        };
        let loss = self.gradients_by_slab(threads, state, workspace, batch, head, see)?.reduced;
        Ok((recorder.finish(loss, &state.layout, workspace.gradient())?, loss))
    }

    /// As [`Plan::gradients`], with the gradient with respect to X, row-major, into `by_input`.
    ///
    /// # Errors
    /// As [`Plan::gradients`].
    ///
    /// # Panics
    /// If the plan does not compute it, or if it has another length.
    pub fn gradients_by_input(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        (head, training): (Head<'_, T>, bool),
        by_input: &mut [T],
    ) -> Result<StepLoss> {
        let buffer =
            self.row_phase.input_grad().expect("a plan for the gradient with respect to X");
        let cols = self.buffers.cols(buffer);
        assert!(Some(by_input.len()) == batch.rows.checked_mul(cols));
        let head = (head, training);
        self.gradients_by_slab(threads, state, workspace, batch, head, &mut |slab, rows| {
            let values = &mut by_input[rows.start * cols..rows.end * cols];
            unpack(slab.buffer(buffer).slice(0, rows.len()), values, cols, 1);
            if let Some(standardizer) = batch.standardizer() {
                standardizer.by_data(values, cols);
            } else if let Some(scale) = self.row_phase.scale() {
                for value in values {
                    // The quotient of two f32, rounded to f64 and then to f32, is the nearest f32.
                    *value = T::from_f64(value.to_f64() / scale.to_f64());
                }
            }
            Ok(())
        })
    }
}
