//! Losses written once more, in plain f64, with the bounds that they are held to.

use ironmlp::kernels::loss::Loss;
use ironmlp::simd::Real;

/// What one row is compared with.
#[derive(Clone, Debug)]
pub enum Target {
    /// A class; a negative one is ignored.
    Class(i32),
    /// A number for each output.
    Values(Vec<f64>),
}

/// A number and the size that its error is measured by, in units of eps.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub exact: f64,
    pub size: f64,
}

impl Expected {
    fn relative(exact: f64) -> Self {
        Self { exact, size: exact.abs() }
    }

    pub fn times(self, factor: f64) -> Self {
        if factor == 0.0 {
            return Self::relative(0.0);
        }
        Self { exact: self.exact * factor, size: self.size * factor }
    }

    /// Whether `actual` is within the bound; `tiny` is what may be lost below the normal numbers,
    /// and what is beyond T's numbers may be infinite.
    pub fn allows<T: Real>(self, actual: f64, bound: f64, tiny: f64) -> bool {
        let error = (actual - self.exact).abs();
        let overflow = actual.is_infinite() && !T::from_f64(self.exact).is_finite();
        actual == self.exact || overflow || error <= bound * self.size + tiny
    }
}

/// A row's loss and gradient.
pub struct Row {
    pub value: Expected,
    pub gradient: Vec<Expected>,
}

/// 16 eps, relative, for the sums of single outputs; 64 eps, absolute or relative, for softmax.
pub fn bound<T: Real>(loss: &Loss) -> f64 {
    let eps = if T::NAME == "float32" { f64::from(f32::EPSILON) } else { f64::EPSILON };
    if matches!(loss, Loss::SoftmaxCrossEntropy { .. }) { 64.0 * eps } else { 16.0 * eps }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

/// A term of a sum; none if its factor is 0, whatever the other is.
fn term(factor: f64, x: f64) -> f64 {
    if factor == 0.0 { 0.0 } else { factor * x }
}

/// The loss of one output and its gradient, each with the sum of the sizes of its terms.
fn pointwise(loss: &Loss, y: f64, t: f64, column: usize) -> (Expected, Expected) {
    let pair = |value, exact, size| (Expected::relative(value), Expected { exact, size });
    let d = y - t;
    match loss {
        Loss::Quantile { quantiles } => {
            let q = quantiles[column];
            let gradient = [-q, 0.0, 1.0 - q][usize::from(d >= 0.0) + usize::from(d > 0.0)];
            pair((q * -d).max((1.0 - q) * d), gradient, 1.0)
        }
        Loss::PoissonOfLogRate { full } => poisson_of_log(y, t, *full),
        Loss::PoissonOfRate { full, eps } => poisson_of_rate(y, t, *full != 0.0, *eps),
        Loss::Focal { gamma, positive, negative } => {
            let (p, q) = (sigmoid(y), sigmoid(-y));
            let missing = (1.0 - t) * p + t * q;
            let entropy = term(1.0 - t, softplus(y)) + term(t, softplus(-y));
            let weight = (positive * t + negative * (1.0 - t)) * missing.powf(*gamma);
            let share = if missing == 0.0 { 0.0 } else { p * q / missing };
            let slope = gamma * share * (1.0 - 2.0 * t) * entropy;
            let (up, down) = ((1.0 - t) * p, t * q);
            // What is left of the power after whole ones is the exponential of a product.
            let lost = 1.0 + if missing > 0.0 { gamma.fract() * missing.ln().abs() } else { 0.0 };
            let size = weight * (up + down + slope.abs()) * lost;
            let value = Expected { exact: weight * entropy, size: weight * entropy * lost };
            (value, Expected { exact: weight * (up - down + slope), size })
        }
        Loss::SigmoidCrossEntropy { pos_weight } => {
            let q = match pos_weight.len() {
                0 => 1.0,
                1 => pos_weight[0],
                _ => pos_weight[column],
            };
            let value = term(1.0 - t, softplus(y)) + term(q * t, softplus(-y));
            let (up, down) = ((1.0 - t) * sigmoid(y), q * t * sigmoid(-y));
            pair(value, up - down, up + down)
        }
        Loss::BinaryCrossEntropy => {
            let (log, log_rest) = (y.ln().max(-100.0), (-y).ln_1p().max(-100.0));
            let value = -(t * log + (1.0 - t) * log_rest);
            let (up, down) = ((1.0 - t) / (1.0 - y).max(1e-12), t / y.max(1e-12));
            pair(value, up - down, up + down)
        }
        Loss::Mse => pair(d * d, 2.0 * d, 2.0 * d.abs()),
        Loss::Mae => pair(d.abs(), if d == 0.0 { 0.0 } else { d.signum() }, 1.0),
        Loss::Huber { delta } => {
            if d.abs() <= *delta {
                pair(d * d / 2.0, d, d.abs())
            } else {
                pair(delta * (d.abs() - delta / 2.0), delta * d.signum(), *delta)
            }
        }
        Loss::LogCosh => {
            let value = if d.abs() < 1.0 {
                (2.0 * (d / 2.0).sinh().powi(2)).ln_1p()
            } else {
                d.abs() + (-2.0 * d.abs()).exp().ln_1p() - std::f64::consts::LN_2
            };
            pair(value, d.tanh(), d.tanh().abs())
        }
        Loss::SoftmaxCrossEntropy { .. } | Loss::GaussianNll => unreachable!(),
    }
}

/// As PyTorch has it; with `full` 1 and t > 1 by the difference from log t; with 2 half of the deviance.
fn poisson_of_log(x: f64, t: f64, full: f64) -> (Expected, Expected) {
    let rate = x.exp();
    let mut value = Expected { exact: rate - term(t, x), size: rate + term(t, x).abs() };
    if full == 2.0 && t > 0.0 {
        let d = x - t.ln();
        let exact = t * (d.exp_m1() - d);
        let size = exact + t * (d.exp_m1().abs() + 2.0) * (1.0 + t.ln().abs() + d.abs());
        value = Expected { exact, size };
    }
    if full == 1.0 && t > 1.0 {
        let d = x - t.ln();
        let (power, constant) = (d.exp_m1(), (std::f64::consts::TAU * t).ln() / 2.0);
        let excess = t * (power - d);
        let lost = t * power.abs() * (1.0 + t.ln() + d.abs());
        value = Expected { exact: excess + constant, size: excess + lost + constant };
    }
    (value, Expected { exact: rate - t, size: rate + t })
}

/// The same of a rate; with `full` and t > 1 by the relative difference from t.
fn poisson_of_rate(x: f64, t: f64, full: bool, eps: f64) -> (Expected, Expected) {
    let log = (x + eps).ln();
    // Where the sum rounds, its logarithm moves by as much relative to 1.
    let mut value = Expected { exact: x - term(t, log), size: x + term(t, log.abs() + 1.0) };
    if full && t > 1.0 {
        let z = (x - t + eps) / t;
        let (ratio, lost) = if z.abs() < 0.5 {
            (z.ln_1p(), z.abs() + z.ln_1p().abs())
        } else {
            (log - t.ln(), z.abs() + log.abs() + t.ln() + 1.0)
        };
        let constant = (std::f64::consts::TAU * t).ln() / 2.0;
        let exact = t * (z - ratio) - eps + constant;
        value = Expected { exact, size: t * lost + constant };
    }
    let gradient = (x - t + eps) / (x + eps);
    (value, Expected::relative(gradient))
}

/// Of means, then as many logarithms of variances.
fn gaussian(x: &[f64], targets: &[f64]) -> Row {
    let (means, log_variances) = x.split_at(targets.len());
    let mut value = Expected::relative(0.0);
    let (mut by_mean, mut by_variance) = (vec![], vec![]);
    for ((m, s), t) in means.iter().zip(log_variances).zip(targets) {
        let d = m - t;
        // Both factors may be beyond f64 where their product is not.
        let z = term(d, (-s / 2.0).exp());
        value.exact += (s + z * z) / 2.0;
        value.size += (s.abs() + z * z) / 2.0;
        by_mean.push(Expected::relative(term(z, (-s / 2.0).exp())));
        by_variance.push(Expected { exact: (1.0 - z * z) / 2.0, size: (1.0 + z * z) / 2.0 });
    }
    Row { value, gradient: [by_mean, by_variance].concat() }
}

/// As PyTorch defines it: the smoothed and weighted sum of -log softmax(x).
fn softmax(x: &[f64], target: &Target, class_weight: &[f64], smoothing: f64) -> Row {
    let k = x.len();
    let m = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = x.iter().map(|x| (x - m).exp()).sum();
    let q: Vec<f64> = (0..k)
        .map(|c| {
            let t = match target {
                Target::Class(class) => f64::from(u8::from(usize::try_from(*class) == Ok(c))),
                Target::Values(values) => values[c],
            };
            let weight = class_weight.get(c).copied().unwrap_or(1.0);
            weight * ((1.0 - smoothing) * t + smoothing / k as f64)
        })
        .collect();
    let total: f64 = q.iter().sum();
    let value: f64 = (0..k).map(|c| term(q[c], sum.ln() + (m - x[c]))).sum();
    let gradient = (0..k)
        .map(|c| (x[c] - m).exp() / sum * total - q[c])
        .map(|g| Expected { exact: g, size: g.abs().max(1.0) });
    Row { value: Expected { exact: value, size: value.max(1.0) }, gradient: gradient.collect() }
}

/// The loss and the gradient of one row with outputs `x`.
pub fn row(loss: &Loss, x: &[f64], target: &Target) -> Row {
    match (loss, target) {
        (_, Target::Class(..=-1)) => Row {
            value: Expected::relative(0.0),
            gradient: x.iter().map(|_| Expected::relative(0.0)).collect(),
        },
        (Loss::SoftmaxCrossEntropy { class_weight, label_smoothing, .. }, _) => {
            softmax(x, target, class_weight, *label_smoothing)
        }
        (_, Target::Class(_)) => unreachable!(),
        (Loss::GaussianNll, Target::Values(t)) => gaussian(x, t),
        (_, Target::Values(t)) => {
            let target = |c: usize| if loss.targets(x.len()) == 1 { t[0] } else { t[c] };
            let outputs = (0..x.len()).map(|c| pointwise(loss, x[c], target(c), c));
            let (values, gradient): (Vec<_>, Vec<_>) = outputs.unzip();
            let sum = |size: fn(&Expected) -> f64| values.iter().map(size).sum();
            let value = Expected { exact: sum(|value| value.exact), size: sum(|value| value.size) };
            Row { value, gradient }
        }
    }
}

/// What the mean of a batch divides by.
pub fn divisor(loss: &Loss, targets: &[Target], weights: &[f64], outputs: usize) -> f64 {
    let row = |(target, weight): (&Target, &f64)| match (loss, target) {
        (Loss::SoftmaxCrossEntropy { class_weight, .. }, Target::Class(class)) => {
            match usize::try_from(*class) {
                Ok(class) => weight * class_weight.get(class).unwrap_or(&1.0),
                Err(_) => 0.0,
            }
        }
        (Loss::SoftmaxCrossEntropy { .. }, Target::Values(_)) => *weight,
        (Loss::GaussianNll, _) => weight * (outputs / 2) as f64,
        _ => weight * outputs as f64,
    };
    targets.iter().zip(weights).map(row).sum()
}
