//! Batches whose loss the caller computes, between a pass to the outputs and one back.

use super::run::TrainingRun;
use super::tally::Means;
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::RowOrder;
use crate::network::{Batch, Head, Plan, State, Workspace};
use crate::runtime::memory;

/// The outputs of a batch in training, row-major, and whether the workspace keeps what the way back reads.
pub(super) fn outputs<T: Elementary>(
    plan: &Plan<T>,
    threads: usize,
    state: &State<T>,
    workspace: &mut Workspace<T>,
    batch: &Batch<'_, T>,
) -> Result<(Vec<T>, bool)> {
    let mut outputs = memory::filled(T::ZERO, batch.rows.saturating_mul(plan.outputs()))?;
    let kept = plan.forward_kept(threads, state, workspace, batch, true, &mut outputs)?;
    Ok((outputs, kept))
}

/// The gradient at the outputs of so many rows, as the beginning of the way back.
pub(super) fn head<'a, T: Elementary>(
    plan: &Plan<T>,
    rows: usize,
    grad: &'a [T],
    kept: bool,
) -> Result<Head<'a, T>> {
    let cols = plan.outputs();
    if rows.checked_mul(cols) != Some(grad.len()) {
        return Err(Error::Shape(format!(
            "the loss's gradient has {} elements, the outputs have {rows} x {cols}",
            grad.len()
        )));
    }
    Ok(if kept { Head::Kept(grad) } else { Head::Gradient(grad) })
}

/// How much a batch counts among those of other batches, in units of its weights.
pub(super) fn weight<T: Elementary>(batch: &Batch<'_, T>) -> f64 {
    match batch.weights {
        None => batch.rows as f64,
        Some(weights) => (0..batch.rows).map(|row| weights.at(batch.order.at(row))).sum(),
    }
}

impl<T: Elementary> TrainingRun<'_, T> {
    /// The outputs of the next batch, row-major, and its rows of X. `None` at the end of the run.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for them, `Error::Internal` if a tile panicked.
    pub fn next_batch(&mut self, state: &State<T>) -> Result<Option<(Vec<T>, Vec<i64>)>> {
        if self.done() {
            return Ok(None);
        }
        if self.tally.batch() == 0 {
            self.sampler.begin(state.seed, state.epoch)?;
        }
        let (order, rows) = self.sampler.batch(self.tally.batch());
        let indices = match order {
            RowOrder::List(indices) => memory::collected(indices.iter().map(|&row| i64::from(row))),
            RowOrder::From(first) => memory::collected((first..first + rows).map(|row| row as i64)),
        }?;
        let batch = self.data.batch(order, rows);
        let (plan, workspace) = (&self.plan, &mut self.workspace);
        let (outputs, kept) = outputs(plan, self.threads, state, workspace, &batch)?;
        self.kept = kept;
        Ok(Some((outputs, indices)))
    }

    /// The update of the batch that [`Self::next_batch`] gave, in the same state, from the caller's loss and
    /// its gradient at the outputs.
    ///
    /// # Errors
    /// `Error::Diverged` if the loss is not finite, `Error::Shape` if the gradient has another size,
    /// `Error::Overflow` as [`Self::step`].
    pub fn finish_batch(&mut self, state: &mut State<T>, loss: f64, grad: &[T]) -> Result<()> {
        let kept = std::mem::take(&mut self.kept);
        if !loss.is_finite() {
            return Err(self.tally.diverged(state));
        }
        self.tally.reserve(1)?;
        let (order, rows) = self.sampler.batch(self.tally.batch());
        let batch = self.data.batch(order, rows);
        let head = head(&self.plan, rows, grad, kept)?;
        let weight = weight(&batch);
        let (plan, workspace) = (&self.plan, &mut self.workspace);
        let penalty = plan.train_from(self.threads, state, workspace, &batch, head)?;
        self.count(Means { loss, penalty }, weight, state);
        self.look_again(state)
    }
}
