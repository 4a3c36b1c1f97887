//! Losses of rows in panels: against plain f64, against central differences, and the same bits on
//! every instruction set and for every way to cut a batch.

use crate::support::elementary::ulps32;
use crate::support::losses::{self, Target, bound};
use crate::support::matrix::{Matrix, noise};
use ironmlp::error::Error;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::loss::{Divisor, Divisors, IGNORED, Loss, LossRows, RowTargets, Softmax};
use ironmlp::kernels::panels::{Panels, Span};
use ironmlp::kernels::reduce::sum_rows;
use ironmlp::simd::{Isa, LANES, Real};
use proptest::prelude::*;

/// Losses of every kind for `outputs` outputs. The match makes a new member without a place here
/// fail to compile.
fn all_losses(outputs: usize) -> Vec<Loss> {
    let column = |c: usize| 0.4 + 0.3 * (c % 5) as f64;
    let columns: Vec<f64> = (0..outputs).map(column).collect();
    let softmax = |class_weight: Vec<f64>, label_smoothing, ignore_index| {
        Loss::SoftmaxCrossEntropy { class_weight, label_smoothing, ignore_index }
    };
    let mut all = vec![
        Loss::SigmoidCrossEntropy { pos_weight: vec![] },
        Loss::SigmoidCrossEntropy { pos_weight: vec![2.5] },
        Loss::SigmoidCrossEntropy { pos_weight: columns.clone() },
        Loss::BinaryCrossEntropy,
        softmax(vec![], 0.0, None),
        softmax(vec![], 0.0, Some(-100)),
        softmax(vec![], 0.1, None),
        softmax(columns.clone(), 0.0, None),
        softmax(columns, 0.3, Some(0)),
        Loss::Mse,
        Loss::Mae,
        Loss::Huber { delta: 1.0 },
        Loss::Huber { delta: 0.25 },
        Loss::LogCosh,
        Loss::Quantile { quantiles: (0..outputs).map(|c| column(c) / 2.0).collect() },
        Loss::PoissonOfLogRate { full: 0.0 },
        Loss::PoissonOfLogRate { full: 1.0 },
        Loss::PoissonOfLogRate { full: 2.0 },
        Loss::PoissonOfRate { full: 0.0, eps: 1e-8 },
        Loss::PoissonOfRate { full: 1.0, eps: 0.25 },
        Loss::Focal { gamma: 2.0, positive: 1.0, negative: 1.0 },
        Loss::Focal { gamma: 0.0, positive: 0.25, negative: 0.75 },
        Loss::Focal { gamma: 3.5, positive: 0.25, negative: 0.75 },
    ];
    if outputs.is_multiple_of(2) {
        all.push(Loss::GaussianNll);
    }
    for loss in &all {
        match loss {
            Loss::SigmoidCrossEntropy { .. }
            | Loss::BinaryCrossEntropy
            | Loss::SoftmaxCrossEntropy { .. }
            | Loss::Mse
            | Loss::Mae
            | Loss::Huber { .. }
            | Loss::LogCosh
            | Loss::Quantile { .. }
            | Loss::PoissonOfLogRate { .. }
            | Loss::PoissonOfRate { .. }
            | Loss::Focal { .. }
            | Loss::GaussianNll => {}
        }
    }
    all
}

/// A batch with all that a loss takes.
#[derive(Clone)]
struct Batch<T> {
    loss: Loss,
    clipped: bool,
    outputs: Matrix<T>,
    values: Matrix<T>,
    classes: Vec<i32>,
    weights: Vec<f64>,
}

/// Where outputs come from.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Usual,
    /// Of magnitude up to 1e30; probabilities 0, 1 and next to them.
    Extreme,
}

const LOGITS: [f64; 13] =
    [0.0, -0.0, 1e30, -1e30, 40.0, -40.0, 100.0, -100.0, 1e-30, -1e-30, 17.0, -800.0, 3e4];
const PROBABILITIES: [f64; 9] = [0.0, 1.0, 1e-38, 1e-13, 1e-12, 0.5, 0.999_999, 1e-3, 1e-7];

const RATES: [f64; 9] = [0.0, 1e-38, 1e-9, 1e-3, 0.5, 1.0, 17.0, 3e4, 1e30];
const COUNTS: [f64; 8] = [0.0, 1.0, 2.0, 5.0, 17.0, 100.0, 3e4, 1e6];

/// Whether targets lie from 0 to 1.
fn is_of_unit_interval(loss: &Loss) -> bool {
    is_softmax(loss)
        || matches!(
            loss,
            Loss::SigmoidCrossEntropy { .. } | Loss::BinaryCrossEntropy | Loss::Focal { .. }
        )
}

fn is_sigmoid(loss: &Loss) -> bool {
    matches!(loss, Loss::SigmoidCrossEntropy { .. })
}

fn is_softmax(loss: &Loss) -> bool {
    matches!(loss, Loss::SoftmaxCrossEntropy { .. })
}

impl<T: Elementary> Batch<T> {
    /// `hard`: classes, or targets 0 and 1. `weighted`: row weights, some of them 0.
    fn new(loss: &Loss, rows: usize, cols: usize, kind: Kind, hard: bool, weighted: bool) -> Self {
        let pick = |list: &[f64], r: usize, c: usize| {
            list[((noise::<f64>(7, r, c) + 1.0) * 1e6) as usize % list.len()]
        };
        let uniform = |seed, r, c| (noise::<f64>(seed, r, c) + 1.0) / 2.0;
        let outputs = Matrix::new(rows, cols, |r, c| {
            T::from_f64(match (loss, kind) {
                (Loss::BinaryCrossEntropy, Kind::Usual) => 0.05 + 0.9 * uniform(8, r, c),
                (Loss::BinaryCrossEntropy, Kind::Extreme) => pick(&PROBABILITIES, r, c),
                (Loss::PoissonOfRate { .. }, Kind::Usual) => 0.05 + 4.0 * uniform(8, r, c),
                (Loss::PoissonOfRate { .. }, Kind::Extreme) => pick(&RATES, r, c),
                (_, Kind::Usual) => 4.0 * noise::<f64>(8, r, c),
                (_, Kind::Extreme) => pick(&LOGITS, r, c),
            })
        });
        let classes: Vec<i32> = (0..rows)
            .map(|r| {
                let ignored = matches!(
                    loss,
                    Loss::SoftmaxCrossEntropy { ignore_index: Some(_), .. } if r % 3 == 1
                );
                if ignored { IGNORED } else { (uniform(9, r, 0) * cols as f64) as i32 }
            })
            .collect();
        let values = Matrix::new(rows, loss.targets(cols), |r, c| {
            T::from_f64(match (loss, hard) {
                (Loss::PoissonOfLogRate { .. } | Loss::PoissonOfRate { .. }, true) => {
                    pick(&COUNTS, r, c)
                }
                (Loss::PoissonOfLogRate { .. } | Loss::PoissonOfRate { .. }, false) => {
                    6.0 * uniform(10, r, c)
                }
                (loss, true) if is_of_unit_interval(loss) => {
                    f64::from(u8::from(uniform(10, r, c) < 0.5))
                }
                (loss, false) if is_of_unit_interval(loss) => uniform(10, r, c),
                _ => 3.0 * noise::<f64>(10, r, c),
            })
        });
        let weights = (0..if weighted { rows } else { 0 })
            .map(|r| if r % 4 == 2 { 0.0 } else { 0.5 + uniform(11, r, 0) })
            .collect();
        let classes = if is_softmax(loss) && hard { classes } else { vec![] };
        Self { loss: loss.clone(), clipped: false, outputs, values, classes, weights }
    }

    fn rows(&self) -> usize {
        self.outputs.rows
    }

    fn targets(&mut self) -> RowTargets<T> {
        if self.classes.is_empty() {
            RowTargets::Values(self.values.view())
        } else {
            // SAFETY: the vector lives as long as the batch.
            RowTargets::Classes(unsafe {
                Span::from_raw(self.classes.as_mut_ptr(), self.classes.len())
            })
        }
    }

    fn weights(&mut self) -> Span<f64> {
        // SAFETY: the vector lives as long as the batch.
        unsafe { Span::from_raw(self.weights.as_mut_ptr(), self.weights.len()) }
    }

    fn divisors(&mut self) -> Divisors {
        let classes = match self.targets() {
            RowTargets::Classes(classes) => Some(classes),
            RowTargets::Values(_) => None,
        };
        let (rows, cols) = (self.outputs.rows, self.outputs.cols);
        Divisors::new(&self.loss.clone(), classes, (self.weights(), 1.0), rows, cols)
    }

    /// That of the mean, with the class weights as they are given.
    fn divisor(&mut self) -> f64 {
        let Divisors { mean, sum, .. } = self.divisors();
        mean.by / mean.unit * sum.unit
    }

    /// Rows `start..end` into their places of `row_loss` and `grad`, with class weights as they are given.
    fn run(
        &mut self,
        isa: Isa,
        divisor: f64,
        (start, end): (usize, usize),
        row_loss: &mut [f64],
        grad: Option<Panels<T>>,
    ) {
        let loss = self.loss.clone();
        let targets = match self.targets() {
            RowTargets::Classes(classes) => RowTargets::Classes(classes.slice(start, end)),
            RowTargets::Values(values) => RowTargets::Values(values.slice(start, end)),
        };
        let weights = self.weights();
        let unit = self.divisors().sum.unit;
        isa.run(LossRows {
            loss: &loss,
            clipped: self.clipped,
            outputs: self.outputs.view().slice(start, end),
            targets,
            weights: if weights.is_empty() { weights } else { weights.slice(start, end) },
            divisor: Divisor { by: divisor, unit },
            // SAFETY: the slice outlives the call.
            row_loss: unsafe { Span::from_raw(row_loss.as_mut_ptr(), row_loss.len()) }
                .slice(start, end),
            grad: grad.map(|grad| grad.slice(start, end)),
        });
        for loss in &mut row_loss[start..end] {
            *loss *= unit;
        }
    }

    /// All rows in one call: their losses and the gradient, NaN where nothing was written.
    fn whole(&mut self, isa: Isa, divisor: f64) -> (Vec<f64>, Matrix<T>) {
        let (rows, cols) = (self.outputs.rows, self.outputs.cols);
        let mut row_loss = vec![f64::NAN; rows];
        let mut grad = Matrix::new(rows, cols, |_, _| T::from_f64(f64::NAN));
        self.run(isa, divisor, (0, rows), &mut row_loss, Some(grad.view()));
        (row_loss, grad)
    }

    fn target(&self, row: usize) -> Target {
        match self.classes.get(row) {
            Some(class) => Target::Class(*class),
            None => Target::Values(
                (0..self.values.cols).map(|c| self.values.at(row, c).to_f64()).collect(),
            ),
        }
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.get(row).copied().unwrap_or(1.0)
    }

    /// The loss with its numbers rounded as the type has them.
    fn rounded(&self) -> Loss {
        let round = |list: &[f64]| list.iter().map(|x| T::from_f64(*x).to_f64()).collect();
        match &self.loss {
            Loss::SigmoidCrossEntropy { pos_weight } => {
                Loss::SigmoidCrossEntropy { pos_weight: round(pos_weight) }
            }
            Loss::Quantile { quantiles } => Loss::Quantile { quantiles: round(quantiles) },
            Loss::PoissonOfRate { full, eps } => {
                Loss::PoissonOfRate { full: *full, eps: T::from_f64(*eps).to_f64() }
            }
            other => other.clone(),
        }
    }

    /// Compares results with plain f64; an error names the first that is wrong.
    fn compare(&self, divisor: f64, row_loss: &[f64], grad: &Matrix<T>) -> Result<(), String> {
        let loss = self.rounded();
        let bound = bound::<T>(&loss);
        let tiny = if T::NAME == "float32" { 1e-43 } else { 1e-320 };
        for row in 0..self.rows() {
            let x: Vec<f64> =
                (0..self.outputs.cols).map(|c| self.outputs.at(row, c).to_f64()).collect();
            let expected = losses::row(&loss, &x, &self.target(row));
            let weight = self.weight(row);
            let value = expected.value.times(weight);
            if !value.allows::<T>(row_loss[row], bound, tiny * x.len() as f64) {
                return Err(format!("row {row}: loss {:e}, not {value:?}", row_loss[row]));
            }
            // The store of a gradient flushes.
            let tiny = tiny + if weight == 0.0 { 0.0 } else { 1.01 * T::FLUSH.to_f64() };
            for (col, expected) in expected.gradient.iter().enumerate() {
                let gradient = expected.times(weight / divisor);
                let actual = grad.at(row, col).to_f64();
                // What overflows before it is divided by the rows has an infinite loss beside it, and its
                // step is not applied.
                let overflows = !T::from_f64(expected.exact).to_f64().is_finite();
                if overflows && actual.is_infinite() && actual.signum() == expected.exact.signum() {
                    continue;
                }
                if !gradient.allows::<T>(actual, bound, tiny) {
                    return Err(format!("({row}, {col}): gradient {actual:e}, not {gradient:?}"));
                }
            }
        }
        Ok(())
    }
}

fn bits<T: Real>(values: &[T]) -> Vec<u64> {
    values.iter().map(|x| x.to_f64().to_bits()).collect()
}

fn check<T: Elementary>(
    loss: &Loss,
    (rows, cols): (usize, usize),
    kind: Kind,
    hard: bool,
    weighted: bool,
) {
    let mut batch = Batch::<T>::new(loss, rows, cols, kind, hard, weighted);
    let divisor = batch.divisor();
    let mut first: Option<(Vec<u64>, Vec<u64>)> = None;
    for isa in Isa::all() {
        let context = format!(
            "{} {} {loss:?} {rows}x{cols} {kind:?} hard {hard} weighted {weighted}",
            isa.name(),
            T::NAME
        );
        let (row_loss, grad) = batch.whole(isa, divisor);
        if let Err(message) = batch.compare(divisor, &row_loss, &grad) {
            panic!("{context}: {message}");
        }
        // Padding is +0.
        for row in 0..rows {
            for col in cols..cols.next_multiple_of(LANES) {
                assert_eq!(grad.at(row, col).to_f64().to_bits(), 0, "{context}");
            }
        }
        let result = (bits(&row_loss), bits(&grad.memory));
        // A row at a time, and without a gradient.
        let mut pieces = Matrix::new(rows, cols, |_, _| T::from_f64(f64::NAN));
        let mut piece_loss = vec![f64::NAN; rows];
        let mut lone_loss = vec![f64::NAN; rows];
        for row in 0..rows {
            let range = (row, row + 1);
            batch.run(isa, divisor, range, &mut piece_loss, Some(pieces.view()));
            batch.run(isa, divisor, range, &mut lone_loss, None);
        }
        assert_eq!((bits(&piece_loss), bits(&pieces.memory)), result, "{context}: pieces");
        assert_eq!(bits(&lone_loss), result.0, "{context}: no gradient");
        // The gradient in the place of the outputs.
        let mut in_place = batch.clone();
        let place = in_place.outputs.view();
        in_place.run(isa, divisor, (0, rows), &mut piece_loss, Some(place));
        assert_eq!(bits(&piece_loss), result.0, "{context}: in place");
        assert_eq!(bits(&in_place.outputs.memory), result.1, "{context}: in place");
        match &first {
            Some(first) => assert!(*first == result, "{context}: other bits than portable"),
            None => first = Some(result),
        }
    }
}

#[test]
fn all_losses_are_their_formulas() {
    for (rows, cols) in
        [(1, 1), (5, 1), (33, 1), (3, 2), (18, 3), (35, 10), (4, 16), (17, 17), (5, 33)]
    {
        for loss in all_losses(cols) {
            for kind in [Kind::Usual, Kind::Extreme] {
                for hard in [false, true] {
                    for weighted in [false, true] {
                        check::<f32>(&loss, (rows, cols), kind, hard, weighted);
                        check::<f64>(&loss, (rows, cols), kind, hard, weighted);
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_size(
        rows in 1usize..50,
        cols in 1usize..70,
        member in 0usize..64,
        extreme: bool,
        hard: bool,
        weighted: bool,
    ) {
        let all = all_losses(cols);
        let loss = &all[member % all.len()];
        let kind = if extreme { Kind::Extreme } else { Kind::Usual };
        check::<f32>(loss, (rows, cols), kind, hard, weighted);
        check::<f64>(loss, (rows, cols), kind, hard, weighted);
    }
}

/// The check above notices an error of 1 %, and one of a few bounds.
#[test]
fn a_wrong_result_is_noticed() {
    for loss in all_losses(5) {
        let mut batch = Batch::<f64>::new(&loss, 4, 5, Kind::Usual, false, false);
        let divisor = batch.divisor();
        let (row_loss, grad) = batch.whole(Isa::PORTABLE, divisor);
        assert!(batch.compare(divisor, &row_loss, &grad).is_ok());
        for error in [0.01, 1e-12] {
            let mut wrong = row_loss.clone();
            wrong[3] *= 1.0 + error;
            assert!(batch.compare(divisor, &wrong, &grad).is_err(), "{loss:?} {error}");
            let mut wrong = grad.clone();
            wrong.memory[17] *= 1.0 + error;
            assert!(batch.compare(divisor, &row_loss, &wrong).is_err(), "{loss:?} {error}");
        }
        assert!(batch.compare(divisor * 1.01, &row_loss, &grad).is_err());
    }
}

/// The largest difference between gradient and central differences of the reduced loss, as a share
/// of the gradient's largest component.
fn difference(batch: &mut Batch<f64>, mean: bool, planted: f64) -> f64 {
    let divisor = if mean { batch.divisor() } else { 1.0 };
    let isa = Isa::all()[Isa::all().len() - 1];
    let (_, mut grad) = batch.whole(isa, divisor);
    grad.memory[0] *= 1.0 + planted;
    let (rows, cols) = (batch.outputs.rows, batch.outputs.cols);
    let h = 1e-5;
    let (mut largest, mut error) = (0f64, 0f64);
    for row in 0..rows {
        for col in 0..cols {
            let mut shifted = [0.0; 2];
            for (i, sign) in [1.0, -1.0].into_iter().enumerate() {
                let mut moved = batch.clone();
                moved.outputs = Matrix::new(rows, cols, |r, c| {
                    batch.outputs.at(r, c) + if (r, c) == (row, col) { sign * h } else { 0.0 }
                });
                let mut losses = moved.whole(isa, divisor).0;
                // SAFETY: the vector outlives the call.
                shifted[i] =
                    sum_rows(unsafe { Span::from_raw(losses.as_mut_ptr(), rows) }) / divisor;
            }
            let numeric = (shifted[0] - shifted[1]) / (2.0 * h);
            error = error.max((numeric - grad.at(row, col)).abs());
            largest = largest.max(grad.at(row, col).abs());
        }
    }
    error / largest
}

#[test]
fn gradients_equal_central_differences() {
    let mut count = 0;
    for cols in [1, 4] {
        for loss in all_losses(cols) {
            for hard in [false, true] {
                for weighted in [false, true] {
                    for mean in [false, true] {
                        if cols == 1 && is_softmax(&loss) && hard {
                            // One class: the loss is 0.
                            continue;
                        }
                        let mut batch = Batch::new(&loss, 4, cols, Kind::Usual, hard, weighted);
                        let error = difference(&mut batch, mean, 0.0);
                        let context = format!("{loss:?} {cols} {hard} {weighted} {mean}");
                        if !(cols == 1 && is_softmax(&loss)) {
                            assert!(error <= 1e-7, "{context}: {error:e}");
                            assert!(difference(&mut batch, mean, 0.01) > 1e-7, "{context}");
                            count += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(count, (18 + 24) * 8);
}

#[test]
fn divisors_are_the_sums_of_weights() {
    for cols in [1, 3, 10] {
        for loss in all_losses(cols) {
            for (hard, weighted) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut batch = Batch::<f64>::new(&loss, 700, cols, Kind::Usual, hard, weighted);
                let targets: Vec<_> = (0..700).map(|row| batch.target(row)).collect();
                let weights: Vec<_> = (0..700).map(|row| batch.weight(row)).collect();
                let expected = losses::divisor(&loss, &targets, &weights, cols);
                let actual = batch.divisor();
                assert!((actual - expected).abs() <= 1e-12 * expected, "{loss:?} {actual}");
            }
        }
    }
}

/// Of the losses of probabilities elements are limited, not their gradients; of others nothing is.
#[test]
fn clipped_losses_are_those_of_probabilities_within_eps() {
    fn check<T: Elementary>(loss: &Loss, (rows, cols): (usize, usize), weighted: bool) {
        let eps = T::EPSILON.to_f64();
        let [least, most] = [-(-eps).ln_1p(), -eps.ln()].map(|x| T::from_f64(x).to_f64());
        let limited =
            |x: f64| if is_softmax(loss) || is_sigmoid(loss) { x.clamp(least, most) } else { x };
        for kind in [Kind::Usual, Kind::Extreme] {
            let mut plain = Batch::<T>::new(loss, rows, cols, kind, true, weighted);
            // On their own sides of the ends, and of their limits.
            plain.outputs.memory[0] = T::from_f64(60.0);
            let mut batch = Batch { clipped: true, ..plain.clone() };
            let divisor = batch.divisor();
            let (row_loss, expected) = plain.whole(Isa::PORTABLE, divisor);
            let mut first = None;
            for isa in Isa::all() {
                let (found, grad) = batch.whole(isa, divisor);
                assert_eq!(bits(&grad.memory), bits(&expected.memory), "{loss:?}");
                for row in 0..rows {
                    let weight = plain.weight(row);
                    let wanted = if is_softmax(loss) || cols == 1 {
                        weight * limited(if weight == 0.0 { 0.0 } else { row_loss[row] / weight })
                    } else {
                        let alone = |c| {
                            let Target::Values(t) = plain.target(row) else { unreachable!() };
                            let x = [plain.outputs.at(row, c).to_f64()];
                            losses::row(loss, &x, &Target::Values(vec![t[c]])).value.exact
                        };
                        let sum: f64 = (0..cols).map(|c| limited(alone(c))).sum();
                        if weight == 0.0 { 0.0 } else { weight * sum }
                    };
                    let close = (found[row] - wanted).abs() <= 32.0 * eps * wanted.abs();
                    let beyond = found[row].is_infinite() && !T::from_f64(wanted).is_finite();
                    assert!(
                        close || beyond || found[row] == wanted,
                        "{loss:?} {row}: {} {wanted}",
                        found[row]
                    );
                }
                let bits = bits(&found);
                assert_eq!(first.get_or_insert(bits.clone()), &bits, "{}", isa.name());
            }
        }
    }
    let softmax = Loss::SoftmaxCrossEntropy {
        class_weight: vec![],
        label_smoothing: 0.0,
        ignore_index: None,
    };
    let sigmoid = Loss::SigmoidCrossEntropy { pos_weight: vec![] };
    for (loss, cols) in [
        (&softmax, 3),
        (&softmax, 20),
        (&sigmoid, 1),
        (&sigmoid, 2),
        (&sigmoid, 19),
        (&Loss::Mse, 3),
    ] {
        for (rows, weighted) in [(4, false), (37, true)] {
            check::<f32>(loss, (rows, cols), weighted);
            check::<f64>(loss, (rows, cols), weighted);
        }
    }
}

/// Rows that count for nothing, alone and all together, also with infinite outputs.
#[test]
fn nothing_counts_for_nothing() {
    let loss = |class_weight: Vec<f64>| Loss::SoftmaxCrossEntropy {
        class_weight,
        label_smoothing: 0.0,
        ignore_index: Some(2),
    };
    let mut ignored = Batch::<f32>::new(&loss(vec![]), 3, 4, Kind::Usual, true, false);
    ignored.classes = vec![IGNORED; 3];
    let mut weightless = Batch::<f32>::new(&loss(vec![0.0; 4]), 3, 4, Kind::Usual, true, false);
    weightless.classes = vec![0, 1, 3];
    let mut batches = vec![ignored, weightless];
    for loss in all_losses(4) {
        let mut batch = Batch::<f32>::new(&loss, 3, 4, Kind::Usual, true, true);
        batch.weights = vec![0.0; 3];
        batch.outputs = Matrix::new(3, 4, |_, c| if c == 1 { f32::INFINITY } else { 1.0 });
        batches.push(batch);
    }
    for batch in &mut batches {
        for isa in Isa::all() {
            assert_eq!(batch.divisor(), 0.0);
            for divisor in [0.0, 1.0] {
                let (row_loss, grad) = batch.whole(isa, divisor);
                assert_eq!(row_loss, [0.0; 3], "{:?}", batch.loss);
                for (row, col) in (0..3).flat_map(|row| (0..4).map(move |col| (row, col))) {
                    assert_eq!(grad.at(row, col), 0.0, "{:?}", batch.loss);
                }
            }
        }
    }
}

/// An infinite logit on the side of its label costs nothing; on the other side its loss is infinite.
#[test]
fn infinite_logits_keep_their_meaning() {
    let sigmoid = Loss::SigmoidCrossEntropy { pos_weight: vec![] };
    let softmax = Loss::SoftmaxCrossEntropy {
        class_weight: vec![],
        label_smoothing: 0.0,
        ignore_index: None,
    };
    for isa in Isa::all() {
        for (x, t, value, gradient) in [
            (f32::INFINITY, 1.0, 0.0, 0.0),
            (f32::INFINITY, 0.0, f64::INFINITY, 1.0),
            (f32::NEG_INFINITY, 0.0, 0.0, 0.0),
            (f32::NEG_INFINITY, 1.0, f64::INFINITY, -1.0),
        ] {
            let mut batch = Batch::<f32>::new(&sigmoid, 1, 2, Kind::Usual, true, false);
            batch.outputs = Matrix::new(1, 2, |_, c| if c == 0 { x } else { 0.0 });
            batch.values = Matrix::new(1, 2, |_, _| t);
            let (row_loss, grad) = batch.whole(isa, 1.0);
            assert_eq!(row_loss[0], value + f64::from(std::f32::consts::LN_2), "{x} {t}");
            assert_eq!(grad.at(0, 0), gradient, "{x} {t}");
        }
        for (class, value, gradient) in [(0, 0.0, [0.0, 0.0]), (1, f64::INFINITY, [1.0, -1.0])] {
            let mut batch = Batch::<f32>::new(&softmax, 1, 2, Kind::Usual, true, false);
            batch.outputs = Matrix::new(1, 2, |_, c| if c == 0 { 0.0 } else { f32::NEG_INFINITY });
            batch.classes = vec![class];
            let (row_loss, grad) = batch.whole(isa, 1.0);
            assert_eq!((row_loss[0], [grad.at(0, 0), grad.at(0, 1)]), (value, gradient));
        }
    }
}

#[test]
fn nan_outputs_give_nan_losses() {
    for cols in [1, 3] {
        for loss in all_losses(cols) {
            for isa in Isa::all() {
                let mut batch = Batch::<f64>::new(&loss, 3, cols, Kind::Usual, true, false);
                batch.outputs = Matrix::new(3, cols, |_, _| f64::NAN);
                let (row_loss, _) = batch.whole(isa, 1.0);
                let target = batch.target(0);
                assert!(row_loss[0].is_nan(), "{loss:?} {target:?}");
            }
        }
    }
}

/// Differences from 1e-18 to 1e4, and around 1, where the formula changes: at most 5 and 4 units in the
/// last place of value and gradient, in f32 against f64.
#[test]
fn log_cosh_does_not_cancel() {
    let around = (0..400).map(|i| 0.9 + 5e-4 * f64::from(i));
    let spread = (0..2200).map(|i| 1e-18 * (f64::from(i) * 0.0231).exp());
    let points: Vec<f32> = around.chain(spread).map(|d| d as f32).collect();
    let n = points.len();
    for isa in Isa::all() {
        let mut batch = Batch::<f32>::new(&Loss::LogCosh, n, 1, Kind::Usual, true, false);
        batch.outputs = Matrix::new(n, 1, |r, _| points[r]);
        batch.values = Matrix::new(n, 1, |_, _| 0.0);
        let (row_loss, grad) = batch.whole(isa, 1.0);
        let (mut value, mut slope) = (0.0_f64, 0.0_f64);
        for (row, &d) in points.iter().enumerate() {
            let expected = losses::row(&Loss::LogCosh, &[f64::from(d)], &batch.target(row));
            value = value.max(ulps32(row_loss[row] as f32, expected.value.exact));
            slope = slope.max(ulps32(grad.at(row, 0), expected.gradient[0].exact));
        }
        println!("{}: {value:.3} and {slope:.3} ULP", isa.name());
        assert!(value <= 5.0 && slope <= 4.0, "{}: {value} and {slope}", isa.name());
    }
}

/// Squares of f32 overflow to infinity; nothing is NaN.
#[test]
fn huge_differences_overflow_to_infinity() {
    let quantiles = vec![0.25, 0.5, 0.75];
    let quantile = Loss::Quantile { quantiles };
    for loss in [Loss::Mse, Loss::Mae, Loss::Huber { delta: 2.0 }, Loss::LogCosh, quantile] {
        for isa in Isa::all() {
            let mut batch = Batch::<f32>::new(&loss, 2, 3, Kind::Usual, true, false);
            let wanted = batch.values.cols;
            batch.outputs = Matrix::new(2, 3, |_, c| [3e38, -3e38, 0.0][c]);
            batch.values = Matrix::new(2, wanted, |_, c| [-3e38, 3e38, 0.0][c]);
            let (row_loss, grad) = batch.whole(isa, 6.0);
            assert!(row_loss.iter().all(|loss| *loss == f64::INFINITY));
            for col in 0..3 {
                assert!(!grad.at(1, col).is_nan());
            }
        }
    }
}

#[test]
fn softmax_is_its_definition() {
    fn run<T: Elementary>(rows: usize, cols: usize) {
        let mut bits_of = Vec::new();
        for isa in Isa::all() {
            let element = |r, c| T::from_f64(20.0 * noise::<f64>(3, r, c));
            let mut x = Matrix::new(rows, cols, element);
            let mut p = Matrix::new(rows, cols, |_, _| T::from_f64(f64::NAN));
            isa.run(Softmax { input: x.view(), output: p.view() });
            for row in 0..rows {
                let exact: Vec<f64> = (0..cols).map(|c| x.at(row, c).to_f64()).collect();
                let m = exact.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = exact.iter().map(|x| (x - m).exp()).sum();
                for col in 0..cols {
                    let error = (p.at(row, col).to_f64() - (exact[col] - m).exp() / sum).abs();
                    assert!(error <= 16.0 * if T::NAME == "float32" { 1.2e-7 } else { 2.3e-16 });
                }
                for col in cols..cols.next_multiple_of(LANES) {
                    assert_eq!(p.at(row, col).to_f64().to_bits(), 0);
                }
                // What np.random.multinomial allows.
                let total: f64 = (0..cols).map(|c| p.at(row, c).to_f64()).sum();
                assert!(
                    total <= 1.0 + 1e-12,
                    "row {row} of {cols} columns sums to 1 + {}",
                    total - 1.0
                );
            }
            bits_of.push(bits(&p.memory));
            let place = x.view();
            isa.run(Softmax { input: place, output: place });
            assert_eq!(bits(&x.memory), bits_of[0]);
        }
        assert!(bits_of.iter().all(|bits| *bits == bits_of[0]));
    }
    for (rows, cols) in [(1, 1), (3, 2), (17, 10), (2, 16), (5, 17), (3, 33), (200, 3), (9, 1000)] {
        run::<f32>(rows, cols);
        run::<f64>(rows, cols);
    }
}

#[test]
fn equal_logits_have_equal_probabilities() {
    for isa in Isa::all() {
        for cols in [1, 2, 4, 16, 64] {
            let mut p = Matrix::new(1, cols, |_, _| 1e-9_f32);
            let place = p.view();
            isa.run(Softmax { input: place, output: place });
            for col in 0..cols {
                assert_eq!(p.at(0, col), 1.0 / cols as f32);
            }
        }
    }
}

#[test]
fn labels_become_classes() {
    let loss = |ignore_index| Loss::SoftmaxCrossEntropy {
        class_weight: vec![],
        label_smoothing: 0.0,
        ignore_index,
    };
    assert_eq!(loss(None).classes("y", &[0, 2, 1], 3), Ok(vec![0, 2, 1]));
    assert_eq!(loss(Some(1)).classes("y", &[0, 2, 1], 3), Ok(vec![0, 2, IGNORED]));
    assert_eq!(loss(Some(-100)).classes("y", &[-100, 2], 3), Ok(vec![IGNORED, 2]));
    for label in [-1, 3, i64::from(u32::MAX) + 2, i64::MIN, i64::MAX] {
        let error = Error::Label { argument: "y", row: 1, label, classes: 3 };
        assert_eq!(loss(Some(-100)).classes("y", &[0, label], 3), Err(error));
    }
}

#[test]
fn weights_must_fit_the_outputs() {
    for loss in all_losses(4) {
        assert_eq!(loss.check(4), Ok(()), "{loss:?}");
    }
    let pos_weight = Loss::SigmoidCrossEntropy { pos_weight: vec![1.0; 3] };
    let class_weight = Loss::SoftmaxCrossEntropy {
        class_weight: vec![1.0],
        label_smoothing: 0.0,
        ignore_index: None,
    };
    let message = "pos_weight has 3 numbers, the network has 4 outputs";
    assert_eq!(pos_weight.check(4), Err(Error::Shape(message.into())));
    let message = "class_weight has 1 numbers, the network has 4 outputs";
    assert_eq!(class_weight.check(4), Err(Error::Shape(message.into())));
}
