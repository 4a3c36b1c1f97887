//! The kernels of batch normalization against their definition: the bits of the formula, one element after
//! the other, and the mathematics in f64.

use crate::support::columns::{is_padded, numbers, span, sub, tree};
use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::normalization::{BatchNormalize, BatchNormalizeBackward, Population};
use ironmlp::kernels::reduce::BLOCK_ROWS;
use ironmlp::simd::{Isa, LANES, Real};

const EPS: f64 = 1e-5;

/// A column of `x`.
fn column<T: Real>(x: &Matrix<T>, col: usize) -> Vec<T> {
    (0..x.rows).map(|row| x.at(row, col)).collect()
}

/// The mean over rows (N2) in f64, each added to its chain by `add`.
fn mean(rows: usize, mut add: impl FnMut(f64, usize) -> f64) -> f64 {
    let all: Vec<usize> = (0..rows).collect();
    let chains =
        all.chunks(BLOCK_ROWS).map(|rows| rows.iter().fold(0.0, |sum, &row| add(sum, row)));
    tree(&chains.collect::<Vec<f64>>()) / rows as f64
}

/// xhat, mean and variance of a column, and r, by the formula.
fn defined<T: Real>(x: &[T], eps: f64) -> (Vec<T>, [f64; 2], T) {
    let middle = mean(x.len(), |sum, i| sum + x[i].to_f64());
    let nearest = T::from_f64(middle);
    let rest = T::from_f64(middle - nearest.to_f64());
    let deviations: Vec<T> = x.iter().map(|&x| sub(sub(x, nearest), rest)).collect();
    let wide = |i: usize| deviations[i].to_f64();
    let variance = mean(x.len(), |sum, i| wide(i).mul_add(wide(i), sum));
    let r = T::from_f64(1.0 / (variance + eps).sqrt());
    (deviations.into_iter().map(|d| d.mul(r)).collect(), [middle, variance], r)
}

fn flushed<T: Real>(x: T) -> T {
    if x.to_f64().abs() < T::FLUSH.to_f64() { T::ZERO } else { x }
}

/// The gradient at a column, by the formula.
fn defined_gradient<T: Real>(dy: &[T], xhat: &[T], scale: T) -> Vec<T> {
    let a = T::from_f64(mean(dy.len(), |sum, i| sum + dy[i].to_f64()));
    let c = T::from_f64(mean(dy.len(), |sum, i| dy[i].to_f64().mul_add(xhat[i].to_f64(), sum)));
    let dx =
        |(&dy, &xhat): (&T, &T)| flushed(scale.mul(T::from_f64(-xhat.to_f64()).fma(c, sub(dy, a))));
    dy.iter().zip(xhat).map(dx).collect()
}

/// What both passes leave.
struct Passes<T> {
    xhat: Matrix<T>,
    y: Matrix<T>,
    dx: Matrix<T>,
    means: Vec<f64>,
    variances: Vec<f64>,
}

/// Both passes; without `past`, means and variances, with those of the batch.
fn passes<T: Real>(
    isa: Isa,
    (x, dy): (&Matrix<T>, &Matrix<T>),
    affine: Option<(Vec<T>, Vec<T>)>,
    past: Option<(Vec<T>, Vec<T>)>,
    eps: f64,
) -> Passes<T> {
    let empty = || Matrix::new(x.rows, x.cols, |_, _| T::ZERO);
    let (mut input, mut grad, mut affine, mut past) = (x.clone(), dy.clone(), affine, past);
    let (mut xhat, mut y, mut dx) = (empty(), empty(), empty());
    let [mut means, mut variances] = [(); 2].map(|()| vec![0.0; x.cols.next_multiple_of(LANES)]);
    let population = match &mut past {
        Some((means, variances)) => {
            Population::Past { means: span(means), variances: span(variances) }
        }
        None => Population::Batch { means: span(&mut means), variances: span(&mut variances) },
    };
    isa.run(BatchNormalize {
        input: input.view(),
        affine: affine.as_mut().map(|(w, b)| (span(w), span(b))),
        eps,
        population,
        normalized: xhat.view(),
        output: y.view(),
    });
    isa.run(BatchNormalizeBackward {
        normalized: xhat.view(),
        weight: affine.as_mut().map(|(w, _)| span(w)),
        eps,
        population,
        grad: grad.view(),
        target: dx.view(),
    });
    Passes { xhat, y, dx, means, variances }
}

#[test]
fn all_elements_are_those_of_the_formula() {
    fn check<T: Real>(isa: Isa, rows: usize, cols: usize) {
        let x = Matrix::new(rows, cols, |r, c| noise::<T>(1, r, c));
        let dy = Matrix::new(rows, cols, |r, c| noise::<T>(2, r, c));
        let (w, b) = (numbers::<T>(3, cols), numbers::<T>(4, cols));
        let mut found = passes(isa, (&x, &dy), Some((w.clone(), b.clone())), None, EPS);
        let plain = passes(isa, (&x, &dy), None, None, EPS);
        for c in 0..cols {
            let (xhat, [middle, variance], r) = defined(&column(&x, c), EPS);
            assert_eq!(column(&found.xhat, c), xhat, "xhat of column {c}, {rows} x {cols}");
            assert_eq!((found.means[c], found.variances[c]), (middle, variance), "column {c}");
            let y: Vec<T> = xhat.iter().map(|xhat| xhat.fma(w[c], b[c])).collect();
            assert_eq!(column(&found.y, c), y, "y of column {c}, {rows} x {cols}");
            assert_eq!(column(&plain.y, c), xhat);
            let dy = column(&dy, c);
            let dx = defined_gradient(&dy, &xhat, r.mul(w[c]));
            assert_eq!(column(&found.dx, c), dx, "column {c}, {rows} x {cols}");
            assert_eq!(column(&plain.dx, c), defined_gradient(&dy, &xhat, r), "column {c}");
        }
        assert!(is_padded(&mut found.xhat) && is_padded(&mut found.y) && is_padded(&mut found.dx));
    }
    for isa in Isa::all() {
        for (rows, cols) in [
            (2, 1),
            (3, 15),
            (16, 16),
            (40, 17),
            (255, 2),
            (256, 33),
            (257, 16),
            (700, 5),
            (1025, 20),
        ] {
            check::<f32>(isa, rows, cols);
            check::<f64>(isa, rows, cols);
        }
    }
}

#[test]
fn past_batches_scale_and_shift_each_row_alone() {
    fn check<T: Real>(isa: Isa, rows: usize, cols: usize) {
        let x = Matrix::new(rows, cols, |r, c| noise::<T>(1, r, c));
        let dy = Matrix::new(rows, cols, |r, c| noise::<T>(2, r, c));
        let (w, b) = (numbers::<T>(3, cols), numbers::<T>(4, cols));
        let means = numbers::<T>(5, cols);
        let variances: Vec<T> = numbers::<T>(6, cols).into_iter().map(|v| v.mul(v)).collect();
        let past = (means.clone(), variances.clone());
        let affine = Some((w.clone(), b.clone()));
        let mut found = passes(isa, (&x, &dy), affine, Some(past), EPS);
        for c in 0..cols {
            let r = T::from_f64(1.0 / (variances[c].to_f64() + EPS).sqrt());
            for row in 0..rows {
                let xhat = sub(x.at(row, c), means[c]).mul(r);
                assert_eq!(found.xhat.at(row, c), xhat, "row {row}, column {c}");
                assert_eq!(found.y.at(row, c), xhat.fma(w[c], b[c]));
                assert_eq!(found.dx.at(row, c), flushed(r.mul(w[c]).mul(dy.at(row, c))));
            }
        }
        assert!(is_padded(&mut found.xhat) && is_padded(&mut found.y) && is_padded(&mut found.dx));
    }
    for isa in Isa::all() {
        for (rows, cols) in [(1, 1), (3, 15), (17, 40), (300, 16)] {
            check::<f32>(isa, rows, cols);
            check::<f64>(isa, rows, cols);
        }
    }
}

#[test]
fn a_large_mean_costs_no_digits() {
    for isa in Isa::all() {
        for (offset, scale) in [(0.0, 1.0), (1e4, 1.0), (-3e5, 2.0), (1e-3, 1e-6), (0.0, 1e18)] {
            let element = |r, c| (offset + scale * noise::<f64>(5, r, c)) as f32;
            let x = Matrix::new(300, 7, element);
            let found = passes(isa, (&x, &x), None, None, 0.0);
            for c in 0..7 {
                let wide: Vec<f64> = column(&x, c).into_iter().map(f64::from).collect();
                let middle = wide.iter().sum::<f64>() / 300.0;
                let square = |x: &f64| (x - middle) * (x - middle);
                let deviation = (wide.iter().map(square).sum::<f64>() / 300.0).sqrt();
                for (found, x) in column(&found.y, c).into_iter().zip(wide) {
                    let exact = (x - middle) / deviation;
                    let error = (f64::from(found) - exact).abs();
                    assert!(error <= 3.0 * f64::from(f32::EPSILON) * exact.abs().max(1e-3));
                }
            }
        }
    }
}

/// Central differences of sum(dy y) in f64.
#[test]
fn gradients_are_central_differences() {
    let (rows, cols, step) = (5, 19, 1e-6);
    let x = Matrix::new(rows, cols, |r, c| noise::<f64>(6, r, c));
    let dy = Matrix::new(rows, cols, |r, c| noise::<f64>(7, r, c));
    let affine = || Some((numbers::<f64>(8, cols), numbers::<f64>(9, cols)));
    let isa = Isa::PORTABLE;
    let dx = passes(isa, (&x, &dy), affine(), None, EPS).dx;
    let value = |moved: (usize, usize), by: f64| {
        let there = |r, c| x.at(r, c) + if (r, c) == moved { by } else { 0.0 };
        let x = Matrix::new(rows, cols, there);
        let y = passes(isa, (&x, &dy), affine(), None, EPS).y;
        let all = (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c)));
        all.map(|(r, c)| y.at(r, c) * dy.at(r, c)).sum::<f64>()
    };
    for (r, c) in (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c))) {
        let expected = (value((r, c), step) - value((r, c), -step)) / (2.0 * step);
        assert!((dx.at(r, c) - expected).abs() < 1e-7, "{r} {c}");
    }
}

#[test]
fn a_column_of_equal_numbers_becomes_the_bias() {
    for isa in Isa::all() {
        for value in [0.0f32, 1.0, -3e38, 1e-40] {
            let x = Matrix::new(300, 21, |_, _| value);
            let (w, b) = (numbers::<f32>(1, 21), numbers::<f32>(2, 21));
            let found = passes(isa, (&x, &x), Some((w.clone(), b.clone())), None, EPS);
            for c in 0..21 {
                assert_eq!((found.xhat.at(299, c), found.y.at(299, c)), (0.0, b[c]), "{value}");
                assert_eq!((found.means[c], found.variances[c]), (f64::from(value), 0.0));
                assert!(found.dx.at(299, c).is_finite());
            }
        }
    }
}
