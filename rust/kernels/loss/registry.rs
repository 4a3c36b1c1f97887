//! The losses that there are.

use super::binary::{OfLogits, OfProbabilities};
use super::pointwise::PointwiseLosses;
use super::regression::{Absolute, Huber, LogCosh, Squared};
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::runtime::memory;
use crate::simd::Simd;

/// From the list of losses that are a sum over outputs and have no weights of their own to [`Loss`],
/// which is any. Each has the numbers of its formula, and its formula.
macro_rules! registry {
    ($(
        $(#[$doc:meta])*
        $Name:ident $({ $($(#[$of_field:meta])* $field:ident,)+ })? = $Formula:ident,
    )+) => {
        /// A loss as data.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Loss {
            /// Cross-entropy of the softmax of logits.
            SoftmaxCrossEntropy {
                /// One number for each class, or none.
                class_weight: Vec<f64>,
                /// Share of the uniform distribution in each target.
                label_smoothing: f64,
                /// A label whose rows count for nothing.
                ignore_index: Option<i64>,
            },
            /// Binary cross-entropy of logits.
            SigmoidCrossEntropy {
                /// Factor of the positive term: none, one, or one for each output.
                pos_weight: Vec<f64>,
            },
            $($(#[$doc])* $Name $({ $($(#[$of_field])* $field: f64,)+ })?,)+
        }

        impl Loss {
            /// A copy.
            ///
            /// # Errors
            /// `Error::Memory` if there is no room for its weights.
            pub fn duplicate(&self) -> Result<Self> {
                Ok(match self {
                    Self::SoftmaxCrossEntropy { class_weight, label_smoothing, ignore_index } => {
                        Self::SoftmaxCrossEntropy {
                            class_weight: memory::copied(class_weight)?,
                            label_smoothing: *label_smoothing,
                            ignore_index: *ignore_index,
                        }
                    }
                    Self::SigmoidCrossEntropy { pos_weight } => {
                        Self::SigmoidCrossEntropy { pos_weight: memory::copied(pos_weight)? }
                    }
                    $(Self::$Name $({ $($field),+ })? => Self::$Name $({ $($field: *$field),+ })?,)+
                })
            }
        }

        impl<T: Elementary> PointwiseLosses<'_, T> {
            /// By the formula of a loss; nothing for softmax cross-entropy, which is no sum over outputs.
            #[inline(always)]
            pub(super) fn of<S: Simd>(&self, loss: &Loss, turned: bool) {
                match *loss {
                    Loss::SoftmaxCrossEntropy { .. } => {}
                    Loss::SigmoidCrossEntropy { .. } => self.run::<S, _>(OfLogits, turned),
                    $(Loss::$Name $({ $($field),+ })? => {
                        let formula = $Formula $({ $($field: T::from_f64($field)),+ })?;
                        self.run::<S, _>(formula, turned);
                    })+
                }
            }
        }
    };
}

registry! {
    /// Binary cross-entropy of probabilities.
    BinaryCrossEntropy = OfProbabilities,
    /// Squared difference.
    Mse = Squared,
    /// Absolute difference.
    Mae = Absolute,
    /// Squared near 0, absolute beyond.
    Huber {
        /// Where one becomes the other.
        delta,
    } = Huber,
    /// The logarithm of the hyperbolic cosine of the difference.
    LogCosh = LogCosh,
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
            _ => return Ok(()),
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
}
