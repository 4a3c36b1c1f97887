//! The cursor of a training run, its losses, and when it pauses.

use std::sync::Arc;
use std::time::Instant;

use super::data::Data;
use super::sampler::Sampler;
use super::sums::EpochSums;
use super::tuning::{CLOCK_FLOPS, LOOK, RESERVED_EPOCHS, STEP_FLOPS};
use super::validation::Validation;
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::network::{Plan, State, StepLoss, Workspace};
use crate::runtime::memory;

/// Why [`TrainingRun::advance`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The time was up.
    Time,
    /// An epoch has ended.
    Epoch,
    /// All epochs have ended.
    Done,
}

/// A training run: some epochs over one set of data.
pub struct TrainingRun<'x, T: Elementary> {
    pub(super) plan: Arc<Plan<T>>,
    pub(super) workspace: Workspace<T>,
    pub(super) data: Data<'x, T>,
    pub(super) sampler: Sampler,
    epochs: usize,
    pub(super) threads: usize,
    /// Mean loss of each finished epoch.
    losses: Vec<f64>,
    /// Next batch of the present epoch.
    pub(super) batch: usize,
    /// Sums over the epoch's batches so far.
    sums: EpochSums,
    validation: Option<Validation<'x, T>>,
    /// Whether the workspace has what the way back of the next batch reads.
    pub(super) kept: bool,
    /// When steps that the caller makes one by one were last looked at.
    looked: Instant,
}

impl<'x, T: Elementary> TrainingRun<'x, T> {
    /// A run of `epochs` epochs in batches of `batch_rows`.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for a workspace.
    pub fn new(
        plan: Arc<Plan<T>>,
        workspace: Workspace<T>,
        data: Data<'x, T>,
        sampler: Sampler,
        epochs: usize,
        threads: usize,
    ) -> Result<Self> {
        memory::room(0)?;
        let losses = memory::vector(epochs.min(RESERVED_EPOCHS))?;
        Ok(Self {
            plan,
            workspace,
            data,
            sampler,
            epochs,
            threads,
            losses,
            batch: 0,
            sums: EpochSums::default(),
            kept: false,
            validation: None,
            looked: Instant::now(),
        })
    }

    /// The same, which validates at the end of epochs.
    #[must_use]
    pub fn validated(self, validation: Validation<'x, T>) -> Self {
        Self { validation: Some(validation), ..self }
    }

    /// Trains until the deadline, or to the end of an epoch if `stop_at_epoch`; at least one step.
    ///
    /// # Errors
    /// `Error::Diverged` if the loss of a step is not finite; that step is not applied.
    /// `Error::Overflow` if parameters or moments are not, which is looked for at the end alone: an epoch
    /// of a small network takes less time than the look.
    pub fn advance(
        &mut self,
        state: &mut State<T>,
        deadline: Instant,
        stop_at_epoch: bool,
    ) -> Result<Pause> {
        let pause = self.train(state, deadline, stop_at_epoch)?;
        self.look(state)?;
        Ok(pause)
    }

    /// The error for a loss of the present batch that is not finite.
    pub(super) fn diverged(&self, state: &State<T>) -> Error {
        let (epoch, batch) = (state.epoch, self.batch as u64);
        // What was applied before may be why.
        match self.plan.check_finite(self.threads, state, epoch, batch) {
            Ok(()) => Error::Diverged { epoch, batch },
            Err(error) => error,
        }
    }

    /// Refuses a state that is not finite, as found after the last finished batch.
    ///
    /// # Errors
    /// `Error::Overflow` if it is not.
    pub fn look(&self, state: &State<T>) -> Result<()> {
        let (epoch, batch) = match self.batch {
            0 => (state.epoch.saturating_sub(1), self.sampler.batches() - 1),
            batch => (state.epoch, batch - 1),
        };
        self.plan.check_finite(self.threads, state, epoch, batch as u64)
    }

    fn train(
        &mut self,
        state: &mut State<T>,
        deadline: Instant,
        stop_at_epoch: bool,
    ) -> Result<Pause> {
        let (_, rows) = self.sampler.batch(0);
        let steps_per_look = CLOCK_FLOPS / (self.plan.step_flops(rows) + STEP_FLOPS);
        let mut unseen = 0.0;
        while !self.done() {
            let ended = if self.sampler.batches() == 1 {
                let left = self.epochs - self.losses.len();
                let most = if stop_at_epoch { 1 } else { self.unwatched(state).min(left) };
                // As many as the look at the clock is apart.
                let times = most.min(steps_per_look as usize).max(1);
                self.epochs_of_one(state, times)?;
                unseen += times as f64;
                true
            } else {
                unseen += 1.0;
                self.train_batch(state)?;
                self.batch == 0
            };
            if ended {
                unseen += self.validate(state)? / CLOCK_FLOPS * steps_per_look;
            }
            if ended && stop_at_epoch {
                return Ok(if self.done() { Pause::Done } else { Pause::Epoch });
            }
            if unseen >= steps_per_look {
                unseen = 0.0;
                if Instant::now() >= deadline {
                    return Ok(if self.done() { Pause::Done } else { Pause::Time });
                }
            }
        }
        Ok(Pause::Done)
    }

    /// The next batch alone; its mean loss.
    ///
    /// # Errors
    /// As [`Self::advance`]. What a finite loss has left is looked for at the end of an epoch and where the
    /// last look was a while ago.
    pub fn step(&mut self, state: &mut State<T>) -> Result<f64> {
        let loss = self.train_batch(state)?;
        self.look_again(state)?;
        Ok(loss)
    }

    /// Validates after a batch that ended an epoch; looks at the state if that did, or if the last look was
    /// a while ago.
    pub(super) fn look_again(&mut self, state: &State<T>) -> Result<()> {
        if self.batch == 0 {
            self.validate(state)?;
        }
        if self.batch == 0 || self.looked.elapsed() >= LOOK {
            self.look(state)?;
            self.looked = Instant::now();
        }
        Ok(())
    }

    /// Epochs that may go by until validation wants to see the state.
    fn unwatched(&self, state: &State<T>) -> usize {
        let until = self.validation.as_ref().map(|watch| watch.until_due(state.epoch));
        until.and_then(|epochs| usize::try_from(epochs).ok()).unwrap_or(usize::MAX)
    }

    /// Validates at the end of an epoch, if it is due; an estimate of the floating-point operations.
    fn validate(&mut self, state: &State<T>) -> Result<f64> {
        match &mut self.validation {
            None => Ok(0.0),
            Some(validation) => {
                let (trained, epochs) = (Some(&self.data), self.losses.len());
                validation.end_epoch(self.threads, state, trained, epochs)
            }
        }
    }

    /// One step; its mean loss.
    fn train_batch(&mut self, state: &mut State<T>) -> Result<f64> {
        self.reserve_loss()?;
        if self.batch == 0 {
            self.sampler.begin(state.seed, state.epoch);
        }
        let (order, rows) = self.sampler.batch(self.batch);
        let batch = self.data.batch(order, rows);
        let next = (self.batch + 1 < self.sampler.batches()).then(|| {
            let (order, rows) = self.sampler.batch(self.batch + 1);
            self.data.batch(order, rows)
        });
        let (plan, workspace) = (&self.plan, &mut self.workspace);
        let loss = plan.train_before(self.threads, state, workspace, &batch, next.as_ref())?;
        if !loss.is_finite() {
            return Err(self.diverged(state));
        }
        self.count(loss.mean, loss.weight, state);
        Ok(loss.mean)
    }

    /// Makes room for the loss of one more epoch.
    pub(super) fn reserve_loss(&mut self) -> Result<()> {
        memory::reserve(&mut self.losses, 1)
    }

    /// Epochs of one batch, which is all rows in their order, `times` of them.
    fn epochs_of_one(&mut self, state: &mut State<T>, times: usize) -> Result<()> {
        let (order, rows) = self.sampler.batch(0);
        let batch = self.data.batch(order, rows);
        memory::reserve(&mut self.losses, times)?;
        let before = self.losses.len();
        let losses = &mut self.losses;
        let mut each = |loss: StepLoss| {
            let mut sums = EpochSums::default();
            sums.add(loss.mean, loss.weight);
            losses.push(sums.mean());
        };
        let (plan, workspace) = (&self.plan, &mut self.workspace);
        let last = plan.train_again(self.threads, state, workspace, &batch, times, &mut each);
        // Also of those before an error.
        state.epoch += (self.losses.len() - before) as u64;
        if last?.is_finite() { Ok(()) } else { Err(self.diverged(state)) }
    }

    /// Counts a finished batch with the sum of its rows' weights.
    pub(super) fn count(&mut self, mean: f64, weight: f64, state: &mut State<T>) {
        self.sums.add(mean, weight);
        self.batch += 1;
        if self.batch == self.sampler.batches() {
            self.losses.push(std::mem::take(&mut self.sums).mean());
            self.batch = 0;
            state.epoch += 1;
        }
    }

    /// Whether all epochs have ended.
    #[must_use]
    pub fn done(&self) -> bool {
        self.losses.len() >= self.epochs
    }

    /// The mean loss of each finished epoch.
    #[must_use]
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// What validates, if anything does.
    #[must_use]
    pub fn validation(&self) -> Option<&Validation<'x, T>> {
        self.validation.as_ref()
    }

    /// Finished batches of the present epoch.
    #[must_use]
    pub fn batches_done(&self) -> usize {
        self.batch
    }

    /// Batches of an epoch.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.sampler.batches()
    }

    /// The memory of a step, for the next run, the mean loss of each finished epoch, and what validated.
    #[must_use]
    pub fn into_parts(self) -> (Workspace<T>, Vec<f64>, Option<Validation<'x, T>>) {
        (self.workspace, self.losses, self.validation)
    }
}
