//! Training steps equal a scalar loop bit for bit, on every route and instruction set.
//!
//! The oracle knows nothing of panels, tiles or fusion: it writes the sums of docs/numerics.md down
//! as loops. It covers what is exact arithmetic (relu, mean squared error, SGD); elementary functions
//! have tests of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::gather::{RowOrder, Source};
use ironmlp::kernels::loss::{Loss, RowWeights};
use ironmlp::kernels::optimizer::{Adam, AdamW, Lion, Optimizer, Options, RmsProp, Sgd};
use ironmlp::kernels::reduce::BLOCK_ROWS;
use ironmlp::network::{
    Batch, Head, Init, Input, Layer, Linear, Plan, Reduction, Spec, State, StepLoss, Targets, Task,
};
use ironmlp::simd::{Isa, LANES, Real};
use ironmlp::training::{Data, Order, OwnedTargets, Pause, Sampler, TrainingRun};
use proptest::prelude::*;

fn linear(in_features: usize, out_features: usize) -> Linear {
    Linear {
        in_features,
        out_features,
        bias: true,
        init: Init::TorchLinear,
        trainable: true,
        lr_scale: 1.0,
    }
}

fn relu_network(widths: &[usize], momentum: f64) -> Spec {
    let mut layers = Vec::new();
    for pair in widths.windows(2) {
        if !layers.is_empty() {
            layers.push(Layer::Activation(Activation::Relu));
        }
        layers.push(Layer::Linear(linear(pair[0], pair[1])));
    }
    Spec {
        layers,
        loss: Some((Loss::Mse, Reduction::Mean)),
        optimizer: Optimizer::Sgd(Sgd { momentum, weight_decay: 0.0, nesterov: false }),
        options: Options::default(),
        input: Input::default(),
    }
}

fn noise<T: Real>(seed: u64, count: usize) -> Vec<T> {
    let mut x = seed;
    (0..count)
        .map(|_| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            T::from_f64((x >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        })
        .collect()
}

/// N2, as it is written: chains over blocks of 256 rows, split at the largest power of two below n.
fn over_rows<T: Real>(rows: usize, element: impl Fn(usize) -> (T, T)) -> T {
    fn tree<T: Real>(blocks: &[T]) -> T {
        match blocks {
            [] => T::ZERO,
            [one] => *one,
            _ => {
                let (older, newer) = blocks.split_at(blocks.len().next_power_of_two() / 2);
                tree(older).add(tree(newer))
            }
        }
    }
    let blocks: Vec<T> = (0..rows.div_ceil(BLOCK_ROWS))
        .map(|block| {
            let end = rows.min((block + 1) * BLOCK_ROWS);
            (block * BLOCK_ROWS..end).fold(T::ZERO, |chain, row| {
                let (x, y) = element(row);
                x.fma(y, chain)
            })
        })
        .collect();
    tree(&blocks)
}

/// The oracle: weights (out, in) and biases, velocities beside them.
struct Naive<T> {
    widths: Vec<usize>,
    tensors: Vec<Vec<T>>,
    velocities: Vec<Vec<T>>,
    lr: T,
    momentum: T,
}

impl<T: Real> Naive<T> {
    fn step(&mut self, x: &[T], y: &[T], rows: usize) -> f64 {
        let layers = self.widths.len() - 1;
        let mut activations = vec![x.to_vec()];
        for layer in 0..layers {
            let (inputs, outputs) = (self.widths[layer], self.widths[layer + 1]);
            let (weight, bias) = (&self.tensors[2 * layer], &self.tensors[2 * layer + 1]);
            let below = &activations[layer];
            let mut z = Vec::new();
            for row in 0..rows {
                for unit in 0..outputs {
                    let chain = (0..inputs).fold(bias[unit], |chain, k| {
                        below[row * inputs + k].fma(weight[unit * inputs + k], chain)
                    });
                    let passes = layer + 1 == layers || chain > T::ZERO;
                    z.push(if passes { chain } else { T::ZERO });
                }
            }
            activations.push(z);
        }
        let outputs = self.widths[layers];
        let divisor = (rows * outputs) as f64;
        let scale = T::from_f64(1.0 / divisor);
        let minus = T::from_f64(-1.0);
        let difference = |i: usize| minus.fma(y[i], activations[layers][i]);
        let mut delta: Vec<T> =
            (0..rows * outputs).map(|i| T::from_f64(2.0).mul(difference(i)).mul(scale)).collect();
        let loss = over_rows(rows, |row| {
            let mut lanes = [0.0f64; LANES];
            for unit in 0..outputs {
                let d = difference(row * outputs + unit);
                lanes[unit % LANES] += d.mul(d).to_f64();
            }
            let mut half = LANES / 2;
            while half > 0 {
                for i in 0..half {
                    lanes[i] += lanes[i + half];
                }
                half /= 2;
            }
            (lanes[0], 1.0)
        });
        let mut gradients = vec![Vec::new(); 2 * layers];
        for layer in (0..layers).rev() {
            let (inputs, outputs) = (self.widths[layer], self.widths[layer + 1]);
            let below = &activations[layer];
            for unit in 0..outputs {
                for k in 0..inputs {
                    gradients[2 * layer].push(over_rows(rows, |row| {
                        (below[row * inputs + k], delta[row * outputs + unit])
                    }));
                }
                gradients[2 * layer + 1]
                    .push(over_rows(rows, |row| (delta[row * outputs + unit], T::ONE)));
            }
            let weight = &self.tensors[2 * layer];
            let mut lower = Vec::new();
            for row in 0..rows {
                for k in 0..inputs {
                    let chain = (0..outputs).fold(T::ZERO, |chain, unit| {
                        delta[row * outputs + unit].fma(weight[unit * inputs + k], chain)
                    });
                    let open = below[row * inputs + k] > T::ZERO;
                    lower.push(if open { chain } else { T::ZERO });
                }
            }
            delta = lower;
        }
        for ((tensor, velocity), gradient) in
            self.tensors.iter_mut().zip(&mut self.velocities).zip(&gradients)
        {
            for i in 0..tensor.len() {
                velocity[i] = self.momentum.fma(velocity[i], gradient[i]);
                tensor[i] = minus.mul(self.lr).fma(velocity[i], tensor[i]);
            }
        }
        loss / divisor
    }
}

/// How a step is run.
#[derive(Clone, Copy, Debug)]
enum Route {
    Fastest,
    Fused,
    Unfused,
    Slabs,
}

fn check<T: Elementary>(widths: &[usize], rows: usize, momentum: f64, seed: u64) {
    let spec = relu_network(widths, momentum);
    spec.check().unwrap();
    let (inputs, outputs) = (spec.in_features(), spec.out_features());
    let x = noise::<T>(seed, rows * inputs);
    let y = noise::<T>(seed + 1, rows * outputs);
    let lr = 0.05;
    let steps = 3;
    let mut oracle = {
        let state = State::<T>::new(&spec, lr, seed, Isa::PORTABLE).unwrap();
        let tensors = state.layout.export(&state.parameters).expect("memory");
        let velocities = tensors.iter().map(|t| vec![T::ZERO; t.len()]).collect();
        let (lr, momentum) = (T::from_f64(lr), T::from_f64(momentum));
        Naive { widths: widths.to_vec(), tensors, velocities, lr, momentum }
    };
    let expected: Vec<f64> = (0..steps).map(|_| oracle.step(&x, &y, rows)).collect();
    let source = Source::of_slice(&x, inputs);
    for isa in Isa::all() {
        for route in [Route::Fastest, Route::Fused, Route::Unfused, Route::Slabs] {
            let mut state = State::<T>::new(&spec, lr, seed, isa).unwrap();
            let plan = match route {
                Route::Fastest => Plan::new(&spec, Task::Train, rows, isa).expect("memory"),
                Route::Fused => Plan::with_slab(&spec, Task::Train, rows, isa).expect("memory"),
                Route::Unfused => Plan::new(&spec, Task::Gradients { input_grad: true }, rows, isa)
                    .expect("memory"),
                Route::Slabs => Plan::with_slab(&spec, Task::Train, 256, isa).expect("memory"),
            };
            let mut workspace = plan.workspace(rows).unwrap();
            let (order, labels) = (RowOrder::From(0), Targets::Values(&y));
            let batch =
                Batch { source, order, rows, targets: labels, weights: None, standards: None };
            for (step, expected) in expected.iter().enumerate() {
                let loss = if let Route::Unfused = route {
                    let head = Head::Loss;
                    let loss =
                        plan.gradients(1, &state, &mut workspace, &batch, head, true).unwrap();
                    plan.apply(1, &mut state, workspace.gradient()).unwrap();
                    loss
                } else {
                    plan.train(1, &mut state, &mut workspace, &batch).unwrap()
                };
                assert_eq!(
                    loss.reduced,
                    *expected,
                    "{} {route:?} {widths:?} loss of step {step}",
                    isa.name()
                );
            }
            for (found, expected) in
                state.layout.export(&state.parameters).expect("memory").iter().zip(&oracle.tensors)
            {
                assert_eq!(found, expected, "{} {route:?} {widths:?}", isa.name());
            }
        }
    }
}

#[test]
fn steps_are_the_scalar_loop() {
    for (seed, (widths, rows)) in [
        (&[2, 3, 2, 1][..], 4),
        (&[1, 1], 1),
        (&[30, 64, 64, 1], 32),
        (&[17, 33, 5], 7),
        (&[3, 16, 48, 16, 2], 129),
        (&[40, 20, 10], 300),
        (&[5, 7, 3], 1500),
        // Panels 2 KB apart, in f64, so with a cache line between them.
        (&[16, 2], 600),
        (&[32, 16, 2], 1100),
    ]
    .into_iter()
    .enumerate()
    {
        check::<f32>(widths, rows, 0.9, seed as u64);
        check::<f64>(widths, rows, 0.0, seed as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_network_is_the_scalar_loop(
        widths in prop::collection::vec(1usize..40, 2..5),
        rows in 1usize..90,
        seed: u16,
    ) {
        check::<f32>(&widths, rows, 0.5, u64::from(seed));
        check::<f64>(&widths, rows, 0.5, u64::from(seed));
    }
}

/// Bits of the losses of three steps, of one call or of a call each, and of the parameters after them.
fn trained<T: Elementary>(
    plan: &Plan<T>,
    spec: &Spec,
    isa: Isa,
    batch: &Batch<'_, T>,
    one_call: bool,
) -> (Vec<u64>, Vec<u64>) {
    let mut state = State::<T>::new(spec, 0.05, 7, isa).unwrap();
    let mut workspace = plan.workspace(batch.rows).unwrap();
    let mut losses = Vec::new();
    let mut each = |_: &mut State<T>, loss: StepLoss| {
        losses.extend([loss.reduced.to_bits(), loss.penalty.to_bits()]);
    };
    if one_call {
        plan.train_again(1, &mut state, &mut workspace, batch, 3, &mut each).unwrap();
    } else {
        for _ in 0..3 {
            let loss = plan.train(1, &mut state, &mut workspace, batch).unwrap();
            each(&mut state, loss);
        }
    }
    assert_eq!(state.clock.steps, 3);
    let parameters = state.layout.export(&state.parameters).expect("memory").concat();
    (losses, parameters.iter().map(|x| x.to_f64().to_bits()).collect())
}

/// Networks that fit into L1 have a route of their own; the general one is its oracle.
fn check_tiny<T: Elementary>(
    widths: &[usize],
    activation: Activation,
    (loss, reduction): (&Loss, Reduction),
    rows: usize,
) {
    const ROWS: usize = 700;
    let mut spec = relu_network(widths, 0.9);
    for layer in &mut spec.layers {
        if let Layer::Activation(place) = layer {
            *place = activation;
        }
    }
    spec.loss = Some((loss.clone(), reduction));
    let (betas, eps, weight_decay) = ((0.9, 0.999), 1e-8, 0.01);
    spec.optimizer = match rows % 5 {
        0 => Optimizer::Adam(Adam { betas, eps, weight_decay, eps_hat: false }),
        1 => Optimizer::AdamW(AdamW { betas, eps, weight_decay }),
        2 => Optimizer::Lion(Lion { betas, weight_decay }),
        3 => Optimizer::RmsProp(RmsProp {
            alpha: 0.9,
            eps,
            weight_decay,
            momentum: 0.5,
            centered: true,
        }),
        _ => spec.optimizer,
    };
    if rows % 2 == 1 {
        spec.options = Options { l2: 0.3, ..spec.options };
    }
    spec.check().unwrap();
    let (inputs, outputs) = (spec.in_features(), spec.out_features());
    let x = noise::<T>(1, ROWS * inputs);
    let y: Vec<T> = (0..ROWS * spec.targets()).map(|i| T::from_f64((i % 3) as f64 / 2.0)).collect();
    let classes: Vec<i32> =
        (0..ROWS).map(|i| if i % 11 == 5 { -1 } else { (i % outputs) as i32 }).collect();
    let weights = RowWeights::new((0..ROWS).map(|i| (i % 4) as f64).collect());
    let order: Vec<u32> = (0..rows).map(|i| (i * 263 % ROWS) as u32).collect();
    let values = Targets::Values(&y);
    let labels = match loss {
        Loss::SoftmaxCrossEntropy { .. } => vec![values, Targets::Classes(&classes)],
        _ => vec![values],
    };
    for labels in labels {
        for weights in [None, Some(&weights)] {
            let order = RowOrder::List(&order);
            let batch = Batch {
                source: Source::of_slice(&x, inputs),
                order,
                rows,
                targets: labels,
                weights,
                standards: None,
            };
            let slab = rows.div_ceil(256).next_power_of_two() * 256;
            let oracle =
                Plan::<T>::with_slab(&spec, Task::Train, slab, Isa::PORTABLE).expect("memory");
            let expected = trained(&oracle, &spec, Isa::PORTABLE, &batch, false);
            for isa in Isa::all() {
                let plan = Plan::<T>::new(&spec, Task::Train, rows, isa).expect("memory");
                for one_call in [false, true] {
                    let found = trained(&plan, &spec, isa, &batch, one_call);
                    let name = isa.name();
                    assert_eq!(found, expected, "{name} {widths:?} {activation:?} {rows} rows");
                }
            }
        }
    }
}

/// A weight of 8 MB is fetched before its update, odd edges and second copy included.
#[test]
fn a_large_weight_is_trained_as_by_its_gradient() {
    let spec = relu_network(&[20, 1033, 2050, 3], 0.0);
    let (x, y) = (noise::<f32>(1, 3 * 20), noise::<f32>(2, 3 * 3));
    let batch = Batch {
        source: Source::of_slice(&x, 20),
        order: RowOrder::From(0),
        rows: 3,
        targets: Targets::Values(&y),
        weights: None,
        standards: None,
    };
    for isa in Isa::all() {
        let plan = || Plan::<f32>::new(&spec, Task::Train, 3, isa).expect("memory");
        let kept = trained(&plan().unfused(), &spec, isa, &batch, false);
        assert!(trained(&plan(), &spec, isa, &batch, false) == kept, "{}", isa.name());
    }
}

#[test]
fn tiny_networks_have_the_bits_of_the_general_route() {
    let softmax = |class_weight: &[f64], label_smoothing| Loss::SoftmaxCrossEntropy {
        class_weight: class_weight.to_vec(),
        label_smoothing,
        ignore_index: None,
    };
    let logistic = Loss::SigmoidCrossEntropy { pos_weight: vec![1.5] };
    let quantiles = |quantiles: &[f64]| Loss::Quantile { quantiles: quantiles.to_vec() };
    let poisson = Loss::PoissonOfLogRate { full: 1.0 };
    let focal = Loss::Focal { gamma: 1.5, positive: 0.3, negative: 0.7 };
    // More than 256 rows meet in the tree of sums, whatever the loss: two networks show it. Plain Rust
    // takes most of the time.
    let (few, blocks) = (&[1, 3, 4, 5, 8, 16, 17, 31][..], &[64, 256, 259, 600][..]);
    for (widths, activation, loss, batches) in [
        (&[2, 3, 2, 1][..], Activation::Sigmoid, &logistic, few),
        (&[2, 3, 2, 1], Activation::Sigmoid, &logistic, blocks),
        (&[13, 16, 8, 1], Activation::Tanh, &logistic, few),
        (&[5, 4, 9, 2], Activation::Gelu, &logistic, few),
        (&[16, 5, 1], Activation::Relu, &Loss::Huber { delta: 0.3 }, few),
        (&[3, 7, 6], Activation::Silu, &Loss::Mae, few),
        (&[4, 9, 3], Activation::Mish, &Loss::LogCosh, few),
        (&[5, 12, 2], Activation::Selu, &Loss::Mse, few),
        (&[6, 10, 3], Activation::Hardswish, &Loss::Mae, few),
        (&[4, 9, 3], Activation::Tanh, &quantiles(&[0.1, 0.5, 0.8]), few),
        (&[4, 9, 1], Activation::Tanh, &quantiles(&[0.7]), few),
        (&[4, 9, 1], Activation::Tanh, &poisson, few),
        (&[4, 9, 2], Activation::Tanh, &Loss::GaussianNll, few),
        (&[4, 9, 6], Activation::Tanh, &Loss::GaussianNll, few),
        (&[4, 9, 1], Activation::Tanh, &focal, few),
        (&[4, 16, 3], Activation::Relu, &softmax(&[0.5, 0.0, 2.0], 0.0), few),
        (&[3, 5, 16], Activation::Tanh, &softmax(&[], 0.0), few),
        (&[6, 3, 5], Activation::Sigmoid, &softmax(&[], 0.1), few),
        (&[2, 1], Activation::Relu, &softmax(&[], 0.0), few),
        (&[2, 3], Activation::Relu, &softmax(&[], 0.0), blocks),
    ] {
        for &rows in batches {
            check_tiny::<f32>(widths, activation, (loss, Reduction::Mean), rows);
            check_tiny::<f64>(widths, activation, (loss, Reduction::Mean), rows);
        }
    }
    let flags = Loss::SigmoidCrossEntropy { pos_weight: vec![] };
    let deviance = Loss::PoissonOfLogRate { full: 2.0 };
    for (widths, loss) in [
        (&[4, 9, 1][..], &flags),
        (&[4, 9, 3], &flags),
        (&[4, 9, 3], &softmax(&[], 0.0)),
        (&[4, 9, 1], &Loss::Mse),
        (&[4, 9, 2], &Loss::Mse),
        (&[4, 9, 2], &deviance),
    ] {
        for rows in [3, 16, 31, 259] {
            check_tiny::<f32>(widths, Activation::Relu, (loss, Reduction::Rows), rows);
            check_tiny::<f64>(widths, Activation::Relu, (loss, Reduction::Rows), rows);
        }
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_the_steps_of_one_call() {
    // Two networks: of one chunk of rows in one kernel, and by single steps.
    for (widths, rows) in [(&[2, 3, 1][..], 4), (&[2, 20, 1], 4), (&[2, 3, 1], 40)] {
        let spec = relu_network(widths, 0.0);
        let x = vec![1e10_f32; 2 * rows];
        let y = vec![1.0; rows];
        let labels = Targets::Values(&y);
        let source = Source::of_slice(&x, 2);
        let batch = Batch {
            source,
            order: RowOrder::From(0),
            rows,
            targets: labels,
            weights: None,
            standards: None,
        };
        for isa in Isa::all() {
            let plan = Plan::<f32>::new(&spec, Task::Train, rows, isa).expect("memory");
            let mut state = State::<f32>::new(&spec, 1e3, 7, isa).unwrap();
            let mut workspace = plan.workspace(rows).unwrap();
            let mut told = 0;
            let mut each = |state: &mut State<f32>, loss: StepLoss| {
                assert!(loss.is_finite());
                told += 1;
                // Of an update that has begun.
                assert_eq!(state.clock.steps, told);
            };
            let last = plan.train_again(1, &mut state, &mut workspace, &batch, 9, &mut each);
            assert!(
                !last.unwrap().is_finite() && (1..9).contains(&told),
                "{} {widths:?}",
                isa.name()
            );
            assert_eq!(state.clock.steps, told, "{} {widths:?}", isa.name());
        }
    }
}

#[test]
fn frozen_layers_stay_and_gradients_reach_below_them() {
    let mut spec = relu_network(&[6, 5, 4, 3], 0.0);
    for (layer, frozen) in [(0, true), (2, false), (4, true)] {
        if let Layer::Linear(linear) = &mut spec.layers[layer] {
            linear.trainable = !frozen;
        }
    }
    let x = noise::<f64>(1, 10 * 6);
    let y = noise::<f64>(2, 10 * 3);
    let source = Source::of_slice(&x, 6);
    for isa in Isa::all() {
        let mut state = State::<f64>::new(&spec, 0.1, 3, isa).unwrap();
        let before = state.layout.export(&state.parameters).expect("memory");
        let labels = Targets::Values(&y);
        let batch = Batch {
            source,
            order: RowOrder::From(0),
            rows: 10,
            targets: labels,
            weights: None,
            standards: None,
        };
        let train = Plan::new(&spec, Task::Train, 10, isa).expect("memory");
        let kept = Plan::new(&spec, Task::Gradients { input_grad: true }, 10, isa).expect("memory");
        let mut workspace = train.workspace(10).unwrap();
        let mut kept_workspace = kept.workspace(10).unwrap();
        for _ in 0..3 {
            train.train(1, &mut state, &mut workspace, &batch).unwrap();
        }
        let after = state.layout.export(&state.parameters).expect("memory");
        for (tensor, changes) in [false, false, true, true, false, false].into_iter().enumerate() {
            assert_eq!(before[tensor] != after[tensor], changes, "tensor {tensor}");
        }
        // The gradients below a layer that training leaves alone use today's weights.
        let mut input_grad = [0.0; 60];
        let head = (Head::Loss, false);
        kept.gradients_by_input(1, &state, &mut kept_workspace, &batch, head, &mut input_grad)
            .unwrap();
        let gradient = state.layout.export(kept_workspace.gradient()).expect("memory");
        let loss = |x: &[f64], tensors: &[Vec<f64>]| {
            let mut state = State::<f64>::new(&spec, 0.1, 3, isa).unwrap();
            state.set_parameters(tensors, isa);
            let source = Source::of_slice(x, 6);
            let batch = Batch { source, ..batch };
            let plan = Plan::new(&spec, Task::Forward, 10, isa).expect("memory");
            let mut workspace = plan.workspace(10).unwrap();
            let mut outputs = vec![0.0; 10 * 3];
            plan.evaluate(1, &state, &mut workspace, &batch, &mut outputs).unwrap().mean
        };
        let h = 1e-6;
        let close = |found: f64, up: f64, down: f64| {
            let expected = (up - down) / (2.0 * h);
            assert!((found - expected).abs() < 1e-8, "{found} is not {expected}");
        };
        for tensor in 0..after.len() {
            let (mut up, mut down) = (after.clone(), after.clone());
            up[tensor][0] += h;
            down[tensor][0] -= h;
            close(gradient[tensor][0], loss(&x, &up), loss(&x, &down));
        }
        let (mut up, mut down) = (x.clone(), x.clone());
        up[7] += h;
        down[7] -= h;
        close(input_grad[7], loss(&up, &after), loss(&down, &after));
    }
}

#[test]
fn a_run_pauses_and_goes_on_with_the_same_bits() {
    let spec = relu_network(&[4, 8, 2], 0.9);
    let x = noise::<f32>(5, 50 * 4);
    let y = noise::<f32>(6, 50 * 2);
    let isa = Isa::chosen().unwrap();
    let plan = Arc::new(Plan::new(&spec, Task::Train, 8, isa).expect("memory"));
    let train = |cuts: &[usize], slice: Duration, stop: bool| {
        let mut state = State::<f32>::new(&spec, 0.01, 11, isa).unwrap();
        let mut losses = Vec::new();
        for &epochs in cuts {
            let source = Source::of_slice(&x, 4);
            let data = Data {
                source,
                targets: OwnedTargets::Values(y.clone()),
                weights: None,
                standards: None,
                copied: None,
            };
            let sampler = Sampler::new(50, 8, Order::Seeded).unwrap();
            let workspace = plan.workspace(8).unwrap();
            let mut run =
                TrainingRun::new(plan.clone(), workspace, data, sampler, epochs, 1).unwrap();
            let mut pauses = 0;
            while run.advance(&mut state, Instant::now() + slice, stop).unwrap() != Pause::Done {
                pauses += 1;
            }
            assert!(pauses > 0 || !(stop || slice.is_zero()));
            losses.extend_from_slice(run.losses());
        }
        assert_eq!(state.epoch, 10);
        assert_eq!(state.clock.steps, 70);
        (losses, state.layout.export(&state.parameters).expect("memory"))
    };
    let whole = train(&[10], Duration::from_secs(60), false);
    assert_eq!(whole.0.len(), 10);
    assert!(whole.0[9] < whole.0[0]);
    assert_eq!(train(&[4, 6], Duration::from_secs(60), true), whole);
    assert_eq!(train(&[10], Duration::ZERO, false), whole);
}

#[test]
fn a_loss_that_is_not_finite_is_not_applied() {
    let spec = relu_network(&[2, 4, 1], 0.0);
    let isa = Isa::chosen().unwrap();
    let x = [1e30f32, 1e30, -1e30, 1e30];
    let y = [0.0f32, 1.0];
    let source = Source::of_slice(&x, 2);
    let labels = Targets::Values(&y);
    let batch = Batch {
        source,
        order: RowOrder::From(0),
        rows: 2,
        targets: labels,
        weights: None,
        standards: None,
    };
    let mut state = State::<f32>::new(&spec, 0.1, 3, isa).unwrap();
    let before = state.layout.export(&state.parameters).expect("memory");
    let plan = Plan::new(&spec, Task::Train, 2, isa).expect("memory");
    let mut workspace = plan.workspace(2).unwrap();
    let loss = plan.train(1, &mut state, &mut workspace, &batch).unwrap();
    assert!(!loss.is_finite());
    assert_eq!(state.layout.export(&state.parameters).expect("memory"), before);
    assert_eq!(state.clock.steps, 0);
}

#[test]
fn specs_that_do_not_fit_are_refused() {
    let mut spec = relu_network(&[4, 8, 2], 0.0);
    if let Layer::Linear(linear) = &mut spec.layers[2] {
        linear.in_features = 7;
    }
    assert_eq!(spec.check().unwrap_err().to_string(), "layer 2: Linear takes 7 features, gets 8");
    spec.layers.clear();
    assert!(spec.check().is_err());
    let huge = relu_network(&[1 << 40, 1 << 40], 0.0);
    assert!(huge.check().is_err());
    let large = relu_network(&[1 << 24, 1 << 24], 0.0);
    large.check().unwrap();
    let message = State::<f32>::new(&large, 0.1, 0, Isa::PORTABLE).unwrap_err().to_string();
    assert!(message.contains("bytes"), "{message}");
}

/// The loss of a caller takes the general route in slabs, also where training is a network's own.
#[test]
fn a_loss_of_the_callers_is_the_scalar_loop_too() {
    let (widths, rows) = ([2, 3, 1], 600);
    let spec = relu_network(&widths, 0.9);
    let (x, y) = (noise::<f32>(1, rows * 2), noise::<f32>(2, rows));
    for isa in Isa::all() {
        let mut state = State::<f32>::new(&spec, 0.05, 3, isa).unwrap();
        let tensors = state.layout.export(&state.parameters).expect("memory");
        let velocities = tensors.iter().map(|t| vec![0.0; t.len()]).collect();
        let (lr, momentum, widths) = (0.05, 0.9, widths.to_vec());
        let mut oracle = Naive { widths, tensors, velocities, lr, momentum };
        let plan = Arc::new(Plan::new(&spec, Task::Train, rows, isa).expect("memory"));
        let workspace = plan.workspace(rows).unwrap();
        let data = Data {
            source: Source::of_slice(&x, 2),
            targets: OwnedTargets::Values(y.clone()),
            weights: None,
            standards: None,
            copied: None,
        };
        let sampler = Sampler::new(rows, rows, Order::Kept).unwrap();
        let mut run = TrainingRun::new(plan, workspace, data, sampler, 2, 1).unwrap();
        let scale = (1.0 / rows as f64) as f32;
        while let Some((outputs, _)) = run.next_batch(&state).unwrap() {
            let grad: Vec<f32> =
                outputs.iter().zip(&y).map(|(o, y)| 2.0 * (-1.0f32).fma(*y, *o) * scale).collect();
            let loss = oracle.step(&x, &y, rows);
            run.finish_batch(&mut state, loss, &grad).unwrap();
        }
        assert_eq!(state.clock.steps, 2);
        let tensors = state.layout.export(&state.parameters).expect("memory");
        assert_eq!(tensors, oracle.tensors, "{}", isa.name());
    }
}

/// A batch of `rows` rows of an untrained network 2-20-1, by the gradients of a plan with such slabs.
fn gradients_in_slabs(slab: usize, rows: usize) {
    let spec = relu_network(&[2, 20, 1], 0.0);
    let (x, y) = (noise::<f32>(1, rows * 2), noise::<f32>(2, rows));
    let (source, labels) = (Source::of_slice(&x, 2), Targets::Values(&y));
    let batch = Batch {
        source,
        order: RowOrder::From(0),
        rows,
        targets: labels,
        weights: None,
        standards: None,
    };
    let task = Task::Gradients { input_grad: false };
    let plan = Plan::with_slab(&spec, task, slab, Isa::PORTABLE).expect("memory");
    let state = State::<f32>::new(&spec, 0.1, 3, Isa::PORTABLE).unwrap();
    let mut workspace = plan.workspace(rows).unwrap();
    plan.gradients(1, &state, &mut workspace, &batch, Head::Loss, false).unwrap();
}

#[test]
fn slabs_of_any_size_hold_a_whole_batch() {
    gradients_in_slabs(100, 100);
    gradients_in_slabs(256, 300);
}

#[test]
#[should_panic(expected = "slabs of 100 rows break N2")]
fn slabs_that_do_not_meet_in_the_tree_are_refused() {
    gradients_in_slabs(100, 101);
}

#[test]
#[should_panic(expected = "a slab of 1152921504606846976 rows")]
fn slabs_larger_than_any_tree_are_refused() {
    gradients_in_slabs(1 << 60, 1);
}

/// A forward pass with the plan of one network, the state of a second and the workspace of a third.
fn mixed(plan: &[usize], state: &[usize], workspace: &[usize]) {
    let spec = relu_network(plan, 0.0);
    let isa = Isa::PORTABLE;
    let other = Plan::new(&relu_network(workspace, 0.0), Task::Forward, 4, isa).expect("memory");
    let plan = Plan::new(&spec, Task::Forward, 4, isa).expect("memory");
    let state = State::<f32>::new(&relu_network(state, 0.0), 0.1, 3, isa).unwrap();
    let mut workspace = other.workspace(4).unwrap();
    let x = noise::<f32>(1, 4 * spec.in_features());
    let source = Source::of_slice(&x, spec.in_features());
    let batch = Batch {
        source,
        order: RowOrder::From(0),
        rows: 4,
        targets: Targets::None,
        weights: None,
        standards: None,
    };
    let mut out = vec![0.0; 4 * spec.out_features()];
    plan.forward(1, &state, &mut workspace, &batch, false, &mut out).unwrap();
}

#[test]
fn plans_of_one_network_are_for_all_its_states_and_workspaces() {
    mixed(&[3, 20, 2], &[3, 20, 2], &[3, 20, 2]);
}

#[test]
#[should_panic(expected = "the state is another network's")]
fn a_state_of_another_network_is_refused() {
    mixed(&[3, 20, 2], &[3, 2], &[3, 20, 2]);
}

#[test]
#[should_panic(expected = "the workspace is another plan's")]
fn a_workspace_of_another_plan_is_refused() {
    mixed(&[3, 20, 2], &[3, 20, 2], &[3, 2]);
}

/// Losses read the output of a class's number: no class is beyond them.
#[test]
fn classes_without_an_output_are_refused() {
    let isa = Isa::PORTABLE;
    let x = noise::<f32>(1, 2 * 3);
    for (hidden, classes) in [(4, [0, 2]), (4, [2, i32::MAX]), (20, [0, 2]), (20, [-1, 2])] {
        let mut spec = relu_network(&[3, hidden, 2], 0.0);
        let softmax = Loss::SoftmaxCrossEntropy {
            class_weight: Vec::new(),
            label_smoothing: 0.0,
            ignore_index: None,
        };
        spec.loss = Some((softmax, Reduction::Mean));
        let plan = Plan::new(&spec, Task::Train, 2, isa).expect("memory");
        let mut state = State::<f32>::new(&spec, 0.1, 3, isa).unwrap();
        let mut workspace = plan.workspace(2).unwrap();
        let (source, labels) = (Source::of_slice(&x, 3), Targets::Classes(&classes));
        let batch = Batch {
            source,
            order: RowOrder::From(0),
            rows: 2,
            targets: labels,
            weights: None,
            standards: None,
        };
        let error = plan.train(1, &mut state, &mut workspace, &batch).unwrap_err().to_string();
        assert!(error.contains("of 2"), "{error}");
        assert_eq!(state.clock.steps, 0);
    }
}
