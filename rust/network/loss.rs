//! The loss of a batch: what it is divided by, the losses of its rows, and their total.

use super::batch::{Batch, StepLoss};
use super::memory::Workspace;
use super::share::label_team;
use super::spec::{Reduction, Spec};
use super::tuning::LABEL_ROWS;
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::Gather;
use crate::kernels::loss::{Divisor, Divisors, Loss, LossRows, RowTargets};
use crate::kernels::optimizer::BatchWeight;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::sum_rows;
use crate::runtime::watch;

/// A network's loss, if its caller does not compute it.
pub(super) struct LossHead {
    loss: Option<(Loss, Reduction)>,
    /// Columns of the network's output.
    outputs: usize,
    /// Columns of its targets.
    targets: usize,
}

impl LossHead {
    pub(super) fn new(spec: &Spec) -> Result<Self> {
        let loss = spec.loss.as_ref();
        let loss = loss.map(|(loss, reduction)| Ok((loss.duplicate()?, *reduction)));
        Ok(Self { loss: loss.transpose()?, outputs: spec.out_features(), targets: spec.targets() })
    }

    /// Columns of the network's output.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Gathers classes and weights of a batch, and gives the divisors of its loss.
    pub(super) fn prepare<T: Elementary>(
        &self,
        threads: usize,
        workspace: &Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<Divisors> {
        let rows = batch.rows;
        assert!(rows <= workspace.batch_rows());
        watch::run(label_team(threads, rows), rows.div_ceil(LABEL_ROWS), &|tile| {
            let (start, end) = (tile * LABEL_ROWS, rows.min((tile + 1) * LABEL_ROWS));
            let (classes, weights) = (workspace.classes(), workspace.weights());
            batch.gather_labels(start..end, self.outputs, classes, weights);
        })?;
        let divisors = self.divisors(workspace, batch);
        self.check(&divisors)?;
        Ok(divisors)
    }

    /// An error where a loss has nothing to divide by.
    pub(super) fn check(&self, divisors: &Divisors) -> Result<()> {
        match self.loss {
            Some((_, Reduction::Rows)) if divisors.weight == 0.0 => Err(Error::ZeroWeight),
            _ => Ok(()),
        }
    }

    /// The divisors of a batch's loss; its classes and weights are gathered.
    pub(super) fn divisors<T: Elementary>(
        &self,
        workspace: &Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Divisors {
        let Some((loss, reduction)) = &self.loss else { return Divisors::NONE };
        let classes = batch.classes_of(workspace);
        let weights = batch.weights_of(workspace);
        let divisors = Divisors::new(loss, classes, weights, batch.rows, self.outputs);
        match reduction {
            Reduction::Rows => divisors.by_rows(loss, self.outputs),
            Reduction::Mean | Reduction::Sum => divisors,
        }
    }

    /// What a batch's rows weigh, whose loss has these divisors.
    pub(super) fn weight<T: Elementary>(
        &self,
        workspace: &Workspace<T>,
        batch: &Batch<'_, T>,
        divisors: &Divisors,
    ) -> BatchWeight {
        if self.loss.is_some() {
            return BatchWeight { sum: divisors.weight, unit: divisors.unit };
        }
        let (weights, unit) = batch.weights_of(workspace);
        let sum = if weights.is_empty() { batch.rows as f64 } else { sum_rows(weights) };
        BatchWeight { sum, unit }
    }

    /// What the loss and its gradient are divided by.
    pub(super) fn reduction(&self, divisors: &Divisors) -> Divisor {
        match self.loss {
            Some((_, Reduction::Mean)) => divisors.mean,
            _ => divisors.sum,
        }
    }

    /// The loss of a batch from those of its rows.
    pub(super) fn total<T: Elementary>(
        &self,
        workspace: &Workspace<T>,
        rows: usize,
        divisors: &Divisors,
    ) -> StepLoss {
        let sum = sum_rows(workspace.row_loss().slice(0, rows));
        StepLoss {
            mean: divisors.mean.of(sum),
            weight: divisors.weight,
            reduced: self.reduction(divisors).of(sum),
            penalty: 0.0,
        }
    }

    /// The losses of rows `first..last` of the batch, with their gradient if there is room for it, and how
    /// to get their targets if those are numbers. `None` if the caller computes the loss.
    pub(super) fn of_rows<'a, T: Elementary>(
        &'a self,
        workspace: &Workspace<T>,
        batch: &Batch<'a, T>,
        (first, last): (usize, usize),
        (outputs, target, grad): (Panels<T>, Panels<T>, Option<Panels<T>>),
        divisor: Divisor,
    ) -> Option<(LossRows<'a, T>, Option<Gather<'a, T>>)> {
        let (loss, reduction) = self.loss.as_ref()?;
        let rows = batch.order.range(first, last);
        let values = batch.values(self.targets).map(|source| Gather { source, rows, target });
        let targets = match values {
            Some(_) => RowTargets::Values(target),
            None => RowTargets::Classes(workspace.classes().slice(first, last)),
        };
        let weights = match batch.weights {
            Some(_) => workspace.weights().slice(first, last),
            None => Span::empty(),
        };
        let row_loss = workspace.row_loss().slice(first, last);
        let clipped = *reduction == Reduction::Rows;
        let losses = LossRows { loss, clipped, outputs, targets, weights, divisor, row_loss, grad };
        Some((losses, values))
    }
}
