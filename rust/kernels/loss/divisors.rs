//! What the sum of a batch's losses is divided by.

use super::registry::Loss;
use super::weights::{ClassWeights, Divisor, row_weight, unit_of};
use crate::kernels::panels::Span;
use crate::kernels::reduce::RowSum;

/// The divisors of a batch's loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divisors {
    /// The sum of the rows' weights in the order of N2, as softmax cross-entropy has them each times its
    /// class's and nothing of an ignored row; in units. A batch enters an epoch's loss with it.
    pub weight: f64,
    /// The unit of `weight`, a power of two.
    pub unit: f64,
    /// Of the mean.
    pub mean: Divisor,
    /// Of the sum; after [`Self::by_rows`] of what gradients are those of.
    pub sum: Divisor,
}

impl Divisors {
    /// Of no loss of ours.
    pub const NONE: Self = Self { weight: 0.0, unit: 1.0, mean: Divisor::ONE, sum: Divisor::ONE };

    /// Those of `rows` rows with so many `outputs`. `classes` are their targets, if these are classes;
    /// `weights` are empty if all are one, else in units of `unit`.
    #[must_use]
    pub fn new(
        loss: &Loss,
        classes: Option<Span<i32>>,
        (weights, unit): (Span<f64>, f64),
        rows: usize,
        outputs: usize,
    ) -> Self {
        let (weight, terms, class_unit) = match loss {
            Loss::SoftmaxCrossEntropy { class_weight, .. } => {
                let class_weights = ClassWeights::new(class_weight);
                let sum = sum_weights(rows, |row| {
                    let weight = row_weight(weights, row);
                    classes.map_or(weight, |classes| weight * class_weights.of(classes.get(row)))
                });
                (sum, 1.0, unit_of(class_weight))
            }
            _ => {
                let sum = if weights.is_empty() {
                    rows as f64
                } else {
                    sum_weights(rows, |row| row_weight(weights, row))
                };
                (sum, loss.terms(outputs) as f64, 1.0)
            }
        };
        // Of classes the divisor has their weights' unit, too; of probabilities it has not.
        let kept = if classes.is_some() { 1.0 } else { class_unit };
        Self {
            weight,
            unit: if classes.is_some() { unit * class_unit } else { unit },
            mean: Divisor { by: weight * terms, unit: kept },
            sum: Divisor { by: 1.0, unit: unit * class_unit },
        }
    }

    /// The same of a loss that scikit-learn's networks have: gradients are divided by the sum of the weights
    /// alone, and what is reported of squares is their mean over the outputs, of everything else the sum.
    ///
    /// A half of squares is twice the divisor: powers of two change no digit.
    #[must_use]
    pub fn by_rows(self, loss: &Loss, outputs: usize) -> Self {
        let (terms, half) = match loss {
            Loss::Mse => (outputs as f64, 2.0),
            _ => (1.0, 1.0),
        };
        let of = |by| Divisor { by, unit: 1.0 };
        Self { mean: of(self.weight * terms * half), sum: of(self.weight * half), ..self }
    }
}

#[inline(always)]
fn sum_weights(rows: usize, weight: impl Fn(usize) -> f64) -> f64 {
    let mut sum = RowSum::default();
    for row in 0..rows {
        sum.add(weight(row));
    }
    sum.sum()
}
