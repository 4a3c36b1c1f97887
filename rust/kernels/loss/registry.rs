//! The losses that there are.

use super::binary::{OfLogits, OfProbabilities};
use super::focal::Focal;
use super::pointwise::{LossFormula, PointwiseLosses};
use super::poisson::{OfLogRates, OfRates};
use super::regression::{Absolute, Huber, LogCosh, Pinball, Squared};
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::runtime::memory;
use crate::simd::{Real, Simd};

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
            /// Pinball loss of outputs that are quantiles of one target.
            Quantile {
                /// Of each output.
                quantiles: Vec<f64>,
            },
            /// Negative log likelihood of a normal distribution: outputs are means, then as many logarithms
            /// of variances.
            GaussianNll,
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
                    Self::Quantile { quantiles } => {
                        Self::Quantile { quantiles: memory::copied(quantiles)? }
                    }
                    Self::GaussianNll => Self::GaussianNll,
                    $(Self::$Name $({ $($field),+ })? => Self::$Name $({ $($field: *$field),+ })?,)+
                })
            }

            /// Whether a loss that is a sum over outputs has a [`LossFormula::SHORT`] formula.
            pub(super) fn is_short(&self) -> bool {
                match *self {
                    Self::SoftmaxCrossEntropy { .. } | Self::GaussianNll => false,
                    Self::SigmoidCrossEntropy { .. } => is_short(OfLogits),
                    Self::Quantile { .. } => is_short(Pinball),
                    $(Self::$Name $({ $($field),+ })? => {
                        is_short($Formula $({ $($field: f32::from_f64($field)),+ })?)
                    })+
                }
            }
        }

        impl<T: Elementary> PointwiseLosses<'_, T> {
            /// By the formula of a loss; nothing for one that is no sum over outputs.
            #[inline(always)]
            pub(super) fn of<S: Simd>(&self, loss: &Loss, turned: bool) {
                match *loss {
                    Loss::SoftmaxCrossEntropy { .. } | Loss::GaussianNll => {}
                    Loss::SigmoidCrossEntropy { .. } => self.run::<S, _>(OfLogits, turned),
                    Loss::Quantile { .. } => self.run::<S, _>(Pinball, turned),
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
    /// Negative log likelihood of Poisson's distribution, of logarithms of rates.
    PoissonOfLogRate {
        /// The term that depends on the target alone: 0 without, 1 Stirling's, 2 the deviance's.
        full,
    } = OfLogRates,
    /// The same of rates.
    PoissonOfRate {
        /// 1 with Stirling's term, else 0.
        full,
        /// What is added to a rate before its logarithm is taken.
        eps,
    } = OfRates,
    /// Binary cross-entropy of logits, less of what is well classified.
    Focal {
        /// How much less: the power of what is missing to certainty.
        gamma,
        /// Factor where the target is 1.
        positive,
        /// Factor where it is 0.
        negative,
    } = Focal,
}

fn is_short<F: LossFormula<f32>>(_: F) -> bool {
    F::SHORT
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
            Self::Quantile { quantiles } if quantiles.len() == outputs => return Ok(()),
            Self::Quantile { quantiles } => {
                let count = quantiles.len();
                return Err(Error::Shape(format!(
                    "quantiles has {count} numbers, the network has {outputs} outputs"
                )));
            }
            Self::GaussianNll if !outputs.is_multiple_of(2) => {
                return Err(Error::Shape(format!(
                    "the network has {outputs} outputs, a mean and a log variance need an even number"
                )));
            }
            _ => return Ok(()),
        };
        let count = weights.len();
        if count == 0 || count == outputs || (count == 1 && shared) {
            return Ok(());
        }
        Err(Error::Shape(format!("{name} has {count} numbers, the network has {outputs} outputs")))
    }

    /// How many numbers a row's targets are, where they are no class.
    #[must_use]
    pub fn targets(&self, outputs: usize) -> usize {
        match self {
            Self::Quantile { .. } => 1,
            Self::GaussianNll => outputs / 2,
            _ => outputs,
        }
    }

    /// How many terms the loss of a row has, by which its mean is divided beside the row's weight.
    pub(super) fn terms(&self, outputs: usize) -> usize {
        match self {
            Self::Quantile { .. } => outputs,
            _ => self.targets(outputs),
        }
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
