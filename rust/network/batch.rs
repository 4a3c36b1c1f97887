//! The rows that a step works on.

use std::ops::Range;

use super::memory::Workspace;
use super::standard::Standards;
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{Divide, Gather, RowOrder, Source};
use crate::kernels::loss::RowWeights;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::standard::Standardizer;
use crate::simd::Isa;

/// The targets of all rows of the data.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a, T> {
    /// No targets.
    None,
    /// A class for each row; a negative one is `ignore_index`.
    Classes(&'a [i32]),
    /// Row-major, as many columns as the spec's [`targets`](super::Spec::targets).
    Values(&'a [T]),
}

/// Rows of the data, their targets and their weights.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    /// X.
    pub source: Source<'a>,
    /// Which rows.
    pub order: RowOrder<'a>,
    /// How many.
    pub rows: usize,
    /// Targets of all rows of X.
    pub targets: Targets<'a, T>,
    /// Weights of all rows of X.
    pub weights: Option<&'a RowWeights>,
    /// What X, where it is still to be, and the outputs are standardized by.
    pub standards: Option<&'a Standards>,
}

impl<'a, T: Elementary> Batch<'a, T> {
    /// Rows of X from row `first` of the batch on, and columns from `col` on, as many as the target has,
    /// standardized, or divided by `scale`.
    pub(super) fn gather(
        &self,
        isa: Isa,
        scale: Option<T>,
        (first, col): (usize, usize),
        target: Panels<T>,
    ) {
        let rows = self.order.range(first, first + target.rows());
        if let Some(standardizer) = self.standardizer() {
            let source = (self.source, self.source.cols());
            return standardizer.gather(isa, source, (rows, col), target);
        }
        let source = self.source.columns(col, col + target.cols());
        isa.run(Gather { source, rows, target });
        if let Some(divisor) = scale {
            isa.run(Divide { target, divisor });
        }
    }

    /// What X is to be standardized by.
    #[inline]
    pub(super) fn standardizer(&self) -> Option<&'a Standardizer> {
        self.standards?.x.as_ref()
    }

    /// Brings outputs from the standard scale to the units of y, if y is standardized.
    #[inline]
    pub fn restore(&self, outputs: &mut [T]) {
        if let Some(standardizer) = self.standards.and_then(|standards| standards.y.as_ref()) {
            standardizer.restore(outputs);
        }
    }

    /// Copies the classes and weights of some of the batch's rows to their places in the spans.
    ///
    /// # Panics
    /// If a class is not below the number of outputs: losses read the output of that number.
    pub(super) fn gather_labels(
        &self,
        rows: Range<usize>,
        outputs: usize,
        classes: Span<i32>,
        weights: Span<f64>,
    ) {
        if let Targets::Classes(all) = self.targets {
            for position in rows.clone() {
                let class = all[self.order.at(position)];
                assert!(i64::from(class) < outputs as i64, "class {class} of {outputs}");
                classes.set(position, class);
            }
        }
        if let Some(all) = self.weights {
            for position in rows {
                weights.set(position, all.at(self.order.at(position)));
            }
        }
    }

    /// The targets as far as the divisor depends on them.
    pub(super) fn classes_of(&self, workspace: &Workspace<T>) -> Option<Span<i32>> {
        match self.targets {
            Targets::Classes(_) => Some(workspace.classes().slice(0, self.rows)),
            Targets::None | Targets::Values(_) => None,
        }
    }

    /// The weights of the batch's rows and their unit; empty if all are one.
    pub(super) fn weights_of(&self, workspace: &Workspace<T>) -> (Span<f64>, f64) {
        match self.weights {
            Some(weights) => (workspace.weights().slice(0, self.rows), weights.unit()),
            None => (Span::empty(), 1.0),
        }
    }

    /// The targets of all rows as a source to gather from, if they are numbers.
    pub(super) fn values(&self, cols: usize) -> Option<Source<'a>> {
        match self.targets {
            Targets::Values(all) => Some(Source::of_slice(all, cols)),
            Targets::None | Targets::Classes(_) => None,
        }
    }
}

/// Where the gradient at the outputs comes from.
#[derive(Clone, Copy, Debug)]
pub enum Head<'a, T> {
    /// From nowhere: no backward pass.
    Nothing,
    /// From the loss.
    Loss,
    /// From the caller: row-major (rows, outputs) in the batch's order.
    Gradient(&'a [T]),
    /// The same, where `Plan::forward_kept` has made the outputs in this workspace: no forward pass.
    Kept(&'a [T]),
}

impl<T> Head<'_, T> {
    /// How far a pass from here to the weights' gradients goes.
    pub(super) fn reach(&self) -> Reach {
        match self {
            Head::Kept(_) => Reach::Back,
            Head::Nothing | Head::Loss | Head::Gradient(_) => Reach::Gradients,
        }
    }
}

/// How far a pass goes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reach {
    Outputs,
    /// To the outputs, and what the way back reads stays where it is.
    Kept,
    Loss,
    Gradients,
    /// From the gradient at the outputs, after a pass that has kept what it made, to the gradients.
    Back,
}

impl Reach {
    /// Whether it begins with X.
    pub(super) fn is_forward(self) -> bool {
        self != Self::Back
    }

    /// Whether it ends with the gradients.
    pub(super) fn is_backward(self) -> bool {
        matches!(self, Self::Gradients | Self::Back)
    }

    /// Whether it is one half of a step.
    pub(super) fn is_half(self) -> bool {
        matches!(self, Self::Kept | Self::Back)
    }
}

/// The loss of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLoss {
    /// The mean, whatever the reduction; 0 where all rows have zero weight.
    pub mean: f64,
    /// The sum of the rows' weights, in units that all batches of the data share: how much the mean
    /// counts among those of other batches.
    pub weight: f64,
    /// The loss under the spec's reduction, whose derivative the gradients are.
    pub reduced: f64,
    /// The penalty on weights, as much as it is beside the mean; of a step that was applied.
    pub penalty: f64,
}

impl StepLoss {
    /// That of no rows.
    pub(super) const NONE: Self = Self { mean: 0.0, weight: 0.0, reduced: 0.0, penalty: 0.0 };

    /// Whether the step may be applied.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.reduced.is_finite()
    }
}
