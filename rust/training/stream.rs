//! A training run over batches that come one by one.

use super::data::Data;
use super::own_loss;
use super::tally::{Found, Means, Tally};
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::network::{Plan, State, Workspace};
use crate::simd::Isa;

/// A training run whose batches its caller has, each with a plan and a workspace for it.
pub struct StreamRun {
    threads: usize,
    /// Batches of an epoch, if they end it.
    steps: Option<usize>,
    tally: Tally,
}

impl StreamRun {
    /// A run of about `epochs` epochs, whose end its caller knows; an epoch ends after so many `steps`, or by
    /// [`Self::end_epoch`].
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for their losses.
    pub fn new(
        isa: Isa,
        threads: usize,
        epochs: usize,
        steps: Option<usize>,
        penalizes: bool,
    ) -> Result<Self> {
        Ok(Self { threads, steps, tally: Tally::new(isa, threads, epochs, penalizes)? })
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
            return Err(self.tally.diverged(state));
        }
        self.count(data, Means::of(&loss), loss.weight, state)?;
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
            return Err(self.tally.diverged(state));
        }
        let (batch, head) = (data.all(), own_loss::head(plan, data.rows(), grad, kept)?);
        let penalty = plan.train_from(self.threads, state, workspace, &batch, head)?;
        self.count(data, Means { loss, penalty }, own_loss::weight(&batch), state)
    }

    /// Counts a finished batch with the sum of its rows' weights, ends an epoch, and looks at the state now
    /// and then.
    fn count<T: Elementary>(
        &mut self,
        data: &Data<'_, T>,
        mean: Means,
        weight: f64,
        state: &mut State<T>,
    ) -> Result<()> {
        let unit = data.weights.as_ref().map_or(1.0, |weights| weights.unit());
        self.tally.count_in(mean, weight, unit);
        if Some(self.tally.batch()) == self.steps {
            return self.end_epoch(state);
        }
        self.tally.look_again(state)
    }

    /// Ends an epoch.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for its loss, `Error::Overflow` as [`Self::step`].
    pub fn end_epoch<T: Elementary>(&mut self, state: &mut State<T>) -> Result<()> {
        self.tally.reserve(1)?;
        self.tally.end_epoch();
        state.epoch += 1;
        self.tally.look(state)
    }

    /// Refuses a state that is not finite, as found after the last finished batch.
    ///
    /// # Errors
    /// `Error::Overflow` if it is not.
    pub fn look<T: Elementary>(&self, state: &State<T>) -> Result<()> {
        self.tally.look(state)
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

    /// Finished batches of the present epoch.
    #[must_use]
    pub fn batches_done(&self) -> usize {
        self.tally.batch()
    }

    /// What was found of each finished epoch, at the end of the run.
    #[must_use]
    pub fn into_found(self) -> Found {
        self.tally.into_found()
    }
}
