//! The cursor of a training run, its losses, and when it pauses.

use std::sync::Arc;
use std::time::Instant;

use super::data::Data;
use super::sampler::Sampler;
use super::tally::{Found, Means, Tally};
use super::tuning::{CLOCK_FLOPS, STEP_FLOPS};
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
    pub(super) tally: Tally,
    /// In a place of its own: it is as large as all else, and a run moves a few times.
    validation: Option<Box<Validation<'x, T>>>,
    /// Whether the workspace has what the way back of the next batch reads.
    pub(super) kept: bool,
    /// Whether an epoch's loss is that of its batches with their penalties, each times its rows.
    by_rows: bool,
}

impl<'x, T: Elementary> TrainingRun<'x, T> {
    /// A run of `epochs` epochs in batches of `batch_rows`.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for a workspace, `Error::Value` if the last batch of an epoch is
    /// too small to train on.
    pub fn new(
        plan: Arc<Plan<T>>,
        workspace: Workspace<T>,
        data: Data<'x, T>,
        sampler: Sampler,
        epochs: usize,
        threads: usize,
    ) -> Result<Self> {
        memory::room(0)?;
        let (_, last) = sampler.batch(sampler.batches().saturating_sub(1));
        plan.check_training(last)?;
        let tally = Tally::new(plan.isa(), threads, epochs, plan.penalizes())?;
        let (kept, validation, by_rows) = (false, None, false);
        Ok(Self {
            plan,
            workspace,
            data,
            sampler,
            epochs,
            threads,
            tally,
            validation,
            kept,
            by_rows,
        })
    }

    /// The same, whose epochs' losses are those of their batches with penalties, each times its rows, over
    /// all rows: scikit-learn's `loss_`. Otherwise a batch counts as much as its weights, without penalty.
    #[must_use]
    pub fn counted_by_rows(self) -> Self {
        Self { by_rows: true, ..self }
    }

    /// The same, which validates at the end of epochs.
    #[must_use]
    pub fn validated(self, validation: Validation<'x, T>) -> Self {
        Self { validation: Some(Box::new(validation)), ..self }
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

    /// Refuses a state that is not finite, as found after the last finished batch.
    ///
    /// # Errors
    /// `Error::Overflow` if it is not.
    pub fn look(&self, state: &State<T>) -> Result<()> {
        self.tally.look(state)
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
            let ended = if self.sampler.batches() == 1 && self.sampler.is_constant() {
                let left = self.epochs - self.tally.losses().len();
                let most = if stop_at_epoch { 1 } else { self.unwatched(state).min(left) };
                // As many as the look at the clock is apart.
                let times = most.min(steps_per_look as usize).max(1);
                self.epochs_of_one(state, times)?;
                unseen += times as f64;
                true
            } else {
                unseen += 1.0;
                self.train_batch(state)?;
                self.tally.batch() == 0
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
        if self.tally.batch() == 0 {
            self.validate(state)?;
        }
        self.tally.look_again(state)
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
                let (trained, epochs) = (Some(&self.data), self.tally.losses().len());
                validation.end_epoch(self.threads, state, trained, epochs)
            }
        }
    }

    /// One step; its mean loss.
    fn train_batch(&mut self, state: &mut State<T>) -> Result<f64> {
        self.tally.reserve(1)?;
        if self.tally.batch() == 0 {
            self.sampler.begin(state.seed, state.epoch)?;
        }
        let (order, rows) = self.sampler.batch(self.tally.batch());
        let batch = self.data.batch(order, rows);
        let next = (self.tally.batch() + 1 < self.sampler.batches()).then(|| {
            let (order, rows) = self.sampler.batch(self.tally.batch() + 1);
            self.data.batch(order, rows)
        });
        let (plan, workspace) = (&self.plan, &mut self.workspace);
        let loss = plan.train_before(self.threads, state, workspace, &batch, next.as_ref())?;
        if !loss.is_finite() {
            return Err(self.tally.diverged(state));
        }
        let (means, weight) = counted(&loss, self.by_rows.then_some(rows));
        self.count(means, weight, state);
        Ok(loss.mean)
    }

    /// Epochs of one batch, which is all rows in their order, `times` of them.
    fn epochs_of_one(&mut self, state: &mut State<T>, times: usize) -> Result<()> {
        let (order, rows) = self.sampler.batch(0);
        let batch = self.data.batch(order, rows);
        self.tally.reserve(times)?;
        let (tally, by_rows) = (&mut self.tally, self.by_rows.then_some(rows));
        let mut each = |state: &mut State<T>, loss: StepLoss| {
            let (means, weight) = counted(&loss, by_rows);
            tally.count_epoch(means, weight);
            state.epoch += 1;
        };
        let (plan, workspace) = (&self.plan, &mut self.workspace);
        let last = plan.train_again(self.threads, state, workspace, &batch, times, &mut each)?;
        if last.is_finite() { Ok(()) } else { Err(self.tally.diverged(state)) }
    }

    /// Counts a finished batch with the sum of its rows' weights.
    pub(super) fn count(&mut self, mean: Means, weight: f64, state: &mut State<T>) {
        self.tally.count(mean, weight);
        if self.tally.batch() == self.sampler.batches() {
            self.tally.end_epoch();
            state.epoch += 1;
        }
    }

    /// Takes the order of the epochs from the next on, as [`Sampler::give`].
    ///
    /// # Errors
    /// As there, and `Error::Value` in the middle of an epoch.
    pub fn give_order(&mut self, places: &[i64]) -> Result<()> {
        if self.tally.batch() > 0 {
            return Err(Error::Value("an epoch has begun, it keeps its order".into()));
        }
        self.sampler.give(places)
    }

    /// Whether all epochs have ended.
    #[must_use]
    pub fn done(&self) -> bool {
        self.tally.losses().len() >= self.epochs
    }

    /// The mean loss of each finished epoch.
    #[must_use]
    pub fn losses(&self) -> &[f64] {
        self.tally.losses()
    }

    /// The penalty on weights of the last finished batch, if the network has one.
    #[must_use]
    pub fn penalty(&self) -> Option<f64> {
        self.tally.penalty()
    }

    /// The penalty on weights of each finished epoch, if the network has one.
    #[must_use]
    pub fn penalties(&self) -> Option<&[f64]> {
        self.tally.penalties()
    }

    /// What validates, if anything does.
    #[must_use]
    pub fn validation(&self) -> Option<&Validation<'x, T>> {
        self.validation.as_deref()
    }

    /// Finished batches of the present epoch.
    #[must_use]
    pub fn batches_done(&self) -> usize {
        self.tally.batch()
    }

    /// Batches of an epoch.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.sampler.batches()
    }

    /// The memory of a step, for the next run, what was found of each finished epoch, and what validated.
    #[must_use]
    pub fn into_parts(self) -> (Workspace<T>, Found, Option<Validation<'x, T>>) {
        (self.workspace, self.tally.into_found(), self.validation.map(|validation| *validation))
    }
}

/// What a step counts in its epoch, and with which weight: with `rows`, its loss with the penalty, and those.
fn counted(loss: &StepLoss, rows: Option<usize>) -> (Means, f64) {
    let means = Means::of(loss);
    match rows {
        None => (means, loss.weight),
        Some(rows) => (Means { loss: loss.mean + loss.penalty, ..means }, rows as f64),
    }
}
