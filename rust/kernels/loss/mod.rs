//! Losses: the loss of each row of a batch, and the gradient with respect to the outputs.
//!
//! - `pointwise.rs`: the rows of losses that are a sum over outputs. Their formulas: `binary.rs` the
//!   cross-entropies of logits and of probabilities, `regression.rs` squared, absolute, Huber.
//! - `softmax.rs`: softmax cross-entropy, and softmax itself.
//! - `classes.rs`: softmax cross-entropy of classes, with a row in each lane.
//! - `functional.rs`: the cross-entropies of whole row-major arrays.
//! - `rows.rs`: 16 columns of a row at a time, in panels or row-major.
//! - `weights.rs`: weights of rows and classes, and what a batch's losses are divided by.
//!
//! The loss of a row is summed in f64 over 16 lanes by column mod 16 (N3, N4); the rows' sum is
//! `kernels::reduce`'s. Gradients are the formula's in the element type, times s = weight / divisor,
//! where a row whose target is a class has its class's weight as a factor of its own.
//! A row of weight 0 costs 0 and has gradient 0, whatever its outputs are.

mod binary;
mod classes;
pub mod functional;
mod pointwise;
mod regression;
mod rows;
mod softmax;
mod weights;

pub use softmax::Softmax;
pub use weights::{Divisor, Divisors, RowWeights};

use self::rows::rows_of;
use self::weights::{ClassWeights, Scales};
use super::elementary::Elementary;
use super::panels::{Panels, Span};
use crate::error::{Error, Result};
use crate::runtime::memory;
use crate::simd::{Kernel, LANES, Simd};

/// A loss as data.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// Binary cross-entropy of logits.
    SigmoidCrossEntropy {
        /// Factor of the positive term: none, one, or one for each output.
        pos_weight: Vec<f64>,
    },
    /// Binary cross-entropy of probabilities.
    BinaryCrossEntropy,
    /// Cross-entropy of the softmax of logits.
    SoftmaxCrossEntropy {
        /// One number for each class, or none.
        class_weight: Vec<f64>,
        /// Share of the uniform distribution in each target.
        label_smoothing: f64,
        /// A label whose rows count for nothing.
        ignore_index: Option<i64>,
    },
    /// Squared difference.
    Mse,
    /// Absolute difference.
    Mae,
    /// Squared near 0, absolute beyond.
    Huber {
        /// Where one becomes the other.
        delta: f64,
    },
}

/// The class of a row that counts for nothing; any negative class is one.
pub const IGNORED: i32 = -1;

impl Loss {
    /// Checks that the weights fit the number of outputs.
    ///
    /// # Errors
    /// `Error::Shape` names the argument and both numbers.
    pub fn check(&self, outputs: usize) -> Result<()> {
        let (name, weights, shared) = match self {
            Self::SigmoidCrossEntropy { pos_weight } => ("pos_weight", pos_weight, true),
            Self::SoftmaxCrossEntropy { class_weight, .. } => ("class_weight", class_weight, false),
            Self::BinaryCrossEntropy | Self::Mse | Self::Mae | Self::Huber { .. } => return Ok(()),
        };
        let count = weights.len();
        if count == 0 || count == outputs || (count == 1 && shared) {
            return Ok(());
        }
        Err(Error::Shape(format!("{name} has {count} numbers, the network has {outputs} outputs")))
    }

    /// Labels as classes, those of `ignore_index` as [`IGNORED`].
    ///
    /// # Errors
    /// `Error::Label` names the argument, the row, the label and the classes; `Error::Memory`.
    pub fn classes(
        &self,
        argument: &'static str,
        labels: &[i64],
        outputs: usize,
    ) -> Result<Vec<i32>> {
        let ignored = match self {
            Self::SoftmaxCrossEntropy { ignore_index, .. } => *ignore_index,
            _ => None,
        };
        let class = |(row, label): (usize, i64)| {
            if Some(label) == ignored {
                return Ok(IGNORED);
            }
            match i32::try_from(label) {
                Ok(class) if label >= 0 && (label as u64) < outputs as u64 => Ok(class),
                _ => Err(Error::Label { argument, row, label, classes: outputs }),
            }
        };
        let mut all = memory::vector(labels.len())?;
        for found in labels.iter().copied().enumerate() {
            all.push(class(found)?);
        }
        Ok(all)
    }

    /// A copy.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for its weights.
    pub fn duplicate(&self) -> Result<Self> {
        Ok(match self {
            Self::SigmoidCrossEntropy { pos_weight } => {
                Self::SigmoidCrossEntropy { pos_weight: memory::copied(pos_weight)? }
            }
            Self::SoftmaxCrossEntropy { class_weight, label_smoothing, ignore_index } => {
                Self::SoftmaxCrossEntropy {
                    class_weight: memory::copied(class_weight)?,
                    label_smoothing: *label_smoothing,
                    ignore_index: *ignore_index,
                }
            }
            Self::BinaryCrossEntropy => Self::BinaryCrossEntropy,
            Self::Mse => Self::Mse,
            Self::Mae => Self::Mae,
            Self::Huber { delta } => Self::Huber { delta: *delta },
        })
    }
}

/// What the outputs of a batch are compared with.
#[derive(Clone, Copy, Debug)]
pub enum Targets<T> {
    /// The class of each row, for softmax cross-entropy; a negative one is ignored.
    Classes(Span<i32>),
    /// A number for each output.
    Values(Panels<T>),
}

/// The loss of each row, and the gradient with respect to the outputs.
///
/// Rows of one batch may be done in any pieces: a row's results depend on that row alone.
#[derive(Clone, Copy)]
pub struct LossRows<'a, T> {
    /// The loss.
    pub loss: &'a Loss,
    /// The network's outputs (rows, K).
    pub outputs: Panels<T>,
    /// As many rows; values with K columns.
    pub targets: Targets<T>,
    /// The weight of each row, in units; empty if all are one.
    pub weights: Span<f64>,
    /// What the gradient is divided by: one of the whole batch's [`Divisors`].
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
            (Some(_), Targets::Classes(_)) if S::REGISTERS >= 16 && self.can_turn() => {
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
    }
}

impl<T: Elementary> LossRows<'_, T> {
    /// Rows `start..end` alone.
    #[inline(always)]
    fn slice(&self, start: usize, end: usize) -> Self {
        let targets = match self.targets {
            Targets::Classes(classes) => Targets::Classes(classes.slice(start, end)),
            Targets::Values(values) => Targets::Values(values.slice(start, end)),
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

    #[inline(always)]
    fn rows<S: Simd>(self) {
        let Self { loss, outputs, targets, weights, divisor, row_loss, grad } = self;
        if let Loss::SoftmaxCrossEntropy { class_weight, label_smoothing, .. } = loss {
            let targets = match targets {
                Targets::Classes(classes) => softmax::Targets::Classes(classes),
                Targets::Values(values) => softmax::Targets::Values(values),
            };
            let smoothing = *label_smoothing;
            let scales = Scales::new(weights, divisor);
            let batch = softmax::Batch {
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
        self.pointwise::<S>(false);
    }

    /// Whether [`Self::run_turned`] can do it: up to 16 logits and a class for each row, or one
    /// output.
    #[inline(always)]
    #[must_use]
    pub fn can_turn(&self) -> bool {
        let cols = self.outputs.cols();
        match (self.loss, self.targets) {
            (Loss::SoftmaxCrossEntropy { label_smoothing, .. }, Targets::Classes(_)) => {
                cols <= LANES && *label_smoothing == 0.0
            }
            (Loss::SoftmaxCrossEntropy { .. }, _) | (_, Targets::Classes(_)) => false,
            (_, Targets::Values(_)) => cols == 1,
        }
    }

    /// The same from matrices that lie turned, a row for each output, the batch's rows side by side in
    /// memory of whole registers. Values may lie where the gradient is to be.
    #[inline(always)]
    pub fn run_turned<S: Simd>(self) {
        match self.targets {
            Targets::Classes(_) => self.classes::<S>(true),
            Targets::Values(_) => self.pointwise::<S>(true),
        }
    }

    /// With a class for each row and a gradient.
    #[inline(always)]
    fn classes<S: Simd>(self, turned: bool) {
        let Self { loss, outputs, targets, row_loss, .. } = self;
        let Loss::SoftmaxCrossEntropy { class_weight, .. } = loss else { return };
        let (Targets::Classes(classes), Some(grad)) = (targets, self.grad) else { return };
        let scales = Scales::new(self.weights, self.divisor);
        let class_weights = ClassWeights::new(class_weight);
        let batch = classes::Batch { outputs, classes, class_weights, scales, row_loss, grad };
        if turned {
            batch.run::<S::Register<T>>();
        } else {
            batch.run_rows::<S>();
        }
    }

    #[inline(always)]
    fn pointwise<S: Simd>(self, turned: bool) {
        let Self { loss, outputs, targets, weights, divisor, row_loss, grad } = self;
        let scales = Scales::new(weights, divisor);
        // Classes go with softmax cross-entropy alone: the callers' checks see to that.
        let Targets::Values(targets) = targets else { return };
        let pos_weight: &[f64] = match loss {
            Loss::SigmoidCrossEntropy { pos_weight } => pos_weight,
            _ => &[],
        };
        let batch = pointwise::Batch { outputs, targets, scales, pos_weight, row_loss, grad };
        match *loss {
            Loss::SigmoidCrossEntropy { .. } => batch.run::<S, _>(binary::OfLogits, turned),
            Loss::BinaryCrossEntropy => batch.run::<S, _>(binary::OfProbabilities, turned),
            Loss::Mse => batch.run::<S, _>(regression::Squared, turned),
            Loss::Mae => batch.run::<S, _>(regression::Absolute, turned),
            Loss::Huber { delta } => {
                batch.run::<S, _>(regression::Huber { delta: T::from_f64(delta) }, turned);
            }
            Loss::SoftmaxCrossEntropy { .. } => {}
        }
    }
}
