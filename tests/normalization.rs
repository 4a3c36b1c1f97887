//! Layer normalization against its definition: the bits of the formula, one element after the other, and
//! the mathematics in f64.

use crate::support::columns::{is_padded, numbers, span, sub, tree};
use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::normalization::{AffineGradient, Normalize, NormalizeBackward, TrainAffine};
use ironmlp::kernels::optimizer::{Clock, Optimizer, Sgd};
use ironmlp::kernels::panels::Panels;
use ironmlp::kernels::reduce::BLOCK_ROWS;
use ironmlp::kernels::weight::{ApplyBlock, Block, LinearState, Parameter, ParameterSums};
use ironmlp::simd::{Isa, LANES, Real};

const EPS: f64 = 1e-5;
const ROWS: [usize; 5] = [1, 2, 16, 17, 40];
const COLS: [usize; 7] = [1, 2, 15, 16, 17, 33, 100];

/// A row of `x`.
fn row<T: Real>(x: &Matrix<T>, row: usize) -> Vec<T> {
    (0..x.cols).map(|col| x.at(row, col)).collect()
}

/// The mean over 16 lanes by index, each term added by `add`.
fn mean(terms: usize, mut add: impl FnMut(f64, usize) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    for term in 0..terms {
        lanes[term % LANES] = add(lanes[term % LANES], term);
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0] / terms as f64
}

/// xhat and 1 / sqrt(variance + eps) of a row, by the formula.
fn defined<T: Real>(x: &[T], eps: f64) -> (Vec<T>, T) {
    let middle = mean(x.len(), |sum, i| sum + x[i].to_f64());
    let nearest = T::from_f64(middle);
    let rest = T::from_f64(middle - nearest.to_f64());
    let deviations: Vec<T> = x.iter().map(|&x| sub(sub(x, nearest), rest)).collect();
    let wide = |i: usize| deviations[i].to_f64();
    let variance = mean(x.len(), |sum, i| wide(i).mul_add(wide(i), sum));
    let reciprocal = T::from_f64(1.0 / (variance + eps).sqrt());
    (deviations.into_iter().map(|d| d.mul(reciprocal)).collect(), reciprocal)
}

/// The gradient at a row, by the formula.
fn defined_gradient<T: Real>(g: &[T], xhat: &[T], reciprocal: T) -> Vec<T> {
    let a = T::from_f64(mean(g.len(), |sum, i| sum + g[i].to_f64()));
    let c = T::from_f64(mean(g.len(), |sum, i| g[i].to_f64().mul_add(xhat[i].to_f64(), sum)));
    let dx = |(&g, &xhat): (&T, &T)| {
        let dx = reciprocal.mul(T::from_f64(-xhat.to_f64()).fma(c, sub(g, a)));
        if dx.to_f64().abs() < T::FLUSH.to_f64() { T::ZERO } else { dx }
    };
    g.iter().zip(xhat).map(dx).collect()
}

struct Forward<T> {
    xhat: Matrix<T>,
    y: Matrix<T>,
    reciprocals: Matrix<T>,
}

fn forward<T: Real>(isa: Isa, x: &Matrix<T>, affine: Option<(Vec<T>, Vec<T>)>) -> Forward<T> {
    let empty = |cols| Matrix::new(x.rows, cols, |_, _| T::ZERO);
    let (mut input, mut affine) = (x.clone(), affine);
    let (mut xhat, mut y, mut reciprocals) = (empty(x.cols), empty(x.cols), empty(LANES));
    isa.run(Normalize {
        input: input.view(),
        affine: affine.as_mut().map(|(w, b)| (span(w), span(b))),
        eps: EPS,
        normalized: xhat.view(),
        output: y.view(),
        reciprocals: reciprocals.view(),
    });
    Forward { xhat, y, reciprocals }
}

fn backward<T: Real>(
    isa: Isa,
    Forward { xhat, reciprocals, .. }: &mut Forward<T>,
    dy: &Matrix<T>,
    weight: Option<Vec<T>>,
) -> Matrix<T> {
    let (mut grad, mut weight) = (dy.clone(), weight);
    let mut target = Matrix::new(dy.rows, dy.cols, |_, _| T::ZERO);
    isa.run(NormalizeBackward {
        normalized: xhat.view(),
        reciprocals: reciprocals.view(),
        weight: weight.as_mut().map(|w| span(w)),
        grad: grad.view(),
        target: target.view(),
    });
    target
}

#[test]
fn all_elements_are_those_of_the_formula() {
    fn check<T: Real>(isa: Isa, rows: usize, cols: usize) {
        let x = Matrix::new(rows, cols, |r, c| noise::<T>(1, r, c));
        let dy = Matrix::new(rows, cols, |r, c| noise::<T>(2, r, c));
        let (w, b) = (numbers::<T>(3, cols), numbers::<T>(4, cols));
        let mut found = forward(isa, &x, Some((w.clone(), b.clone())));
        let mut dx = backward(isa, &mut found, &dy, Some(w.clone()));
        let mut plain = forward(isa, &x, None);
        let dx_plain = backward(isa, &mut plain, &dy, None);
        for r in 0..rows {
            let (xhat, reciprocal) = defined(&row(&x, r), EPS);
            assert_eq!(row(&found.xhat, r), xhat, "xhat of row {r}, {rows} x {cols}");
            assert_eq!(row(&found.reciprocals, r), [reciprocal; LANES]);
            let y: Vec<T> = (0..cols).map(|c| xhat[c].fma(w[c], b[c])).collect();
            assert_eq!(row(&found.y, r), y, "y of row {r}, {rows} x {cols}");
            assert_eq!(row(&plain.y, r), xhat);
            let dy = row(&dy, r);
            let g: Vec<T> = (0..cols).map(|c| dy[c].mul(w[c])).collect();
            assert_eq!(row(&dx, r), defined_gradient(&g, &xhat, reciprocal), "row {r}");
            assert_eq!(row(&dx_plain, r), defined_gradient(&dy, &xhat, reciprocal), "row {r}");
        }
        assert!(is_padded(&mut found.xhat) && is_padded(&mut found.y) && is_padded(&mut dx));
    }
    for isa in Isa::all() {
        for rows in ROWS {
            for cols in COLS {
                check::<f32>(isa, rows, cols);
                check::<f64>(isa, rows, cols);
            }
        }
    }
}

/// What the mathematics say, in f64, of numbers that f32 has.
fn exact(x: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    let middle = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - middle) * (x - middle)).sum::<f64>() / n;
    x.iter().map(|x| (x - middle) / (variance + EPS).sqrt()).collect()
}

#[test]
fn a_large_mean_costs_no_digits() {
    for isa in Isa::all() {
        for (offset, scale) in [(0.0, 1.0), (1e4, 1.0), (-3e5, 2.0), (1e-3, 1e-6), (0.0, 1e30)] {
            let element = |r, c| (offset + scale * noise::<f64>(5, r, c)) as f32;
            let x = Matrix::new(7, 50, element);
            let found = forward(isa, &x, None);
            for r in 0..7 {
                let wide: Vec<f64> = row(&x, r).into_iter().map(f64::from).collect();
                for (found, exact) in row(&found.y, r).into_iter().zip(exact(&wide)) {
                    let error = (f64::from(found) - exact).abs();
                    assert!(error <= 3.0 * f64::from(f32::EPSILON) * exact.abs().max(1e-30));
                }
            }
        }
    }
}

/// Central differences of sum(dy y) in f64.
#[test]
fn gradients_are_central_differences() {
    let (rows, cols, step) = (3, 19, 1e-6);
    let x = Matrix::new(rows, cols, |r, c| noise::<f64>(6, r, c));
    let dy = Matrix::new(rows, cols, |r, c| noise::<f64>(7, r, c));
    let (w, b) = (numbers::<f64>(8, cols), numbers::<f64>(9, cols));
    let isa = Isa::PORTABLE;
    let mut found = forward(isa, &x, Some((w.clone(), b.clone())));
    let dx = backward(isa, &mut found, &dy, Some(w.clone()));
    let value = |moved: (usize, usize), by: f64| {
        let there = |r, c| x.at(r, c) + if (r, c) == moved { by } else { 0.0 };
        let y = forward(isa, &Matrix::new(rows, cols, there), Some((w.clone(), b.clone()))).y;
        (0..rows)
            .flat_map(|r| (0..cols).map(move |c| (r, c)))
            .map(|(r, c)| y.at(r, c) * dy.at(r, c))
            .sum::<f64>()
    };
    for (r, c) in (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c))) {
        let expected = (value((r, c), step) - value((r, c), -step)) / (2.0 * step);
        assert!((dx.at(r, c) - expected).abs() < 1e-8, "{r} {c}");
    }
}

#[test]
fn a_row_of_equal_numbers_becomes_the_bias() {
    for isa in Isa::all() {
        for value in [0.0f32, 1.0, -3e38, 1e-40] {
            let x = Matrix::new(2, 21, |_, _| value);
            let (w, b) = (numbers::<f32>(1, 21), numbers::<f32>(2, 21));
            let mut found = forward(isa, &x, Some((w.clone(), b.clone())));
            let dx = backward(isa, &mut found, &x, Some(w));
            for c in 0..21 {
                assert_eq!((found.xhat.at(1, c), found.y.at(1, c)), (0.0, b[c]), "{value}");
            }
            assert!(row(&dx, 1).into_iter().all(f32::is_finite) || value < -1e38);
        }
    }
}

/// The sums of a batch in one block of columns.
fn affine_gradient<T: Real>(
    isa: Isa,
    (xhat, dy): (&Matrix<T>, &Matrix<T>),
    block: Block,
) -> (Vec<T>, Vec<T>) {
    let (mut xhat, mut dy) = (xhat.clone(), dy.clone());
    let [mut weight, mut bias] = [(); 2].map(|()| vec![T::ONE; block.outputs * LANES]);
    isa.run(AffineGradient {
        normalized: xhat.view(),
        grad: dy.view(),
        block,
        weight: span(&mut weight),
        bias: span(&mut bias),
    });
    (weight, bias)
}

#[test]
fn gradients_of_weight_and_bias_are_chains_and_trees_over_rows() {
    fn check<T: Real>(isa: Isa, rows: usize) {
        let cols = 37;
        let xhat = Matrix::new(rows, cols, |r, c| noise::<T>(1, r, c));
        let dy = Matrix::new(rows, cols, |r, c| noise::<T>(2, r, c));
        for (output, outputs) in [(0, 2), (2, 1)] {
            let block = Block { input: 0, output, outputs };
            let (weight, bias) = affine_gradient(isa, (&xhat, &dy), block);
            for lane in 0..outputs * LANES {
                let col = output * LANES + lane;
                let of_block = |rows: &[usize], both: bool| {
                    rows.iter().fold(T::ZERO, |sum, &r| match (col < cols, both) {
                        (false, _) => sum,
                        (true, true) => dy.at(r, col).fma(xhat.at(r, col), sum),
                        (true, false) => sum.add(dy.at(r, col)),
                    })
                };
                let all: Vec<usize> = (0..rows).collect();
                let sums = |both| -> Vec<T> {
                    all.chunks(BLOCK_ROWS).map(|rows| of_block(rows, both)).collect()
                };
                assert_eq!(weight[lane], tree(&sums(true)), "{rows} rows, column {col}");
                assert_eq!(bias[lane], tree(&sums(false)), "{rows} rows, column {col}");
            }
        }
    }
    for isa in Isa::all() {
        for rows in [1, 16, 255, 256, 257, 700, 1025] {
            check::<f32>(isa, rows);
            check::<f64>(isa, rows);
        }
    }
}

/// Matrices of one row whose panels follow each other.
fn flat<T: Real>(numbers: &mut [T], cols: usize) -> Panels<T> {
    span(numbers).panels(0, (1, cols), LANES)
}

#[test]
fn training_applies_these_gradients() {
    let (rows, cols) = (300, 37);
    let xhat = Matrix::new(rows, cols, |r, c| noise::<f32>(1, r, c));
    let dy = Matrix::new(rows, cols, |r, c| noise::<f32>(2, r, c));
    for isa in Isa::all() {
        // Weight, bias and a moment of each, trained at once and from kept gradients.
        let trained = |at_once: bool| {
            let mut tensors: [Vec<f32>; 4] = [3, 4, 5, 6].map(|seed| numbers(seed, cols));
            for tensor in &mut tensors {
                tensor[cols..].fill(0.0);
            }
            let [weight, bias, m, bias_m] = &mut tensors;
            let optimizer =
                Optimizer::Sgd(Sgd { momentum: 0.5, weight_decay: 0.01, nesterov: false });
            let mut clock = Clock::default();
            optimizer.tick(&mut clock);
            let rules = optimizer.rules(0.1, 1.0, [true; 2], &clock);
            let parameter = |rule, values: &mut [f32], moment: &mut [f32]| Parameter {
                rule,
                values: flat(values, cols),
                moments: [Some(flat(moment, cols)), None, None],
                terms: None,
                average: None,
            };
            let state = LinearState {
                sums: ParameterSums::none(),
                factor: None,
                weight: parameter(rules.weight, weight, m),
                backward: None,
                bias: Some(parameter(rules.bias, bias, bias_m)),
            };
            for (output, outputs) in [(0, 2), (2, 1)] {
                let block = Block { input: 0, output, outputs };
                if at_once {
                    let (mut xhat, mut dy) = (xhat.clone(), dy.clone());
                    let (normalized, grad) = (xhat.view(), dy.view());
                    isa.run(TrainAffine { normalized, grad, block, state: &state });
                } else {
                    let (mut weight, mut bias) = affine_gradient(isa, (&xhat, &dy), block);
                    let weight = flat(&mut weight, outputs * LANES);
                    let bias = Some(span(&mut bias));
                    isa.run(ApplyBlock { weight, bias, block, state: &state });
                }
            }
            tensors
        };
        let before: [Vec<f32>; 4] = [3, 4, 5, 6].map(|seed| numbers(seed, cols));
        let (fused, kept) = (trained(true), trained(false));
        assert_eq!(fused, kept);
        assert!(fused.iter().zip(&before).all(|(new, old)| new[..cols] != old[..cols]));
    }
}

/// Buffers may be one another's memory, as plans have it.
#[test]
fn places_may_be_shared() {
    for isa in Isa::all() {
        let x = Matrix::new(20, 50, |r, c| noise::<f32>(1, r, c));
        let (mut w, mut b) = (numbers::<f32>(3, 50), numbers::<f32>(4, 50));
        let expected = forward(isa, &x, Some((w.clone(), b.clone())));
        let mut memory = x.clone();
        let mut reciprocals = expected.reciprocals.clone();
        let place = memory.view();
        isa.run(Normalize {
            input: place,
            affine: Some((span(&mut w), span(&mut b))),
            eps: EPS,
            normalized: place,
            output: place,
            reciprocals: reciprocals.view(),
        });
        assert!((0..20).all(|r| row(&memory, r) == row(&expected.y, r)));
        let dy = Matrix::new(20, 50, |r, c| noise::<f32>(2, r, c));
        let mut both = forward(isa, &x, None);
        let expected = backward(isa, &mut both, &dy, Some(w.clone()));
        let mut grad = dy.clone();
        let place = grad.view();
        isa.run(NormalizeBackward {
            normalized: both.xhat.view(),
            reciprocals: both.reciprocals.view(),
            weight: Some(span(&mut w)),
            grad: place,
            target: place,
        });
        assert!((0..20).all(|r| row(&grad, r) == row(&expected, r)));
    }
}
