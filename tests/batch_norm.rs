//! Networks with batch normalization against naive loops in f64; no route may change a bit.

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::gather::{RowOrder, Source};
use ironmlp::kernels::loss::Loss;
use ironmlp::kernels::optimizer::{Optimizer, Options, Sgd};
use ironmlp::network::{
    Batch, BatchNorm, Dropout, Head, Init, Input, Layer, Linear, NodeStatistics, Plan, Reduction,
    Spec, State, Sum, Targets, Task,
};
use ironmlp::simd::Isa;

use crate::own_loss::check_kept;

const EPS: f64 = 1e-3;
const RATE: f64 = 0.1;

fn linear(in_features: usize, out_features: usize) -> Layer {
    let (bias, init, trainable, lr_scale) = (true, Init::TorchLinear, true, 1.0);
    Layer::Linear(Linear { in_features, out_features, bias, init, trainable, lr_scale })
}

fn norm(features: usize, affine: bool) -> Layer {
    let (momentum, images, trainable, lr_scale) = (Some(0.25), false, true, 1.0);
    Layer::BatchNorm(BatchNorm {
        features,
        eps: EPS,
        momentum,
        affine,
        images,
        trainable,
        lr_scale,
    })
}

fn spec(layers: Vec<Layer>) -> Spec {
    Spec {
        layers,
        loss: Some((Loss::Mse, Reduction::Mean)),
        optimizer: Optimizer::Sgd(Sgd { momentum: 0.0, weight_decay: 0.0, nesterov: false }),
        options: Options::default(),
        input: Input::default(),
    }
}

/// Everything that may stand around a normalization, which is inside a residual connection too.
fn mixed() -> Spec {
    let (tanh, dropout) = (Layer::Activation(Activation::Tanh), Layer::Dropout(Dropout { p: 0.3 }));
    spec(vec![
        norm(5, true),
        linear(5, 37),
        dropout.clone(),
        norm(37, true),
        tanh.clone(),
        dropout,
        linear(37, 37),
        norm(37, false),
        Layer::Activation(Activation::Gelu),
        norm(37, true),
        Layer::Sum(Sum { from: 6 }),
        linear(37, 3),
        norm(3, true),
    ])
}

/// X and y of so many rows.
struct Rows<T> {
    x: Vec<T>,
    y: Vec<T>,
    rows: usize,
    inputs: usize,
}

impl<T: Elementary> Rows<T> {
    fn new(rows: usize, inputs: usize, outputs: usize) -> Self {
        let mut state = 1u64;
        let mut number = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            T::from_f64((state >> 43) as f64 / 2f64.powi(20) - 1.0)
        };
        let x = (0..rows * inputs).map(|_| number()).collect();
        let y = (0..rows * outputs).map(|_| number()).collect();
        Self { x, y, rows, inputs }
    }

    fn batch(&self) -> Batch<'_, T> {
        Batch {
            source: Source::of_slice(&self.x, self.inputs),
            order: RowOrder::From(0),
            rows: self.rows,
            targets: Targets::Values(&self.y),
            weights: None,
            standards: None,
        }
    }
}

fn running<T: Elementary>(state: &State<T>) -> Vec<NodeStatistics<T>> {
    state.running.export(&state.layout.running).unwrap()
}

/// Parameters and running statistics after three steps, and outputs with these, as bits.
fn trained<T: Elementary>(spec: &Spec, plan: &Plan<T>, isa: Isa, data: &Rows<T>) -> Vec<u64> {
    let mut state = State::<T>::new(spec, RATE, 3, isa).unwrap();
    let mut workspace = plan.workspace(data.rows).unwrap();
    for _ in 0..3 {
        plan.train(1, &mut state, &mut workspace, &data.batch()).unwrap();
    }
    let mut all = state.layout.export(&state.parameters).unwrap();
    for node in running(&state) {
        assert_eq!(node.batches, 3);
        all.extend([node.mean, node.variance]);
    }
    let mut outputs = vec![T::ZERO; data.rows * plan.outputs()];
    // Slabs make no difference to predictions.
    let forward = Plan::<T>::with_slab(spec, Task::Forward, 100, isa).unwrap();
    let mut memory = forward.workspace(data.rows).unwrap();
    forward.forward(1, &state, &mut memory, &data.batch(), false, &mut outputs).unwrap();
    all.push(outputs);
    all.concat().iter().map(|x| x.to_f64().to_bits()).collect()
}

/// On one thread: tests of others count on the pool's workers. The self-check's networks have several.
#[test]
fn every_route_and_instruction_set_gives_the_same_bits() {
    fn check<T: Elementary>(rows: usize, isas: &[Isa]) {
        let (spec, data) = (mixed(), Rows::<T>::new(rows, 5, 3));
        let plan = |slab, isa| Plan::<T>::with_slab(&spec, Task::Train, slab, isa).unwrap();
        let expected = trained(&spec, &plan(rows, isas[0]).unfused(), isas[0], &data);
        for &isa in isas {
            let automatic = Plan::<T>::new(&spec, Task::Train, rows, isa).unwrap();
            for plan in [plan(rows, isa), plan(rows, isa).by_columns(), plan(5000, isa), automatic]
            {
                let found = trained(&spec, &plan, isa, &data);
                assert!(found == expected, "{rows} rows, {}", isa.name());
            }
        }
    }
    let all = Isa::all();
    for rows in [2, 16, 17, 257] {
        check::<f32>(rows, &all);
    }
    check::<f64>(3, &all);
    // Plain Rust, which is first and slowest, shows no more in larger ones.
    let fast = all.get(1..).filter(|fast| !fast.is_empty()).unwrap_or(&all);
    check::<f64>(300, fast);
    check::<f32>(4097, &fast[fast.len() - 1..]);
}

#[test]
fn what_a_pass_keeps_for_a_loss_of_the_callers_is_what_another_makes() {
    fn check<T: Elementary>(rows: usize) {
        let (spec, data) = (mixed(), Rows::<T>::new(rows, 5, 3));
        let isa = *Isa::all().last().unwrap();
        let state = State::<T>::new(&spec, RATE, 3, isa).unwrap();
        let plan = Plan::<T>::with_slab(&spec, Task::Train, rows, isa).unwrap();
        check_kept(&plan, &state, &data.batch(), 1);
        check_kept(&plan.by_columns(), &state, &data.batch(), 1);
    }
    check::<f32>(40);
    check::<f64>(600);
}

/// Linear, BatchNorm, tanh, Linear and the mean squared error in f64, rows by rows.
struct Naive {
    rows: usize,
    widths: [usize; 3],
    /// Weights row-major and biases, as the state exports them.
    tensors: Vec<Vec<f64>>,
}

/// What a step of it finds.
struct Found {
    loss: f64,
    gradients: Vec<Vec<f64>>,
    mean: Vec<f64>,
    variance: Vec<f64>,
    by_input: Vec<f64>,
}

impl Naive {
    /// x W^T + b.
    fn linear(&self, x: &[f64], (weight, bias): (&[f64], &[f64]), inputs: usize) -> Vec<f64> {
        let of = |row: usize, out: usize| {
            let terms = (0..inputs).map(|k| x[row * inputs + k] * weight[out * inputs + k]);
            bias[out] + terms.sum::<f64>()
        };
        let outs = bias.len();
        (0..self.rows * outs).map(|at| of(at / outs, at % outs)).collect()
    }

    /// Gradients of weight, bias and input.
    fn linear_back(&self, x: &[f64], dy: &[f64], weight: &[f64], outs: usize) -> [Vec<f64>; 3] {
        let inputs = weight.len() / outs;
        let rows = 0..self.rows;
        let dw = (0..outs * inputs).map(|at| {
            let (out, k) = (at / inputs, at % inputs);
            rows.clone().map(|row| dy[row * outs + out] * x[row * inputs + k]).sum()
        });
        let db = (0..outs).map(|out| rows.clone().map(|row| dy[row * outs + out]).sum());
        let dx = (0..self.rows * inputs).map(|at| {
            let (row, k) = (at / inputs, at % inputs);
            (0..outs).map(|out| dy[row * outs + out] * weight[out * inputs + k]).sum()
        });
        [dw.collect(), db.collect(), dx.collect()]
    }

    fn step(&self, x: &[f64], y: &[f64]) -> Found {
        let [w0, b0, w, b, w1, b1] = &self.tensors[..] else { unreachable!() };
        let [inputs, width, outs] = self.widths;
        let (rows, n) = (self.rows, self.rows as f64);
        let hidden = self.linear(x, (w0, b0), inputs);
        let sum = |of: &dyn Fn(usize) -> f64| (0..rows).map(of).sum::<f64>();
        let column = |c: usize, values: &[f64]| -> Vec<f64> {
            (0..rows).map(|row| values[row * width + c]).collect()
        };
        let (mut mean, mut variance) = (vec![0.0; width], vec![0.0; width]);
        let mut xhat = vec![0.0; rows * width];
        for c in 0..width {
            let values = column(c, &hidden);
            mean[c] = values.iter().sum::<f64>() / n;
            variance[c] = sum(&|row| (values[row] - mean[c]) * (values[row] - mean[c])) / n;
            for row in 0..rows {
                xhat[row * width + c] = (values[row] - mean[c]) / (variance[c] + EPS).sqrt();
            }
        }
        let normal: Vec<f64> =
            xhat.iter().enumerate().map(|(at, x)| x * w[at % width] + b[at % width]).collect();
        let active: Vec<f64> = normal.iter().map(|x| x.tanh()).collect();
        let output = self.linear(&active, (w1, b1), width);
        let terms = (rows * outs) as f64;
        let loss = output.iter().zip(y).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / terms;
        let dy: Vec<f64> = output.iter().zip(y).map(|(a, b)| 2.0 * (a - b) / terms).collect();
        let [dw1, db1, by_active] = self.linear_back(&active, &dy, w1, outs);
        let dnormal: Vec<f64> =
            by_active.iter().zip(&active).map(|(d, a)| d * (1.0 - a * a)).collect();
        let (mut dw, mut db) = (vec![0.0; width], vec![0.0; width]);
        let mut dhidden = vec![0.0; rows * width];
        for c in 0..width {
            let (d, x) = (column(c, &dnormal), column(c, &xhat));
            db[c] = d.iter().sum();
            dw[c] = sum(&|row| d[row] * x[row]);
            for row in 0..rows {
                let inner = d[row] - db[c] / n - x[row] * dw[c] / n;
                dhidden[row * width + c] = w[c] / (variance[c] + EPS).sqrt() * inner;
            }
        }
        let [dw0, db0, by_input] = self.linear_back(x, &dhidden, w0, width);
        Found { loss, gradients: vec![dw0, db0, dw, db, dw1, db1], mean, variance, by_input }
    }
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-3, |most: f64, x| most.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * scale, "{what}: {found} {expected}");
    }
}

fn wide<T: Elementary>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}

/// Two steps with the gradients, the update and the running statistics of naive loops.
fn check_naive<T: Elementary>(rows: usize, widths: [usize; 3], tolerance: f64) {
    let [inputs, width, outs] = widths;
    let tanh = Layer::Activation(Activation::Tanh);
    let spec = spec(vec![linear(inputs, width), norm(width, true), tanh, linear(width, outs)]);
    let (data, isa) = (Rows::<T>::new(rows, inputs, outs), *Isa::all().last().unwrap());
    let mut state = State::<T>::new(&spec, RATE, 7, isa).unwrap();
    let plan = |task| Plan::<T>::new(&spec, task, rows, isa).unwrap();
    let (train, gradients) = (plan(Task::Train), plan(Task::Gradients { input_grad: true }));
    let (mut workspace, mut memory) =
        (train.workspace(rows).unwrap(), gradients.workspace(rows).unwrap());
    let (x, y) = (wide(&data.x), wide(&data.y));
    let (mut mean, mut variance) = (vec![0.0; width], vec![1.0; width]);
    for step in 0..2 {
        let exported = state.layout.export(&state.parameters).unwrap();
        let tensors = exported.iter().map(|tensor| wide(tensor)).collect();
        let naive = Naive { rows, widths, tensors };
        let found = naive.step(&x, &y);
        let mut by_input = vec![T::ZERO; rows * inputs];
        let (head, batch) = ((Head::Loss, true), data.batch());
        let loss = gradients
            .gradients_by_input(1, &state, &mut memory, &batch, head, &mut by_input)
            .unwrap();
        assert_close(&[loss.reduced], &[found.loss], tolerance, "loss");
        assert_close(&wide(&by_input), &found.by_input, tolerance, "gradient at X");
        let made = state.layout.export(memory.gradient()).unwrap();
        for (made, found) in made.iter().zip(&found.gradients) {
            assert_close(&wide(made), found, tolerance, "gradient");
        }
        assert_eq!(running(&state)[0].batches, step, "gradients move nothing by themselves");
        train.train(1, &mut state, &mut workspace, &batch).unwrap();
        let after = state.layout.export(&state.parameters).unwrap();
        for ((after, before), gradient) in after.iter().zip(&naive.tensors).zip(&made) {
            let moved: Vec<f64> =
                before.iter().zip(wide(gradient)).map(|(w, g)| w - RATE * g).collect();
            assert_close(&wide(after), &moved, 4.0 * T::EPSILON.to_f64(), "update");
        }
        let n = rows as f64;
        for c in 0..width {
            mean[c] = 0.75 * mean[c] + 0.25 * found.mean[c];
            variance[c] = 0.75 * variance[c] + 0.25 * found.variance[c] * n / (n - 1.0);
        }
        let kept = &running(&state)[0];
        assert_close(&wide(&kept.mean), &mean, tolerance, "running mean");
        assert_close(&wide(&kept.variance), &variance, tolerance, "running variance");
    }
}

#[test]
fn steps_are_those_of_naive_loops() {
    for rows in [2, 3, 15, 16, 33, 255, 256, 257] {
        check_naive::<f64>(rows, [3, 21, 2], 1e-11);
        check_naive::<f32>(rows, [3, 21, 2], 2e-4);
    }
    for rows in [4096, 4097, 5000] {
        check_naive::<f64>(rows, [4, 3, 1], 1e-11);
    }
    check_naive::<f32>(4097, [4, 3, 1], 2e-4);
}

#[test]
fn a_step_that_is_not_applied_moves_nothing() {
    let (spec, mut data) = (mixed(), Rows::<f32>::new(20, 5, 3));
    let isa = Isa::PORTABLE;
    let mut state = State::<f32>::new(&spec, RATE, 3, isa).unwrap();
    let plan = Plan::<f32>::new(&spec, Task::Train, 20, isa).unwrap();
    let mut workspace = plan.workspace(20).unwrap();
    data.y[7] = f32::INFINITY;
    let before = running(&state);
    for plan in [plan, Plan::<f32>::new(&spec, Task::Train, 20, isa).unwrap().unfused()] {
        let loss = plan.train(1, &mut state, &mut workspace, &data.batch()).unwrap();
        assert!(!loss.is_finite() && running(&state) == before);
    }
}

#[test]
fn weights_of_rows_do_not_change_the_statistics() {
    use ironmlp::kernels::loss::RowWeights;
    let (spec, data) = (mixed(), Rows::<f64>::new(40, 5, 3));
    let isa = *Isa::all().last().unwrap();
    let moved = |weights: Option<&RowWeights>| {
        let mut state = State::<f64>::new(&spec, 0.0, 3, isa).unwrap();
        let plan = Plan::<f64>::new(&spec, Task::Train, 40, isa).unwrap();
        let mut workspace = plan.workspace(40).unwrap();
        let batch = Batch { weights, ..data.batch() };
        plan.train(1, &mut state, &mut workspace, &batch).unwrap();
        running(&state)
    };
    let weights = (0..40).map(|row| if row % 3 == 0 { 0.0 } else { f64::from(row) });
    let weights = RowWeights::new(weights.collect());
    assert!(moved(Some(&weights)) == moved(None));
}
