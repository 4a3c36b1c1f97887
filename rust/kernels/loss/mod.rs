//! Losses: the loss of each row of a batch, and the gradient with respect to the outputs.
//!
//! - `pointwise.rs`: the rows of losses that are a sum over outputs. Their formulas: `binary.rs` the
//!   cross-entropies of logits and of probabilities, `regression.rs` squared, absolute, Huber.
//! - `softmax.rs`: softmax cross-entropy, and softmax itself.
//! - `classes.rs`: softmax cross-entropy of classes, with a row in each lane.
//! - `functional.rs`: the cross-entropies of whole row-major arrays.
//! - `rows.rs`: 16 columns of a row at a time, in panels or row-major.
//!
//! The loss of a row is summed in f64 over 16 lanes by column mod 16 (N3, N4); the rows' sum is
//! `kernels::reduce`'s. Gradients are the formula's in the element type, times s = weight / divisor.
//! A row of weight 0 costs 0 and has gradient 0, whatever its outputs are.

mod binary;
mod classes;
pub mod functional;
mod pointwise;
mod regression;
mod rows;
mod softmax;

pub use softmax::Softmax;

use super::elementary::Elementary;
use super::panels::{Panels, Span};
use super::reduce::RowSum;
use crate::error::{Error, Result};
use crate::runtime::memory;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

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
    /// The weight of each row; empty if all are one.
    pub weights: Span<T>,
    /// What the gradient is divided by: [`divisor`] of the whole batch, or 1 for the sum. With 0
    /// all losses and gradients are 0.
    pub divisor: f64,
    /// Takes the weighted loss of each row, not divided.
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
                class_weight,
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
        let batch = classes::Batch { outputs, classes, class_weight, scales, row_loss, grad };
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

/// What the mean of a batch's losses divides their sum by.
///
/// The sum of the row weights (none: of ones) in the order of N2, times `outputs`; for softmax
/// cross-entropy not times `outputs`, and with `classes` each weight times its class's, nothing for
/// ignored rows.
#[must_use]
pub fn divisor<T: Real>(
    loss: &Loss,
    classes: Option<Span<i32>>,
    weights: Span<T>,
    rows: usize,
    outputs: usize,
) -> f64 {
    let class_weight = match loss {
        Loss::SoftmaxCrossEntropy { class_weight, .. } => class_weight,
        _ if weights.is_empty() => return rows as f64 * outputs as f64,
        _ => return row_weights(rows, |row| row_weight(weights, row)) * outputs as f64,
    };
    row_weights(rows, |row| {
        let weight = row_weight(weights, row);
        match classes {
            Some(classes) => weight * factor_of(class_weight, classes.get(row)),
            None => weight,
        }
    })
}

#[inline(always)]
fn row_weights(rows: usize, weight: impl Fn(usize) -> f64) -> f64 {
    let mut sum = RowSum::default();
    for row in 0..rows {
        sum.add(weight(row));
    }
    sum.sum()
}

/// The weight of a class, 0 for an ignored one.
#[inline(always)]
fn factor_of(class_weight: &[f64], class: i32) -> f64 {
    match usize::try_from(class) {
        Err(_) => 0.0,
        Ok(class) => class_weight.get(class).copied().unwrap_or(1.0),
    }
}

/// The weight of a row.
#[inline(always)]
fn row_weight<T: Real>(weights: Span<T>, row: usize) -> f64 {
    if weights.is_empty() { 1.0 } else { weights.get(row).to_f64() }
}

/// Those of rows `start..end`, where all rows have weights.
#[inline(always)]
fn rows_of<T>(weights: Span<T>, start: usize, end: usize) -> Span<T> {
    if weights.is_empty() { weights } else { weights.slice(start, end) }
}

/// The scales of a batch's rows.
#[derive(Clone, Copy)]
struct Scales<T> {
    weights: Span<T>,
    divisor: f64,
    /// That of all rows where they have no weights: they share its division.
    equal: Scale<T>,
}

impl<T: Real> Scales<T> {
    #[inline(always)]
    fn new(weights: Span<T>, divisor: f64) -> Self {
        Self { weights, divisor, equal: Scale::new(1.0, divisor) }
    }

    #[inline(always)]
    fn slice(&self, start: usize, end: usize) -> Self {
        Self { weights: rows_of(self.weights, start, end), ..*self }
    }

    /// That of all rows, if they have no weights.
    #[inline(always)]
    fn common(&self) -> Option<Scale<T>> {
        self.weights.is_empty().then_some(self.equal)
    }

    #[inline(always)]
    fn at(&self, row: usize) -> Scale<T> {
        match self.common() {
            Some(scale) => scale,
            None => Scale::new(self.weights.get(row).to_f64(), self.divisor),
        }
    }
}

/// How a row's loss and gradient enter those of the batch.
#[derive(Clone, Copy)]
struct Scale<T> {
    weight: f64,
    /// weight / divisor.
    factor: T,
    /// Whether the row counts at all.
    live: bool,
}

impl<T: Real> Scale<T> {
    const NOTHING: Self = Self { weight: 0.0, factor: T::ZERO, live: false };

    #[inline(always)]
    fn new(weight: f64, divisor: f64) -> Self {
        if weight == 0.0 || divisor == 0.0 {
            return Self::NOTHING;
        }
        Self { weight, factor: T::from_f64(weight / divisor), live: true }
    }

    /// The weighted loss of a row; 0 also for an infinite one of weight 0.
    #[inline(always)]
    fn value(self, loss: f64) -> f64 {
        if self.live { self.weight * loss } else { 0.0 }
    }

    /// The gradient of the batch from that of the row.
    #[inline(always)]
    fn apply<V: Vector<T>>(self, gradient: V) -> V {
        if self.live { gradient.mul(V::splat(self.factor)) } else { V::zero() }
    }
}
