//! A loss of the caller's: what a pass to the outputs keeps gives the bits of a pass that is made again.

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::gather::{RowOrder, Source};
use ironmlp::kernels::optimizer::{Adam, Optimizer, Options, Sgd};
use ironmlp::network::{
    Batch, Dropout, Head, Init, Input, Layer, Linear, Plan, Spec, State, Targets, Task,
};
use ironmlp::simd::Isa;
use ironmlp::training::{Data, Order, OwnedTargets, Sampler, StreamRun, TrainingRun};

use std::sync::Arc;

/// Compares both ways back of a plan with one workspace, in which another pass has been before.
pub fn check_kept<T: Elementary>(
    plan: &Plan<T>,
    state: &State<T>,
    batch: &Batch<'_, T>,
    threads: usize,
) {
    let mut workspace = plan.workspace(batch.rows).unwrap();
    let mut made = |outputs: &mut Vec<T>, kept: bool| {
        if kept {
            plan.forward_kept(threads, state, &mut workspace, batch, true, outputs).unwrap()
        } else {
            plan.forward(threads, state, &mut workspace, batch, true, outputs).unwrap();
            false
        }
    };
    let mut outputs = vec![T::ZERO; batch.rows * plan.outputs()];
    let mut again = outputs.clone();
    made(&mut again, false);
    let kept = made(&mut outputs, true);
    assert!(kept, "{} rows", batch.rows);
    assert!(outputs == again);
    let grad: Vec<T> = outputs.iter().map(|y| y.mul(*y).add(T::from_f64(-0.3))).collect();
    let mut gradients = |head| {
        plan.gradients(threads, state, &mut workspace, batch, head, true).unwrap();
        state.layout.export(workspace.gradient()).unwrap()
    };
    let found = gradients(Head::Kept(&grad));
    assert!(found == gradients(Head::Gradient(&grad)));
}

fn network(widths: &[usize], optimizer: Optimizer) -> Spec {
    let mut layers = Vec::new();
    for (place, pair) in widths.windows(2).enumerate() {
        let &[in_features, out_features] = pair else { unreachable!() };
        let (bias, init) = (true, Init::TorchLinear);
        if place > 0 {
            layers.push(Layer::Activation(Activation::Tanh));
            layers.push(Layer::Dropout(Dropout { p: 0.2 }));
        }
        let (trainable, lr_scale) = (true, 1.0);
        layers.push(Layer::Linear(Linear {
            in_features,
            out_features,
            bias,
            init,
            trainable,
            lr_scale,
        }));
    }
    Spec { layers, loss: None, optimizer, options: Options::default(), input: Input::default() }
}

fn optimizers() -> [Optimizer; 2] {
    [
        Optimizer::Sgd(Sgd { momentum: 0.0, weight_decay: 0.01, nesterov: false }),
        Optimizer::Adam(Adam { betas: (0.9, 0.99), eps: 1e-6, weight_decay: 0.0, eps_hat: false }),
    ]
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 37 % 101) as f32 / 101.0 - 0.4).collect()
}

/// The caller's loss: its gradient at the outputs.
fn gradient(outputs: &[f32]) -> Vec<f32> {
    outputs.iter().map(|y| y * 0.01 + 0.02).collect()
}

/// Parameters after two epochs in which every step makes its forward pass twice.
fn by_hand(spec: &Spec, x: &[f32], cuts: &[usize], isa: Isa) -> Vec<Vec<f32>> {
    let mut state = State::<f32>::new(spec, 0.1, 3, isa).unwrap();
    let (most, cols) = (cuts.iter().copied().max().unwrap(), spec.in_features());
    let plan = Plan::with_slab(spec, Task::Train, most, isa).unwrap().unfused();
    let mut workspace = plan.workspace(most).unwrap();
    for _ in 0..2 {
        let mut first = 0;
        for &rows in cuts {
            let (source, order) = (Source::of_slice(x, cols), RowOrder::From(first));
            let batch = Batch {
                source,
                order,
                rows,
                targets: Targets::None,
                weights: None,
                standards: None,
            };
            let mut outputs = vec![0.0; rows * plan.outputs()];
            plan.forward(1, &state, &mut workspace, &batch, true, &mut outputs).unwrap();
            let grad = gradient(&outputs);
            plan.gradients(1, &state, &mut workspace, &batch, Head::Gradient(&grad), true).unwrap();
            plan.apply(1, &mut state, workspace.gradient()).unwrap();
            first += rows;
        }
        state.epoch += 1;
    }
    state.layout.export(&state.parameters).unwrap()
}

#[test]
fn a_run_and_a_stream_keep_activations_and_give_the_same_bits() {
    let rows = 150;
    for (widths, optimizer) in
        [[7, 40, 3], [5, 4, 2]].into_iter().flat_map(|w| optimizers().map(|o| (w, o)))
    {
        let spec = network(&widths, optimizer);
        let (x, cols) = (numbers(rows * widths[0]), widths[0]);
        for isa in Isa::all() {
            let expected = by_hand(&spec, &x, &[64, 64, 22], isa);
            let data = |first: usize, rows: usize| Data {
                source: Source::of_slice(&x[first * cols..(first + rows) * cols], cols),
                targets: OwnedTargets::<f32>::None,
                weights: None,
                standards: None,
                copied: None,
            };
            let plan = Arc::new(Plan::new(&spec, Task::Train, 64, isa).unwrap());
            let mut state = State::<f32>::new(&spec, 0.1, 3, isa).unwrap();
            let workspace = plan.workspace(64).unwrap();
            let sampler = Sampler::new(rows, 64, Order::Kept).unwrap();
            let mut run =
                TrainingRun::new(Arc::clone(&plan), workspace, data(0, rows), sampler, 2, 1)
                    .unwrap();
            while let Some((outputs, _)) = run.next_batch(&state).unwrap() {
                run.finish_batch(&mut state, 0.5, &gradient(&outputs)).unwrap();
            }
            assert_eq!(run.losses(), [0.5; 2]);
            assert!(state.layout.export(&state.parameters).unwrap() == expected);

            let mut state = State::<f32>::new(&spec, 0.1, 3, isa).unwrap();
            let mut workspace = plan.workspace(64).unwrap();
            let mut run = StreamRun::new(isa, 1, 2, None, false).unwrap();
            for _ in 0..2 {
                for (first, rows) in [(0, 64), (64, 64), (128, 22)] {
                    let data = data(first, rows);
                    let (outputs, kept) =
                        run.outputs(&plan, &mut workspace, &state, &data).unwrap();
                    let found = (0.5, &gradient(&outputs)[..], kept);
                    run.finish(&plan, &mut workspace, &mut state, &data, found).unwrap();
                }
                run.end_epoch(&mut state).unwrap();
            }
            assert_eq!(run.losses(), [0.5; 2]);
            assert!(state.layout.export(&state.parameters).unwrap() == expected);
        }
    }
}

#[test]
fn what_has_several_slabs_is_not_kept() {
    let spec = network(&[5, 4, 2], optimizers()[0]);
    let (x, rows) = (numbers(600 * 5), 600);
    let isa = Isa::PORTABLE;
    let plan = Plan::<f32>::with_slab(&spec, Task::Train, 256, isa).unwrap();
    let state = State::<f32>::new(&spec, 0.1, 3, isa).unwrap();
    let mut workspace = plan.workspace(rows).unwrap();
    let (source, order) = (Source::of_slice(&x, 5), RowOrder::From(0));
    let batch =
        Batch { source, order, rows, targets: Targets::None, weights: None, standards: None };
    let mut outputs = vec![0.0; rows * 2];
    assert!(!plan.forward_kept(1, &state, &mut workspace, &batch, true, &mut outputs).unwrap());
}
