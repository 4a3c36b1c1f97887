//! The losses as data.

use crate::error::{Error, Result};
use crate::runtime::memory;

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
