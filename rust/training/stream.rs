//! A training run over batches that come one by one.

use std::time::Instant;

use super::data::Data;
use super::own_loss;
use super::sums::EpochSums;
use super::tuning::{LOOK, RESERVED_EPOCHS};
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::network::{Plan, State, Workspace};
use crate::runtime::memory;
use crate::simd::Isa;

/// A training run whose batches its caller has, each with a plan and a workspace for it.
pub struct StreamRun {
    isa: Isa,
    threads: usize,
    /// Batches of an epoch, if they end it.
    steps: Option<usize>,
    /// Mean loss of each finished epoch.
    losses: Vec<f64>,
    /// Finished batches of the present epoch.
    batch: usize,
    /// Those of the last finished epoch.
    batches: usize,
    sums: EpochSums,
    /// When the state was last looked at.
    looked: Instant,
}

impl StreamRun {
    /// A run of about `epochs` epochs, whose end its caller knows; an epoch ends after so many `steps`, or by
    /// [`Self::end_epoch`].
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for their losses.
    pub fn new(isa: Isa, threads: usize, epochs: usize, steps: Option<usize>) -> Result<Self> {
        let losses = memory::vector(epochs.min(RESERVED_EPOCHS))?;
        let (looked, sums) = (Instant::now(), EpochSums::default());
        Ok(Self { isa, threads, steps, losses, batch: 0, batches: 0, sums, looked })
    }

    /// One update from all rows of the data; their mean loss.
    ///
    /// # Errors
    /// `Error::Diverged` if the loss is not finite, and the step is not applied. `Error::Overflow` if
    /// parameters or moments are not, which is looked for at the end of an epoch and where the last look was
    /// a while ago.
    pub fn step<T: Elementary>(
        &mut self,
        plan: &Plan<T>,
        workspace: &mut Workspace<T>,
        state: &mut State<T>,
        data: &Data<'_, T>,
    ) -> Result<f64> {
        let loss = plan.train(self.threads, state, workspace, &data.all())?;
        if !loss.is_finite() {
            return Err(self.diverged(state));
        }
        self.count(data, loss.mean, loss.weight, state)?;
        Ok(loss.mean)
    }

    /// The outputs of all rows of the data, row-major, for a loss of the caller's, and whether the workspace
    /// keeps what the way back reads.
    ///
    /// # Errors
    /// As [`Plan::forward_kept`].
    pub fn outputs<T: Elementary>(
        &self,
        plan: &Plan<T>,
        workspace: &mut Workspace<T>,
        state: &State<T>,
        data: &Data<'_, T>,
    ) -> Result<(Vec<T>, bool)> {
        own_loss::outputs(plan, self.threads, state, workspace, &data.all())
    }

    /// As [`Self::step`], from the caller's loss and its gradient at the outputs, and whether these were kept
    /// in the same state.
    ///
    /// # Errors
    /// As [`Self::step`], and `Error::Shape` if the gradient has another size than the outputs.
    pub fn finish<T: Elementary>(
        &mut self,
        plan: &Plan<T>,
        workspace: &mut Workspace<T>,
        state: &mut State<T>,
        data: &Data<'_, T>,
        (loss, grad, kept): (f64, &[T], bool),
    ) -> Result<()> {
        if !loss.is_finite() {
            return Err(self.diverged(state));
        }
        let (batch, head) = (data.all(), own_loss::head(plan, data.rows(), grad, kept)?);
        plan.train_from(self.threads, state, workspace, &batch, head)?;
        self.count(data, loss, own_loss::weight(&batch), state)
    }

    /// Counts a finished batch with the sum of its rows' weights, ends an epoch, and looks at the state now
    /// and then.
    fn count<T: Elementary>(
        &mut self,
        data: &Data<'_, T>,
        mean: f64,
        weight: f64,
        state: &mut State<T>,
    ) -> Result<()> {
        let unit = data.weights.as_ref().map_or(1.0, |weights| weights.unit());
        self.sums.add_in(mean, weight, unit);
        self.batch += 1;
        if Some(self.batch) == self.steps {
            return self.end_epoch(state);
        }
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        self.look(state)
    }

    /// Ends an epoch.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for its loss, `Error::Overflow` as [`Self::step`].
    pub fn end_epoch<T: Elementary>(&mut self, state: &mut State<T>) -> Result<()> {
        memory::reserve(&mut self.losses, 1)?;
        self.losses.push(std::mem::take(&mut self.sums).mean());
        self.batches = std::mem::take(&mut self.batch);
        state.epoch += 1;
        self.look(state)
    }

    /// The error for a loss of the present batch that is not finite.
    fn diverged<T: Elementary>(&self, state: &State<T>) -> Error {
        let (epoch, batch) = (state.epoch, self.batch as u64);
        // What was applied before may be why.
        match state.check_finite(self.isa, self.threads, epoch, batch) {
            Ok(()) => Error::Diverged { epoch, batch },
            Err(error) => error,
        }
    }

    /// Refuses a state that is not finite, as found after the last finished batch.
    ///
    /// # Errors
    /// `Error::Overflow` if it is not.
    pub fn look<T: Elementary>(&self, state: &State<T>) -> Result<()> {
        let (epoch, batches) = match self.batch {
            0 => (state.epoch.saturating_sub(1), self.batches),
            batches => (state.epoch, batches),
        };
        state.check_finite(self.isa, self.threads, epoch, batches.saturating_sub(1) as u64)
    }

    /// The mean loss of each finished epoch.
    #[must_use]
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Finished batches of the present epoch.
    #[must_use]
    pub fn batches_done(&self) -> usize {
        self.batch
    }

    /// The mean loss of each finished epoch, at the end of the run.
    #[must_use]
    pub fn into_losses(self) -> Vec<f64> {
        self.losses
    }
}
