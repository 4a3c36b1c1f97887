//! A run that holds rows out trains as one over the others alone, and sees what `Plan::evaluate` does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::gather::{RowOrder, Source};
use ironmlp::kernels::loss::{Loss, RowWeights};
use ironmlp::kernels::optimizer::{Adam, Optimizer, Options};
use ironmlp::network::{
    Batch, Init, Input, Layer, Linear, Plan, Reduction, Spec, State, Targets, Task,
};
use ironmlp::simd::Isa;
use ironmlp::training::{
    Data, Order, OwnedTargets, Pause, Sampler, Score, TrainingRun, Validation, Watched, evaluate,
};

const COLS: usize = 3;
const ROWS: usize = 40;

fn spec(hidden: usize) -> Spec {
    let linear = |in_features, out_features| {
        let (bias, init) = (true, Init::TorchLinear);
        let (trainable, lr_scale) = (true, 1.0);
        Layer::Linear(Linear { in_features, out_features, bias, init, trainable, lr_scale })
    };
    let loss = Loss::SoftmaxCrossEntropy {
        class_weight: Vec::new(),
        label_smoothing: 0.0,
        ignore_index: None,
    };
    let adam = Adam { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, eps_hat: false };
    Spec {
        layers: vec![linear(COLS, hidden), Layer::Activation(Activation::Tanh), linear(hidden, 4)],
        loss: Some((loss, Reduction::Mean)),
        optimizer: Optimizer::Adam(adam),
        options: Options::default(),
        input: Input::default(),
    }
}

fn data<'x>(x: &'x [f32], classes: &[i32], weights: &[f64]) -> Data<'x, f32> {
    Data {
        source: Source::of_slice(x, COLS),
        targets: OwnedTargets::Classes(classes.to_vec()),
        weights: Some(RowWeights::new(weights.to_vec())),
        standards: None,
        copied: None,
    }
}

fn train(mut run: TrainingRun<'_, f32>, state: &mut State<f32>) -> Vec<f64> {
    while run.advance(state, Instant::now(), false).unwrap() != Pause::Done {}
    run.losses().to_vec()
}

#[test]
fn rows_that_are_held_out_are_seen_and_not_trained_on() {
    let x: Vec<f32> = (0..ROWS * COLS).map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0).collect();
    let classes: Vec<i32> = (0..ROWS as i32).map(|i| i * 7 % 4).collect();
    let weights: Vec<f64> = (0..ROWS).map(|i| (i % 5) as f64).collect();
    let held: Vec<u32> = (0..ROWS as u32).filter(|row| row % 4 == 1).collect();
    let trained: Vec<u32> = (0..ROWS as u32).filter(|row| row % 4 != 1).collect();
    let of = |row: &u32| *row as usize;
    let alone_x: Vec<f32> =
        trained.iter().flat_map(|row| x[of(row) * COLS..(of(row) + 1) * COLS].to_vec()).collect();
    let alone_classes: Vec<i32> = trained.iter().map(|row| classes[of(row)]).collect();
    let alone_weights: Vec<f64> = trained.iter().map(|row| weights[of(row)]).collect();
    let isa = Isa::chosen().unwrap();
    let (epochs, every) = (7, 3);
    for (hidden, batch) in [(5, 8), (5, trained.len()), (33, 8), (33, trained.len())] {
        let spec = spec(hidden);
        let plan = Arc::new(Plan::new(&spec, Task::Train, batch, isa).expect("memory"));
        let forward = Arc::new(Plan::new(&spec, Task::Forward, 64, isa).expect("memory"));
        let new = || State::<f32>::new(&spec, 0.05, 3, isa).unwrap();
        let (loss, reduction) = spec.loss.as_ref().unwrap();
        let score = Score::of(loss, *reduction);

        let mut alone = new();
        let sampler = Sampler::new(trained.len(), batch, Order::Seeded).unwrap();
        let only = data(&alone_x, &alone_classes, &alone_weights);
        let workspace = plan.workspace(batch).unwrap();
        let run = TrainingRun::new(plan.clone(), workspace, only, sampler, epochs, 1).unwrap();
        let losses = train(run, &mut alone);

        let mut state = new();
        let sampler = Sampler::among(trained.clone(), batch, Order::Seeded).unwrap();
        let watched = Watched::HeldOut(held.clone());
        let memory = forward.workspace(held.len()).unwrap();
        let validation = Validation::new(
            isa,
            forward.clone(),
            memory,
            watched,
            every,
            (true, Some(score)),
            || false,
        )
        .unwrap();
        let all = data(&x, &classes, &weights);
        let workspace = plan.workspace(batch).unwrap();
        let mut run = TrainingRun::new(plan.clone(), workspace, all, sampler, epochs, 1)
            .unwrap()
            .validated(validation);
        let mut expected = Vec::new();
        let all = data(&x, &classes, &weights);
        let order = RowOrder::List(&held);
        let seen =
            Batch { order, rows: held.len(), targets: Targets::Classes(&classes), ..all.all() };
        // Only the ends of epochs are to pause it.
        let far = Instant::now() + Duration::from_secs(600);
        while run.advance(&mut state, far, true).unwrap() != Pause::Done {
            expected.push(evaluated(&forward, isa, &state, &seen, score));
        }
        expected.push(evaluated(&forward, isa, &state, &seen, score));
        assert_eq!(run.losses(), losses);
        let tensors = |state: &State<f32>| state.layout.export(&state.parameters).expect("memory");
        assert_eq!(tensors(&state), tensors(&alone));
        for (column, which) in run.validation().unwrap().columns().iter().flatten().zip([0, 1]) {
            for (epoch, (&found, must)) in column.values.iter().zip(&expected).enumerate() {
                let due = (epoch + 1) % every as usize == 0;
                assert!(if due { found == must[which] } else { found.is_nan() }, "{epoch}");
            }
            assert_eq!(column.values.len(), epochs);
        }
    }
}

fn evaluated(
    plan: &Plan<f32>,
    isa: Isa,
    state: &State<f32>,
    batch: &Batch<'_, f32>,
    score: Score,
) -> [f64; 2] {
    let mut workspace = plan.workspace(batch.rows).unwrap();
    let mut outputs = vec![0.0; batch.rows * plan.outputs()];
    let found = evaluate(plan, isa, 1, state, &mut workspace, batch, Some(score), &mut outputs);
    let (loss, score) = found.unwrap();
    [loss, score]
}
