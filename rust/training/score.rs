//! What is said of a network's outputs beside their loss.
//!
//! Sums go over the rows in their order, in f64, on one thread: they are small beside the forward pass.

use crate::error::Result;
use crate::kernels::activation::SigmoidElements;
use crate::kernels::elementary::Elementary;
use crate::kernels::elementwise::ExpElements;
use crate::kernels::loss::Loss;
use crate::kernels::loss::functional::SoftmaxElements;
use crate::network::{Batch, Plan, Reduction, State, Targets, Workspace};
use crate::runtime::memory;
use crate::simd::Isa;

/// Logits that are so far apart have probabilities in the same order in every element type: what
/// rounding does to them is far smaller.
const CLEAR: f64 = 1.0 / 1024.0;

/// A number that says how good outputs are, the larger the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// The share of the weights, or of flags times weights, whose prediction is the label.
    Accuracy(Prediction),
    /// The coefficient of determination, its mean over the outputs: 1 - sum w (y - t)^2 /
    /// sum w (t - m)^2, where m is the weighted mean of t. A constant target counts 1 if met exactly,
    /// else 0.
    R2(Estimate),
}

/// Which of a network's outputs estimate its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// That of the first target; those of the others follow.
    pub first: usize,
    /// Whether they are the logarithms of the estimates.
    pub log: bool,
    /// Whether an estimate that is infinite makes the score NaN, and not minus infinity.
    pub finite: bool,
}

impl Estimate {
    /// Every output that of its own target.
    pub const OUTPUTS: Self = Self { first: 0, log: false, finite: false };
}

/// How a network's outputs choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The first of the most probable classes, of their logits.
    Class,
    /// Whether the second class is more probable than the first, or a flag more probable than not.
    Flag {
        /// Whether outputs are logits, or probabilities.
        logits: bool,
        /// Whether a row is right only if all its flags are.
        together: bool,
    },
}

impl Score {
    /// That of networks with a loss; of one that is divided by [`Reduction::Rows`] scikit-learn's, whose
    /// accuracy counts whole rows.
    #[must_use]
    pub fn of(loss: &Loss, reduction: Reduction) -> Self {
        let finite = reduction == Reduction::Rows;
        let flags = |logits| Self::Accuracy(Prediction::Flag { logits, together: finite });
        match loss {
            Loss::SoftmaxCrossEntropy { .. } => Self::Accuracy(Prediction::Class),
            Loss::SigmoidCrossEntropy { .. } | Loss::Focal { .. } => flags(true),
            Loss::BinaryCrossEntropy => flags(false),
            Loss::PoissonOfLogRate { .. } => Self::R2(Estimate { first: 0, log: true, finite }),
            Loss::Quantile { quantiles } => {
                Self::R2(Estimate { first: nearest_to_half(quantiles), ..Estimate::OUTPUTS })
            }
            _ => Self::R2(Estimate { finite, ..Estimate::OUTPUTS }),
        }
    }

    /// What Python calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy(_) => "accuracy",
            Self::R2(_) => "r2",
        }
    }

    /// The score of a batch's outputs, row-major; NaN where nothing can be predicted of some of them. 0
    /// where no row counts.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for a row, or for estimates beside the outputs.
    pub fn compute<T: Elementary>(
        self,
        isa: Isa,
        batch: &Batch<'_, T>,
        outputs: &[T],
    ) -> Result<f64> {
        let cols = outputs.len() / batch.rows;
        match self {
            Self::Accuracy(prediction) => accuracy(isa, prediction, batch, outputs, cols),
            Self::R2(estimate @ Estimate { log: false, .. }) => {
                Ok(r2(batch, outputs, cols, estimate))
            }
            Self::R2(estimate @ Estimate { log: true, .. }) => {
                let mut powers = memory::filled(T::ZERO, outputs.len())?;
                isa.run(ExpElements { input: outputs, output: &mut powers });
                Ok(r2(batch, &powers, cols, estimate))
            }
        }
    }
}

/// The mean loss of a batch and the score of its outputs, NaN if there is none to compute; and the outputs,
/// in the units of y.
///
/// # Errors
/// As [`Plan::evaluate`] and [`Score::compute`].
#[allow(clippy::too_many_arguments, reason = "a call of a plan with what becomes of its outputs")]
pub fn evaluate<T: Elementary>(
    plan: &Plan<T>,
    isa: Isa,
    threads: usize,
    state: &State<T>,
    workspace: &mut Workspace<T>,
    batch: &Batch<'_, T>,
    score: Option<Score>,
    outputs: &mut [T],
) -> Result<(f64, f64)> {
    let loss = plan.evaluate(threads, state, workspace, batch, outputs)?.mean;
    // r2 is the same on both scales, and targets are on the one of the loss.
    let score = score.map_or(Ok(f64::NAN), |score| score.compute(isa, batch, outputs))?;
    batch.restore(outputs);
    Ok((loss, score))
}

/// The first of the numbers that are nearest to 1/2.
fn nearest_to_half(quantiles: &[f64]) -> usize {
    let distance = |index: usize| (quantiles[index] - 0.5).abs();
    (1..quantiles.len()).fold(0, |best, i| if distance(i) < distance(best) { i } else { best })
}

fn weight_of<T>(batch: &Batch<'_, T>, row: usize) -> f64 {
    batch.weights.map_or(1.0, |weights| weights.at(row))
}

fn accuracy<T: Elementary>(
    isa: Isa,
    prediction: Prediction,
    batch: &Batch<'_, T>,
    outputs: &[T],
    cols: usize,
) -> Result<f64> {
    let mut chooser = Chooser { isa, probabilities: memory::filled(T::ZERO, cols.max(2))? };
    let (mut right, mut all) = (0.0, 0.0);
    for (position, outputs) in outputs.chunks_exact(cols).enumerate() {
        let row = batch.order.at(position);
        let weight = weight_of(batch, row);
        let targets = match batch.targets {
            Targets::Values(values) => &values[row * cols..(row + 1) * cols],
            Targets::Classes(_) | Targets::None => &[],
        };
        let (met, flags) = match prediction {
            Prediction::Class => {
                let Some(chosen) = chooser.class(outputs) else { return Ok(f64::NAN) };
                match batch.targets {
                    Targets::Classes(classes) => match usize::try_from(classes[row]) {
                        Ok(class) => (usize::from(chosen == class), 1),
                        // An ignored one.
                        Err(_) => (0, 0),
                    },
                    _ => (usize::from(chosen == largest(targets).0), 1),
                }
            }
            Prediction::Flag { logits, together } => {
                let mut met = 0;
                for (&output, &target) in outputs.iter().zip(targets) {
                    let two = cols == 1 && !together;
                    let Some(set) = chooser.flag(output, logits, two) else {
                        return Ok(f64::NAN);
                    };
                    met += usize::from(set == (target.to_f64() > 0.5));
                }
                if together { (usize::from(met == cols), 1) } else { (met, cols) }
            }
        };
        right += weight * met as f64;
        all += weight * flags as f64;
    }
    Ok(if all == 0.0 { 0.0 } else { right / all })
}

/// The index of the first of the largest, and this.
fn largest<T: Elementary>(values: &[T]) -> (usize, T) {
    let mut best = (0, values[0]);
    for (index, &value) in values.iter().enumerate().skip(1) {
        if value > best.1 {
            best = (index, value);
        }
    }
    best
}

/// Chooses as probabilities do once they are rounded, which takes them where outputs are close.
struct Chooser<T> {
    isa: Isa,
    probabilities: Vec<T>,
}

impl<T: Elementary> Chooser<T> {
    /// The first of the most probable classes; `None` if logits have no probabilities.
    fn class(&mut self, logits: &[T]) -> Option<usize> {
        let (index, best) = largest(logits);
        let near = |&(other, &logit): &(usize, &T)| {
            let distance = best.to_f64() - logit.to_f64();
            other != index && (distance < CLEAR || distance.is_nan())
        };
        if best.is_finite() && logits.iter().enumerate().find(near).is_none() {
            return Some(index);
        }
        let probabilities = &mut self.probabilities[..logits.len()];
        self.isa.run(SoftmaxElements { logits, classes: logits.len(), probabilities });
        let defined = self.probabilities[..logits.len()].iter().all(|p| p.is_finite());
        defined.then(|| largest(&self.probabilities[..logits.len()]).0)
    }

    /// Whether a flag is set, or with `two` the second of two classes is chosen; `None` if the output is
    /// NaN.
    fn flag(&mut self, output: T, logits: bool, two: bool) -> Option<bool> {
        let number = output.to_f64();
        if number.is_nan() {
            return None;
        }
        if !logits {
            let other = T::ONE.add(output.mul(T::from_f64(-1.0)));
            return Some(if two { output > other } else { number > 0.5 });
        }
        if number.abs() >= CLEAR {
            return Some(number > 0.0);
        }
        let input = [output.mul(T::from_f64(-1.0)), output];
        let probabilities = &mut self.probabilities[..2];
        self.isa.run(SigmoidElements { input: &input, output: probabilities });
        Some(if two {
            self.probabilities[1] > self.probabilities[0]
        } else {
            self.probabilities[1].to_f64() > 0.5
        })
    }
}

/// Of estimates, `cols` in a row.
fn r2<T: Elementary>(batch: &Batch<'_, T>, outputs: &[T], cols: usize, which: Estimate) -> f64 {
    let Estimate { first, finite, .. } = which;
    if finite && !outputs.iter().all(|output| output.is_finite()) {
        return f64::NAN;
    }
    let Targets::Values(values) = batch.targets else { return f64::NAN };
    let wanted = values.len() / batch.source.rows();
    let mut sum = 0.0;
    for col in 0..wanted {
        let rows = || {
            (0..batch.rows).map(|position| {
                let row = batch.order.at(position);
                let output = outputs[position * cols + first + col].to_f64();
                (weight_of(batch, row), values[row * wanted + col].to_f64(), output)
            })
        };
        let (mut weights, mut targets) = (0.0, 0.0);
        for (weight, target, _) in rows() {
            weights += weight;
            targets += weight * target;
        }
        if weights == 0.0 {
            return 0.0;
        }
        let mean = targets / weights;
        let (mut residual, mut total) = (0.0, 0.0);
        for (weight, target, output) in rows() {
            residual += weight * (output - target) * (output - target);
            total += weight * (target - mean) * (target - mean);
        }
        sum += match (residual, total) {
            (residual, _) if residual.is_nan() => f64::NAN,
            (residual, 0.0) => f64::from(u8::from(residual == 0.0)),
            (residual, total) => 1.0 - residual / total,
        };
    }
    sum / wanted as f64
}
