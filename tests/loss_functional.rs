//! Cross-entropies of whole arrays: against plain f64, against the same losses in panels, and the
//! same bits whatever is asked for in one call.

use crate::support::losses::{self, Target, bound};
use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::loss::functional::{
    ArrayReduction, Binary, BinaryCrossEntropy, Results, SoftmaxCrossEntropy, SoftmaxElements,
    SoftmaxTargets,
};
use ironmlp::kernels::loss::{Divisor, Divisors, IGNORED, Loss, LossRows, RowTargets, Softmax};
use ironmlp::kernels::panels::Span;
use ironmlp::kernels::reduce::sum_rows;
use ironmlp::simd::{Isa, Real};

const REDUCTIONS: [ArrayReduction; 3] =
    [ArrayReduction::None, ArrayReduction::Mean, ArrayReduction::Sum];
const SHAPES: [(usize, usize); 10] =
    [(1, 1), (7, 1), (16, 1), (600, 1), (3, 10), (5, 16), (2, 33), (1, 1000), (300, 2), (17, 17)];

/// All three results of a call.
#[derive(Clone, Debug, PartialEq)]
struct Answer<T> {
    reduced: f64,
    each: Vec<T>,
    grad: Vec<T>,
}

/// Asks for each result alone and for all in one pass; the bits must be the same.
fn ask<T: Real>(each: usize, grad: usize, mut call: impl FnMut(Results<'_, T>)) -> Answer<T> {
    let nan = T::from_f64(f64::NAN);
    let fresh = || Answer { reduced: f64::NAN, each: vec![nan; each], grad: vec![nan; grad] };
    let (mut apart, mut together) = (fresh(), fresh());
    call(Results { reduced: Some(&mut apart.reduced), each: None, grad: None });
    call(Results { reduced: None, each: Some(&mut apart.each), grad: None });
    call(Results { reduced: None, each: None, grad: Some(&mut apart.grad) });
    call(Results {
        reduced: Some(&mut together.reduced),
        each: Some(&mut together.each),
        grad: Some(&mut together.grad),
    });
    assert_eq!(apart, together);
    together
}

/// Arguments of a binary cross-entropy.
struct Arrays<T> {
    of: Binary,
    rows: usize,
    outputs: Vec<T>,
    targets: Vec<T>,
    weight: Option<Vec<f64>>,
    pos_weight: Option<Vec<T>>,
}

impl<T: Elementary> Arrays<T> {
    fn new(of: Binary, (rows, cols): (usize, usize), weighted: bool, hard: bool) -> Self {
        let uniform = |seed, i| (noise::<f64>(seed, i, 0) + 1.0) / 2.0;
        let vector = |f: &dyn Fn(usize) -> f64| -> Vec<T> {
            (0..rows * cols).map(|i| T::from_f64(f(i))).collect()
        };
        let weight = |i: usize| if i % 5 == 3 { 0.0 } else { 2.0 * uniform(3, i) };
        Self {
            of,
            rows,
            outputs: match of {
                Binary::Logits => vector(&|i| 30.0 * noise::<f64>(1, i, 0)),
                Binary::Probabilities => vector(&|i| uniform(1, i)),
            },
            targets: vector(&|i| if hard { uniform(2, i).round() } else { uniform(2, i) }),
            weight: weighted.then(|| (0..rows * cols).map(weight).collect()),
            pos_weight: (weighted && of == Binary::Logits)
                .then(|| vector(&|i| 3.0 * uniform(4, i))),
        }
    }

    fn ask(&self, isa: Isa, reduction: ArrayReduction) -> Answer<T> {
        let len = self.outputs.len();
        ask(len, len, |results| {
            isa.run(BinaryCrossEntropy {
                of: self.of,
                outputs: &self.outputs,
                targets: &self.targets,
                weight: self.weight.as_deref(),
                pos_weight: self.pos_weight.as_deref(),
                rows: self.rows,
                reduction,
                results,
            });
        })
    }

    /// The loss of an element as that of a network with one output.
    fn loss(&self, i: usize) -> Loss {
        match self.of {
            Binary::Logits => Loss::SigmoidCrossEntropy {
                pos_weight: self.pos_weight.iter().map(|q| q[i].to_f64()).collect(),
            },
            Binary::Probabilities => Loss::BinaryCrossEntropy,
        }
    }

    fn compare(&self, reduction: ArrayReduction, answer: &Answer<T>) -> Result<(), String> {
        let bound = bound::<T>(&self.loss(0));
        let tiny = if T::NAME == "float32" { 1e-43 } else { 1e-320 };
        let len = self.outputs.len();
        let divisor = if reduction == ArrayReduction::Mean { len as f64 } else { 1.0 };
        let mut sum = 0.0;
        for i in 0..len {
            let target = Target::Values(vec![self.targets[i].to_f64()]);
            let row = losses::row(&self.loss(i), &[self.outputs[i].to_f64()], &target);
            let weight = self.weight.as_ref().map_or(1.0, |weight| weight[i]);
            let (value, gradient) =
                (row.value.times(weight), row.gradient[0].times(weight / divisor));
            sum += value.exact / divisor;
            let (actual, grad) = (answer.each[i].to_f64(), answer.grad[i].to_f64());
            if !value.allows::<T>(actual, bound, tiny) {
                return Err(format!("element {i}: {actual:e}, not {value:?}"));
            }
            if !gradient.allows::<T>(grad, bound, tiny) {
                return Err(format!("element {i}: gradient {grad:e}, not {gradient:?}"));
            }
        }
        let error = (answer.reduced - sum).abs();
        if error > bound * sum { Err(format!("{}, not {sum}", answer.reduced)) } else { Ok(()) }
    }
}

#[test]
fn binary_losses_are_their_formulas() {
    fn run<T: Elementary>(arrays: &Arrays<T>, context: &str) {
        for reduction in REDUCTIONS {
            let answers: Vec<_> =
                Isa::all().into_iter().map(|isa| arrays.ask(isa, reduction)).collect();
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{context}");
            if let Err(message) = arrays.compare(reduction, &answers[0]) {
                panic!("{context} {reduction:?} {}: {message}", T::NAME);
            }
        }
    }
    for of in [Binary::Logits, Binary::Probabilities] {
        for shape in SHAPES {
            for (weighted, hard) in [(false, true), (true, true), (false, false), (true, false)] {
                let context = format!("{of:?} {shape:?} weighted {weighted} hard {hard}");
                run(&Arrays::<f32>::new(of, shape, weighted, hard), &context);
                run(&Arrays::<f64>::new(of, shape, weighted, hard), &context);
            }
        }
    }
}

#[test]
fn a_wrong_result_is_noticed() {
    for of in [Binary::Logits, Binary::Probabilities] {
        let arrays = Arrays::<f64>::new(of, (7, 3), true, false);
        let right = arrays.ask(Isa::PORTABLE, ArrayReduction::Mean);
        assert_eq!(arrays.compare(ArrayReduction::Mean, &right), Ok(()));
        for error in [0.01, 1e-13] {
            let mut wrong = right.clone();
            wrong.each[20] *= 1.0 + error;
            assert!(arrays.compare(ArrayReduction::Mean, &wrong).is_err());
            let mut wrong = right.clone();
            wrong.grad[0] *= 1.0 + error;
            assert!(arrays.compare(ArrayReduction::Mean, &wrong).is_err());
            let mut wrong = right.clone();
            wrong.reduced *= 1.0 + error;
            assert!(arrays.compare(ArrayReduction::Mean, &wrong).is_err());
        }
    }
}

/// y = [0, 1, 0], p = [.2, .6, .8]: -1/n (y/p - (1-y)/(1-p)) = [0.41667, -0.55556, 1.66667].
#[test]
fn the_example_of_three_probabilities() {
    let arrays = Arrays::<f64> {
        of: Binary::Probabilities,
        rows: 3,
        outputs: vec![0.2, 0.6, 0.8],
        targets: vec![0.0, 1.0, 0.0],
        weight: None,
        pos_weight: None,
    };
    for isa in Isa::all() {
        let answer = arrays.ask(isa, ArrayReduction::Mean);
        for (actual, expected) in answer.grad.iter().zip([5.0 / 12.0, -5.0 / 9.0, 5.0 / 3.0]) {
            assert!((actual - expected).abs() < 1e-15);
        }
        let expected = -(0.8f64.ln() + 0.6f64.ln() + 0.2f64.ln()) / 3.0;
        assert!((answer.reduced - expected).abs() < 1e-15);
    }
}

#[test]
fn extremes_are_finite() {
    fn run<T: Elementary>(of: Binary, outputs: &[f64]) {
        for target in [0.0, 1.0, 0.25] {
            let arrays = Arrays::<T> {
                of,
                rows: outputs.len(),
                outputs: outputs.iter().map(|x| T::from_f64(*x)).collect(),
                targets: vec![T::from_f64(target); outputs.len()],
                weight: None,
                pos_weight: None,
            };
            for isa in Isa::all() {
                let answer = arrays.ask(isa, ArrayReduction::Sum);
                assert_eq!(arrays.compare(ArrayReduction::Sum, &answer), Ok(()));
                assert!(answer.reduced.is_finite());
                assert!(answer.grad.iter().all(|x| x.is_finite()));
            }
        }
    }
    let logits = [0.0, -0.0, 37.0, -37.0, 90.0, -90.0, 710.0, -740.0, 1e30, -1e30, 1e-30];
    let probabilities = [0.0, 1.0, 1e-300, 1e-45, 1e-38, 1e-13, 0.999_999_9, 0.5];
    run::<f32>(Binary::Logits, &logits);
    run::<f64>(Binary::Logits, &logits);
    run::<f32>(Binary::Probabilities, &probabilities);
    run::<f64>(Binary::Probabilities, &probabilities);
}

/// A term of a gradient that is 1e-16 of the logit's size keeps its digits.
#[test]
fn small_gradients_keep_their_digits() {
    for isa in Isa::all() {
        let arrays = Arrays::<f64> {
            of: Binary::Logits,
            rows: 2,
            outputs: vec![37.0, -37.0],
            targets: vec![1.0, 0.0],
            weight: None,
            pos_weight: None,
        };
        let answer = arrays.ask(isa, ArrayReduction::None);
        let small = (-37f64).exp();
        for (actual, expected) in answer.grad.iter().chain(&answer.each).zip([
            -small / (1.0 + small),
            small / (1.0 + small),
            small.ln_1p(),
            small.ln_1p(),
        ]) {
            assert!((actual / expected - 1.0).abs() <= 16.0 * f64::EPSILON);
        }
    }
}

#[test]
fn nothing_and_zero_weights_are_zero() {
    for isa in Isa::all() {
        for reduction in REDUCTIONS {
            let empty = Arrays::<f32>::new(Binary::Logits, (0, 3), false, true);
            assert_eq!(empty.ask(isa, reduction).reduced, 0.0);
            let mut weightless = Arrays::<f32>::new(Binary::Logits, (3, 5), true, true);
            weightless.weight = Some(vec![0.0; 15]);
            weightless.outputs[4] = f32::INFINITY;
            let answer = weightless.ask(isa, reduction);
            assert_eq!(answer, Answer { reduced: 0.0, each: vec![0.0; 15], grad: vec![0.0; 15] });
            let (mut sum, mut grad) = (f64::NAN, []);
            isa.run(SoftmaxCrossEntropy::<f32> {
                loss: &softmax(vec![], 0.0, None),
                logits: &[],
                classes: 4,
                targets: SoftmaxTargets::Classes(&[]),
                reduction,
                results: Results { reduced: Some(&mut sum), each: None, grad: Some(&mut grad) },
            });
            assert_eq!(sum, 0.0);
        }
    }
}

fn softmax(class_weight: Vec<f64>, label_smoothing: f64, ignore_index: Option<i64>) -> Loss {
    Loss::SoftmaxCrossEntropy { class_weight, label_smoothing, ignore_index }
}

/// A matrix that is row-major, its targets of either kind.
struct Logits<T> {
    loss: Loss,
    rows: usize,
    cols: usize,
    x: Vec<T>,
    classes: Vec<i32>,
    values: Option<Vec<T>>,
}

impl<T: Elementary> Logits<T> {
    fn new(loss: Loss, (rows, cols): (usize, usize), indices: bool) -> Self {
        let class = |r| ((noise::<f64>(6, r, 0) + 1.0) / 2.0 * cols as f64) as i32;
        let value = |i| T::from_f64((noise::<f64>(8, i, 0) + 1.0) / cols as f64);
        Self {
            loss,
            rows,
            cols,
            x: (0..rows * cols).map(|i| T::from_f64(9.0 * noise::<f64>(5, i, 0))).collect(),
            classes: (0..rows).map(|r| if r % 7 == 3 { IGNORED } else { class(r) }).collect(),
            values: (!indices).then(|| (0..rows * cols).map(value).collect()),
        }
    }

    fn ask(&self, isa: Isa, reduction: ArrayReduction) -> Answer<T> {
        ask(self.rows, self.x.len(), |results| {
            isa.run(SoftmaxCrossEntropy {
                loss: &self.loss,
                logits: &self.x,
                classes: self.cols,
                targets: match &self.values {
                    Some(values) => SoftmaxTargets::Probabilities(values),
                    None => SoftmaxTargets::Classes(&self.classes),
                },
                reduction,
                results,
            });
        })
    }

    fn target(&self, row: usize) -> Target {
        match &self.values {
            Some(values) => Target::Values(
                values[row * self.cols..][..self.cols].iter().map(|t| t.to_f64()).collect(),
            ),
            None => Target::Class(self.classes[row]),
        }
    }

    fn divisor(&self, reduction: ArrayReduction) -> f64 {
        let targets: Vec<_> = (0..self.rows).map(|row| self.target(row)).collect();
        match reduction {
            ArrayReduction::Mean => {
                losses::divisor(&self.loss, &targets, &vec![1.0; self.rows], self.cols)
            }
            ArrayReduction::None | ArrayReduction::Sum => 1.0,
        }
    }

    fn compare(&self, reduction: ArrayReduction, answer: &Answer<T>) -> Result<(), String> {
        let bound = bound::<T>(&self.loss);
        let divisor = self.divisor(reduction);
        let (mut sum, mut size) = (0.0, 0.0);
        for row in 0..self.rows {
            let here = row * self.cols..(row + 1) * self.cols;
            let x: Vec<f64> = self.x[here.clone()].iter().map(|x| x.to_f64()).collect();
            let expected = losses::row(&self.loss, &x, &self.target(row));
            sum += expected.value.exact / divisor;
            size += expected.value.size / divisor;
            if !expected.value.allows::<T>(answer.each[row].to_f64(), bound, 0.0) {
                return Err(format!("row {row}: {}, not {:?}", answer.each[row], expected.value));
            }
            for (grad, gradient) in answer.grad[here].iter().zip(&expected.gradient) {
                let gradient = gradient.times(1.0 / divisor);
                if !gradient.allows::<T>(grad.to_f64(), bound, 0.0) {
                    return Err(format!("row {row}: gradient {grad}, not {gradient:?}"));
                }
            }
        }
        let error = (answer.reduced - sum).abs();
        if error > bound * size { Err(format!("{}, not {sum}", answer.reduced)) } else { Ok(()) }
    }
}

#[test]
fn softmax_losses_are_their_formulas_and_those_of_panels() {
    fn run<T: Elementary>(logits: &Logits<T>, context: &str) {
        for reduction in REDUCTIONS {
            let answers: Vec<_> =
                Isa::all().into_iter().map(|isa| logits.ask(isa, reduction)).collect();
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{context}");
            if let Err(message) = logits.compare(reduction, &answers[0]) {
                panic!("{context} {reduction:?} {}: {message}", T::NAME);
            }
            let divisor = logits.divisor(reduction);
            // That of the class weights.
            let unit = Divisors::new(&logits.loss, None, (Span::empty(), 1.0), 1, 1).sum.unit;
            let mut x = Matrix::new(logits.rows, logits.cols, |r, c| logits.x[r * logits.cols + c]);
            let mut grad = x.clone();
            let mut values = logits.values.as_ref().map(|values| {
                Matrix::new(logits.rows, logits.cols, |r, c| values[r * logits.cols + c])
            });
            let mut classes = logits.classes.clone();
            let mut row_loss = vec![f64::NAN; logits.rows];
            // SAFETY: the vectors outlive the call.
            let (classes, row_loss) = unsafe {
                (
                    Span::from_raw(classes.as_mut_ptr(), logits.rows),
                    Span::from_raw(row_loss.as_mut_ptr(), logits.rows),
                )
            };
            Isa::PORTABLE.run(LossRows {
                loss: &logits.loss,
                clipped: false,
                outputs: x.view(),
                targets: match &mut values {
                    Some(values) => RowTargets::Values(values.view()),
                    None => RowTargets::Classes(classes),
                },
                weights: Span::empty(),
                divisor: Divisor { by: divisor, unit },
                row_loss,
                grad: Some(grad.view()),
            });
            // One row's sum may take another route to the divisor; its value may not.
            let sum = sum_rows(row_loss) / divisor * unit;
            assert!((sum - answers[0].reduced).abs() <= 1e-15 * sum, "{context}");
            for (i, actual) in answers[0].grad.iter().enumerate() {
                let panel = grad.at(i / logits.cols, i % logits.cols);
                let difference = (panel.to_f64() - actual.to_f64()).abs();
                // Equal but for the flush, and for an ulp of the oracle's divisor.
                let eps = if T::NAME == "float32" { 1.2e-7 } else { 2.3e-16 };
                let allowed = 2.0 * eps * actual.to_f64().abs() + 1.01 * T::FLUSH.to_f64();
                assert!(difference <= allowed, "{context} {panel} {actual}");
            }
        }
    }
    for (rows, cols) in SHAPES.into_iter().chain([(700, 10)]) {
        let weight: Vec<f64> = (0..cols).map(|c| 0.25 + (c % 3) as f64).collect();
        for loss in [
            softmax(vec![], 0.0, None),
            softmax(weight.clone(), 0.0, None),
            softmax(weight, 0.2, Some(-1)),
        ] {
            for indices in [false, true] {
                let context = format!("{loss:?} {rows}x{cols} indices {indices}");
                run(&Logits::<f32>::new(loss.clone(), (rows, cols), indices), &context);
                run(&Logits::<f64>::new(loss.clone(), (rows, cols), indices), &context);
            }
        }
    }
}

#[test]
fn a_wrong_softmax_loss_is_noticed() {
    let logits = Logits::<f64>::new(softmax(vec![], 0.1, None), (7, 3), true);
    let right = logits.ask(Isa::PORTABLE, ArrayReduction::Mean);
    assert_eq!(logits.compare(ArrayReduction::Mean, &right), Ok(()));
    for error in [0.01, 1e-12] {
        let mut wrong = right.clone();
        wrong.each[6] *= 1.0 + error;
        assert!(logits.compare(ArrayReduction::Mean, &wrong).is_err());
        let mut wrong = right.clone();
        wrong.grad[0] += error;
        assert!(logits.compare(ArrayReduction::Mean, &wrong).is_err());
        let mut wrong = right.clone();
        wrong.reduced *= 1.0 + error;
        assert!(logits.compare(ArrayReduction::Mean, &wrong).is_err());
    }
}

/// Binary losses of arrays (n, 1) and (n, K) are those of a network's outputs, bit for bit.
#[test]
fn binary_losses_are_those_of_panels() {
    for (rows, cols) in SHAPES {
        let arrays = Arrays::<f32>::new(Binary::Logits, (rows, cols), false, false);
        let matrix = |values: &[f32]| Matrix::new(rows, cols, |r, c| values[r * cols + c]);
        let (mut x, mut t) = (matrix(&arrays.outputs), matrix(&arrays.targets));
        let mut grad = x.clone();
        let mut row_loss = vec![f64::NAN; rows];
        // SAFETY: the vector outlives the call.
        let row_loss = unsafe { Span::from_raw(row_loss.as_mut_ptr(), rows) };
        for isa in Isa::all() {
            isa.run(LossRows {
                loss: &Loss::SigmoidCrossEntropy { pos_weight: vec![] },
                clipped: false,
                outputs: x.view(),
                targets: RowTargets::Values(t.view()),
                weights: Span::empty(),
                divisor: Divisor { by: (rows * cols) as f64, unit: 1.0 },
                row_loss,
                grad: Some(grad.view()),
            });
            let answer = arrays.ask(isa, ArrayReduction::Mean);
            assert_eq!(answer.reduced, sum_rows(row_loss) / (rows * cols) as f64);
            for (i, actual) in answer.grad.iter().enumerate() {
                assert_eq!(*actual, grad.at(i / cols, i % cols));
            }
        }
    }
}

#[test]
fn softmax_of_arrays_is_that_of_panels() {
    for (rows, cols) in SHAPES {
        let x: Vec<f64> = (0..rows * cols).map(|i| 9.0 * noise::<f64>(5, i, 0)).collect();
        for isa in Isa::all() {
            let mut p = vec![f64::NAN; x.len()];
            isa.run(SoftmaxElements { logits: &x, classes: cols, probabilities: &mut p });
            let mut panels = Matrix::new(rows, cols, |r, c| x[r * cols + c]);
            let place = panels.view();
            isa.run(Softmax { input: place, output: place });
            for (i, p) in p.iter().enumerate() {
                assert_eq!(*p, panels.at(i / cols, i % cols));
            }
        }
    }
}
