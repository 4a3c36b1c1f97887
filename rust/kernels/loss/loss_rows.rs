//! The loss of each row of a batch, and the gradient with respect to the outputs.

use super::binary::OfLogits;
use super::registry::Loss;
use super::rows::rows_of;
use super::weights::{ClassWeights, Divisor, Scales};
use super::{classes, clipped, gaussian, pointwise, softmax};
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::{Panels, Span};
use crate::simd::{Kernel, LANES, Simd};

/// What the outputs of a batch are compared with.
#[derive(Clone, Copy, Debug)]
pub enum RowTargets<T> {
    /// The class of each row, for softmax cross-entropy; a negative one is ignored.
    Classes(Span<i32>),
    /// Numbers, as many columns as [`Loss::targets`] says.
    Values(Panels<T>),
}

/// The loss of each row, and the gradient with respect to the outputs.
///
/// Rows of one batch may be done in any pieces: a row's results depend on that row alone.
#[derive(Clone, Copy)]
pub struct LossRows<'a, T> {
    /// The loss.
    pub loss: &'a Loss,
    /// Whether the cross-entropies of softmax and sigmoid are those of probabilities within [eps, 1 - eps].
    pub clipped: bool,
    /// The network's outputs (rows, K).
    pub outputs: Panels<T>,
    /// As many rows.
    pub targets: RowTargets<T>,
    /// The weight of each row, in units; empty if all are one.
    pub weights: Span<f64>,
    /// What the gradient is divided by: one of the whole batch's [`Divisors`](super::Divisors).
    pub divisor: Divisor,
    /// Takes the weighted loss of each row, in units and not divided.
    pub row_loss: Span<f64>,
    /// Takes the gradient, its padding +0 and small numbers flushed (N5); may be the memory of
    /// `outputs`.
    pub grad: Option<Panels<T>>,
}

impl<T: Elementary> Kernel for LossRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let rows = self.outputs.rows();
        let whole = match (self.grad, self.targets) {
            // Not with plain Rust's vectors, of which another copy of the code would be the largest.
            (Some(_), RowTargets::Classes(_)) if S::REGISTERS >= 16 && self.can_turn() => {
                rows - rows % LANES
            }
            _ => 0,
        };
        if whole > 0 {
            self.slice(0, whole).classes::<S>(false);
        }
        if whole < rows {
            self.slice(whole, rows).rows::<S>();
        }
        self.clip(self.outputs.cols());
    }
}

impl<T: Elementary> LossRows<'_, T> {
    /// Rows `start..end` alone.
    #[inline(always)]
    fn slice(&self, start: usize, end: usize) -> Self {
        let targets = match self.targets {
            RowTargets::Classes(classes) => RowTargets::Classes(classes.slice(start, end)),
            RowTargets::Values(values) => RowTargets::Values(values.slice(start, end)),
        };
        Self {
            outputs: self.outputs.slice(start, end),
            targets,
            weights: rows_of(self.weights, start, end),
            row_loss: self.row_loss.slice(start, end),
            grad: self.grad.map(|grad| grad.slice(start, end)),
            ..*self
        }
    }

    /// Clips the losses of rows with so many outputs, if they are to be, and are no sums of several.
    #[inline(always)]
    fn clip(&self, outputs: usize) {
        let alone = match self.loss {
            Loss::SoftmaxCrossEntropy { .. } => true,
            Loss::SigmoidCrossEntropy { .. } => outputs == 1,
            _ => false,
        };
        if self.clipped && alone {
            clipped::clip::<T>(self.weights, self.row_loss);
        }
    }

    #[inline(always)]
    fn rows<S: Simd>(self) {
        let Self { loss, outputs, targets, weights, divisor, row_loss, grad, .. } = self;
        if let Loss::SoftmaxCrossEntropy { class_weight, label_smoothing, .. } = loss {
            let targets = match targets {
                RowTargets::Classes(classes) => softmax::LogitTargets::Classes(classes),
                RowTargets::Values(values) => softmax::LogitTargets::Values(values),
            };
            let smoothing = *label_smoothing;
            let scales = Scales::new(weights, divisor);
            let batch = softmax::SoftmaxLosses {
                outputs,
                targets,
                class_weights: ClassWeights::new(class_weight),
                smoothing,
                scales,
                row_loss,
                grad,
                flush: true,
            };
            return batch.run::<S>();
        }
        if let (Loss::GaussianNll, RowTargets::Values(targets)) = (loss, targets) {
            let scales = Scales::new(weights, divisor);
            let batch = gaussian::GaussianLosses { outputs, targets, scales, row_loss, grad };
            return batch.run::<S::Register<T>>();
        }
        self.pointwise::<S>(false);
    }

    /// Whether [`Self::run_turned`] can do it: up to 16 logits and a class for each row, or one
    /// output and a short formula.
    #[inline(always)]
    #[must_use]
    pub fn can_turn(&self) -> bool {
        let cols = self.outputs.cols();
        match (self.loss, self.targets) {
            (Loss::SoftmaxCrossEntropy { label_smoothing, .. }, RowTargets::Classes(_)) => {
                cols <= LANES && *label_smoothing == 0.0
            }
            (Loss::SoftmaxCrossEntropy { .. }, _) | (_, RowTargets::Classes(_)) => false,
            (loss, RowTargets::Values(_)) => cols == 1 && loss.is_short(),
        }
    }

    /// The same from matrices that lie turned, a row for each output, the batch's rows side by side in
    /// memory of whole registers. Values may lie where the gradient is to be.
    #[inline(always)]
    pub fn run_turned<S: Simd>(self) {
        match self.targets {
            RowTargets::Classes(_) => self.classes::<S>(true),
            RowTargets::Values(_) => self.pointwise::<S>(true),
        }
        self.clip(self.outputs.rows());
    }

    /// With a class for each row and a gradient.
    #[inline(always)]
    fn classes<S: Simd>(self, turned: bool) {
        let Self { loss, outputs, targets, row_loss, .. } = self;
        let Loss::SoftmaxCrossEntropy { class_weight, .. } = loss else { return };
        let (RowTargets::Classes(classes), Some(grad)) = (targets, self.grad) else { return };
        let scales = Scales::new(self.weights, self.divisor);
        let class_weights = ClassWeights::new(class_weight);
        let batch =
            classes::ClassLosses { outputs, classes, class_weights, scales, row_loss, grad };
        if turned {
            batch.run::<S::Register<T>>();
        } else {
            batch.run_rows::<S>();
        }
    }

    #[inline(always)]
    fn pointwise<S: Simd>(self, turned: bool) {
        let Self { loss, outputs, targets, weights, divisor, row_loss, grad, clipped } = self;
        let scales = Scales::new(weights, divisor);
        // Classes go with softmax cross-entropy alone: the callers' checks see to that.
        let RowTargets::Values(targets) = targets else { return };
        let of_columns: &[f64] = match loss {
            Loss::SigmoidCrossEntropy { pos_weight } => pos_weight,
            Loss::Quantile { quantiles } => quantiles,
            _ => &[],
        };
        let batch =
            pointwise::PointwiseLosses { outputs, targets, scales, of_columns, row_loss, grad };
        if clipped
            && !turned
            && outputs.cols() > 1
            && matches!(loss, Loss::SigmoidCrossEntropy { .. })
        {
            return batch.each_row::<S, _>(clipped::Clipped(OfLogits));
        }
        batch.of::<S>(loss, turned);
    }
}
