//! Activations against their definitions in f64, their derivatives against central differences.

use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::activation::{
    Activation, ActivationBackward, ActivationForward, SigmoidBackwardElements, SigmoidElements,
};
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::elementwise::Multiply;
use ironmlp::simd::{Isa, LANES, Real};

/// Every activation, with other parameters than the usual ones too. The match makes a new member
/// without a place here fail to compile.
pub fn all() -> Vec<Activation> {
    let all = vec![
        Activation::Identity,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.01 },
        Activation::LeakyRelu { slope: 0.0 },
        Activation::LeakyRelu { slope: 1.5 },
        Activation::Elu { alpha: 1.0 },
        Activation::Elu { alpha: 0.0 },
        Activation::Elu { alpha: 0.3 },
        Activation::Selu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Mish,
        Activation::Hardswish,
        Activation::Softplus { beta: 1.0, threshold: 20.0 },
        Activation::Softplus { beta: 3.0, threshold: 2.0 },
    ];
    for activation in &all {
        match activation {
            Activation::Identity
            | Activation::Sigmoid
            | Activation::Tanh
            | Activation::Relu
            | Activation::LeakyRelu { .. }
            | Activation::Elu { .. }
            | Activation::Selu
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu
            | Activation::Mish
            | Activation::Hardswish
            | Activation::Softplus { .. } => {}
        }
    }
    all
}

/// erf(x) = 2 / sqrt(pi) e^(-x^2) sum of 2^n x^(2n+1) / (1 3 5 ... (2n+1)): all terms of one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return 1f64.copysign(x);
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// The definition, as PyTorch states it.
fn oracle(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Identity => z,
        Activation::Sigmoid => sigmoid(z),
        Activation::Tanh => z.tanh(),
        Activation::Relu => z.max(0.0),
        Activation::LeakyRelu { slope } => z.max(0.0) + slope * z.min(0.0),
        Activation::Elu { alpha } => z.max(0.0) + (alpha * z.exp_m1()).min(0.0),
        Activation::Selu => {
            let (scale, alpha) = (1.050_700_987_355_480_5, 1.673_263_242_354_377_2);
            scale * (z.max(0.0) + (alpha * z.exp_m1()).min(0.0))
        }
        Activation::Gelu => z / 2.0 * (1.0 + erf(z / 2f64.sqrt())),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (z + 0.044_715 * z.powi(3));
            z / 2.0 * (1.0 + inner.tanh())
        }
        Activation::Silu => z * sigmoid(z),
        Activation::Mish => z * z.exp().ln_1p().tanh(),
        Activation::Hardswish => z * (z + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Softplus { beta, threshold } => {
            if beta * z > threshold {
                z
            } else {
                (beta * z).exp().ln_1p() / beta
            }
        }
    }
}

fn eps<T: Real>() -> f64 {
    if T::NAME == "float32" { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

fn forward<T: Elementary>(isa: Isa, activation: Activation, z: &mut Matrix<T>) -> Matrix<T> {
    let mut a = Matrix::new(z.rows, z.cols, |_, _| T::from_f64(7.0));
    isa.run(ActivationForward { activation, input: z.view(), output: a.view() });
    a
}

fn bits<T: Real>(values: &[T]) -> Vec<u64> {
    values.iter().map(|x| x.to_f64().to_bits()).collect()
}

/// Forward and backward on one matrix, with the padding that a plan has: zeros.
fn check<T: Elementary>(activation: Activation, rows: usize, cols: usize, spread: f64) {
    // The oracle takes the parameters as the type has them.
    let as_type = |x: f64| T::from_f64(x).to_f64();
    let rounded = match activation {
        Activation::LeakyRelu { slope } => Activation::LeakyRelu { slope: as_type(slope) },
        Activation::Elu { alpha } => Activation::Elu { alpha: as_type(alpha) },
        other => other,
    };
    let mut z = Matrix::new(rows, cols, |r, c| noise::<T>(5, r, c).mul(T::from_f64(spread)));
    zero_padding(&mut z);
    let mut results: Vec<Vec<u64>> = Vec::new();
    for isa in Isa::all() {
        let mut a = forward(isa, activation, &mut z);
        let mut in_place = z.clone();
        let view = in_place.view();
        isa.run(ActivationForward { activation, input: view, output: view });
        let mut grad = Matrix::new(rows, cols, |r, c| noise::<T>(6, r, c));
        zero_padding(&mut grad);
        let incoming = grad.clone();
        let saved = if activation.needs_input() { z.view() } else { a.view() };
        isa.run(ActivationBackward { activation, saved, grad: grad.view() });
        for row in 0..rows {
            for col in 0..cols {
                let x = z.at(row, col).to_f64();
                let expected = oracle(rounded, x);
                let actual = a.at(row, col).to_f64();
                let bound = 8.0 * eps::<T>() * (expected.abs() + x.abs()) + 1e-300;
                assert!(
                    (actual - expected).abs() <= bound,
                    "{} {} {activation:?}({x}) = {actual}, not {expected}",
                    isa.name(),
                    T::NAME
                );
                assert!(in_place.at(row, col) == a.at(row, col));
                let derivative = derivative(rounded, x);
                let da = incoming.at(row, col).to_f64();
                let dz = grad.at(row, col).to_f64();
                assert!(
                    (dz - da * derivative).abs() <= 64.0 * eps::<T>() * da.abs() + 1e-8 * da.abs(),
                    "{} {} {activation:?}'({x}) = {}, not {derivative}",
                    isa.name(),
                    T::NAME,
                    dz / da
                );
            }
        }
        for panel in 0..cols.div_ceil(LANES) {
            for row in 0..rows {
                for col in panel * LANES..(panel + 1) * LANES {
                    assert!(col < cols || grad.at(row, col) == T::ZERO);
                }
            }
        }
        // How much of the padding is touched depends on the registers.
        let columns = |matrix: &Matrix<T>| -> Vec<T> {
            (0..rows * cols).map(|i| matrix.at(i / cols, i % cols)).collect()
        };
        let mut result = bits(&columns(&a));
        result.extend(bits(&columns(&grad)));
        results.push(result);
    }
    assert!(results.iter().all(|result| *result == results[0]), "{activation:?} {}", T::NAME);
}

/// A central difference of fourth order, or the one-sided limit on the left of a kink.
fn derivative(activation: Activation, z: f64) -> f64 {
    let h = 1e-3;
    let f = |x: f64| oracle(activation, x);
    let kinks = match activation {
        Activation::Softplus { beta, threshold } => vec![threshold / beta],
        Activation::Relu
        | Activation::LeakyRelu { .. }
        | Activation::Elu { .. }
        | Activation::Selu => vec![0.0],
        Activation::Hardswish => vec![-3.0, 3.0],
        _ => vec![],
    };
    for kink in kinks {
        if (z - kink).abs() <= 2.0 * h {
            // Three points on z's side of the kink, close together.
            let h = if z > kink { 1e-5 } else { -1e-5 };
            return (-3.0 * f(z) + 4.0 * f(z + h) - f(z + 2.0 * h)) / (2.0 * h);
        }
    }
    (8.0 * (f(z + h) - f(z - h)) - (f(z + 2.0 * h) - f(z - 2.0 * h))) / (12.0 * h)
}

fn zero_padding<T: Real>(matrix: &mut Matrix<T>) {
    for x in &mut matrix.memory {
        if x.to_f64().is_nan() {
            *x = T::ZERO;
        }
    }
}

#[test]
fn forward_and_backward_are_the_definitions() {
    for activation in all() {
        for (rows, cols) in [(1, 1), (2, 3), (3, 10), (7, 16), (5, 17), (4, 33), (9, 50)] {
            for spread in [0.1, 3.0, 12.0] {
                check::<f32>(activation, rows, cols, spread);
                check::<f64>(activation, rows, cols, spread);
            }
        }
    }
}

/// Both derivatives come from this crate: a forward pass in f64 and the backward pass.
#[test]
fn derivatives_equal_central_differences() {
    let h = 1e-5;
    let points: Vec<f64> = (-60..60).map(|i| f64::from(i) * 0.1 + 0.043).collect();
    let n = points.len();
    for activation in all() {
        for isa in Isa::all() {
            let mut z = Matrix::new(1, n, |_, c| points[c]);
            let mut up = Matrix::new(1, n, |_, c| points[c] + h);
            let mut down = Matrix::new(1, n, |_, c| points[c] - h);
            let mut a = forward(isa, activation, &mut z);
            let (up, down) =
                (forward(isa, activation, &mut up), forward(isa, activation, &mut down));
            let mut grad = Matrix::new(1, n, |_, _| 1.0);
            let saved = if activation.needs_input() { z.view() } else { a.view() };
            isa.run(ActivationBackward { activation, saved, grad: grad.view() });
            for col in 0..n {
                let difference = (up.at(0, col) - down.at(0, col)) / (2.0 * h);
                let error = (grad.at(0, col) - difference).abs();
                assert!(error <= 1e-7, "{activation:?} at {}: {error}", points[col]);
            }
        }
    }
}

#[test]
fn extremes_give_finite_values_and_derivatives() {
    let extremes = [0.0, -0.0, 1e-40, -1e-40, 1.0, -1.0, 50.0, -50.0, 1e4, -1e4, 1e30, -1e30];
    fn run<T: Elementary>(extremes: &[f64]) {
        for activation in all() {
            for isa in Isa::all() {
                let mut z = Matrix::new(1, extremes.len(), |_, c| T::from_f64(extremes[c]));
                let mut a = forward(isa, activation, &mut z);
                let mut grad = Matrix::new(1, extremes.len(), |_, _| T::ONE);
                let saved = if activation.needs_input() { z.view() } else { a.view() };
                isa.run(ActivationBackward { activation, saved, grad: grad.view() });
                for (col, x) in extremes.iter().enumerate() {
                    let (a, dz) = (a.at(0, col), grad.at(0, col));
                    assert!(a.is_finite() && dz.is_finite(), "{activation:?}({x}) {a} {dz}");
                    assert!(
                        dz == T::ZERO
                            || !dz.to_f64().is_nan() && dz.to_f64().abs() >= T::FLUSH.to_f64()
                    );
                }
            }
        }
    }
    run::<f32>(&extremes);
    run::<f64>(&extremes);
}

#[test]
fn nan_passes_and_zero_has_the_lower_slope() {
    for activation in all() {
        for isa in Isa::all() {
            let mut z = Matrix::new(1, 2, |_, c| if c == 0 { f32::NAN } else { 0.0 });
            let mut a = forward(isa, activation, &mut z);
            assert!(a.at(0, 0).is_nan(), "{activation:?}");
            let mut grad = Matrix::new(1, 2, |_, _| 1.0);
            let saved = if activation.needs_input() { z.view() } else { a.view() };
            isa.run(ActivationBackward { activation, saved, grad: grad.view() });
            match activation {
                Activation::Relu => assert_eq!(grad.at(0, 1), 0.0),
                Activation::LeakyRelu { slope } => assert_eq!(grad.at(0, 1), slope as f32),
                Activation::Elu { alpha } => assert_eq!(grad.at(0, 1), alpha as f32),
                Activation::Selu => assert_eq!(grad.at(0, 1), 1.758_099_340_847_376_9f64 as f32),
                _ => {}
            }
        }
    }
}

/// A view of fewer rows than its memory has changes those rows alone.
#[test]
fn other_rows_stay() {
    for isa in Isa::all() {
        let mut z = Matrix::new(9, 20, |r, c| noise::<f32>(1, r, c));
        let before = z.clone();
        let part = z.view().slice(2, 5);
        isa.run(ActivationForward { activation: Activation::Tanh, input: part, output: part });
        isa.run(Multiply { x: part, mask: part });
        isa.run(ActivationBackward { activation: Activation::Silu, saved: part, grad: part });
        for row in 0..9 {
            for col in 0..20 {
                let same = z.at(row, col) == before.at(row, col);
                assert_eq!(same, !(2..5).contains(&row), "{row} {col}");
            }
        }
    }
}

/// Arrays of any length give what panels give; only the flush of the backward pass is missing.
#[test]
fn elements_equal_panels() {
    fn run<T: Elementary>(len: usize) {
        let input: Vec<T> = (0..len).map(|i| noise::<T>(3, 0, i).mul(T::from_f64(9.0))).collect();
        let da: Vec<T> = (0..len).map(|i| noise::<T>(4, 0, i)).collect();
        for isa in Isa::all() {
            let mut a = vec![T::from_f64(f64::NAN); len];
            isa.run(SigmoidElements { input: &input, output: &mut a });
            let mut dz = vec![T::from_f64(f64::NAN); len];
            isa.run(SigmoidBackwardElements { output: &a, grad_output: &da, grad: &mut dz });
            if len == 0 {
                continue;
            }
            let mut z = Matrix::new(1, len, |_, c| input[c]);
            let mut output = forward(isa, Activation::Sigmoid, &mut z);
            let mut grad = Matrix::new(1, len, |_, c| da[c]);
            isa.run(ActivationBackward {
                activation: Activation::Sigmoid,
                saved: output.view(),
                grad: grad.view(),
            });
            for i in 0..len {
                assert!(a[i] == output.at(0, i) && dz[i] == grad.at(0, i), "{len} {i}");
            }
        }
    }
    for len in [0, 1, 3, 15, 16, 17, 31, 32, 33, 47, 48, 100] {
        run::<f32>(len);
        run::<f64>(len);
    }
}

#[test]
fn backward_of_tiny_numbers_is_zero_in_panels_alone() {
    let tiny = 1e-31f32;
    for isa in Isa::all() {
        let mut saved = Matrix::new(1, 1, |_, _| 0.5f32);
        let mut grad = Matrix::new(1, 1, |_, _| -tiny);
        let activation = Activation::Sigmoid;
        isa.run(ActivationBackward { activation, saved: saved.view(), grad: grad.view() });
        assert_eq!(grad.at(0, 0).to_bits(), 0);
        let mut dz = [0.0];
        isa.run(SigmoidBackwardElements { output: &[0.5], grad_output: &[tiny], grad: &mut dz });
        assert_eq!(dz[0], tiny / 4.0);
    }
}
