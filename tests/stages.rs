//! Ops on images give the same bits together, band by band, as each by itself, and a Linear layer the same
//! bits of images as of rows: a trace keeps every tensor and goes op by op, the other plans do not.

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::convolution::Stencil;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::gather::{RowOrder, Source};
use ironmlp::kernels::images::ImageShape;
use ironmlp::kernels::loss::Loss;
use ironmlp::kernels::optimizer::{Adam, Lion, Optimizer, Options, Sgd};
use ironmlp::kernels::pooling::{Pool, PoolKind};
use ironmlp::network::{
    Batch, Conv2d, Dropout, Head, Init, Input, Layer, Linear, Plan, Prelu, Reduction, Shape, Spec,
    State, Targets, Task, Workspace,
};
use ironmlp::runtime::{pool::chunks_of_workers, team};
use ironmlp::simd::Isa;

use crate::own_loss::check_kept;
use crate::stages_batch_norm::{check_behind_images, check_on_images};

pub fn stencil(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Stencil {
    Stencil { kernel, stride, padding, dilation }
}

pub fn conv(channels: (usize, usize), groups: usize, rows: Stencil, cols: Stencil) -> Layer {
    Layer::Conv2d(Conv2d {
        in_channels: channels.0,
        out_channels: channels.1,
        rows,
        cols,
        groups,
        bias: true,
        init: Init::TorchLinear,
        trainable: true,
        lr_scale: 1.0,
    })
}

pub fn pool(kind: PoolKind, kernel: usize, stride: usize) -> Layer {
    Layer::Pool(Pool { kind, kernel: (kernel, kernel), stride: (stride, stride) })
}

fn slopes(slopes: usize) -> Layer {
    Layer::Prelu(Prelu { slopes, init: 0.25, trainable: true, lr_scale: 1.0 })
}

/// A network of these layers, and of a Linear one with so many outputs behind them.
pub fn network(mut layers: Vec<Layer>, image: ImageShape, outputs: usize) -> Spec {
    layers.push(Layer::Flatten);
    let mut spec = Spec {
        layers,
        loss: Some((Loss::Mse, Reduction::Mean)),
        optimizer: Optimizer::Sgd(Sgd { momentum: 0.0, weight_decay: 0.0, nesterov: false }),
        options: Options::default(),
        input: Input::default(),
    };
    let shapes = spec.shapes(Some(image)).expect("layers that fit");
    spec.layers.push(Layer::Linear(Linear {
        in_features: shapes.last().copied().map_or(0, Shape::features),
        out_features: outputs,
        bias: true,
        init: Init::TorchLinear,
        trainable: true,
        lr_scale: 1.0,
    }));
    spec
}

/// X and targets of so many rows.
pub struct Numbers<T> {
    x: Vec<T>,
    y: Vec<T>,
    rows: usize,
}

impl<T: Elementary> Numbers<T> {
    pub fn new(spec: &Spec, image: ImageShape, rows: usize) -> Self {
        let number = |i: usize| T::from_f64((i * 37 % 101) as f64 / 101.0 - 0.4);
        let numbers = |cols: usize| (0..rows * cols).map(number).collect();
        Self { x: numbers(image.features()), y: numbers(spec.out_features()), rows }
    }

    pub fn batch(&self) -> Batch<'_, T> {
        Batch {
            source: Source::of_slice(&self.x, self.x.len() / self.rows),
            order: RowOrder::From(0),
            rows: self.rows,
            targets: Targets::Values(&self.y),
            weights: None,
            standards: None,
        }
    }
}

/// The plan is the same for all, and plain Rust, slowest first, takes 20 s where it is not alone.
pub fn fast() -> Vec<Isa> {
    let all = Isa::all();
    if all.len() > 1 { all[1..].to_vec() } else { all }
}

pub fn check<T: Elementary>(spec: &Spec, image: ImageShape, rows: usize) {
    let numbers = Numbers::new(spec, image, rows);
    let batch = numbers.batch();
    for isa in fast() {
        let what = format!("{} {:?}", isa.name(), spec.layers);
        let state = State::<T>::new(spec, 1e-2, 1, isa).expect("memory");
        let plan = |task| Plan::<T>::of_images(spec, image, task, rows, isa).expect("memory");

        let alone = plan(Task::Trace);
        let mut workspace = alone.workspace(rows).expect("memory");
        let (tensors, loss) = alone.trace(1, &state, &mut workspace, &batch).expect("a trace");
        let must = state.layout.export(workspace.gradient()).expect("memory");
        let by_input = |plan: &Plan<T>, workspace: &mut Workspace<T>, threads| {
            let (mut by_input, head) =
                (vec![T::ZERO; rows * image.features()], (Head::Loss, false));
            let loss = plan
                .gradients_by_input(threads, &state, workspace, &batch, head, &mut by_input)
                .expect("gradients");
            (loss.reduced, by_input)
        };
        let must_input = by_input(&alone, &mut workspace, 1);
        let last = tensors.iter().find(|tensor| tensor.name == "loss").map(|loss| loss.shape.len());
        assert_eq!(last, Some(0));

        let together = plan(Task::Gradients { input_grad: true });
        let mut workspace = together.workspace(rows).expect("memory");
        let is = by_input(&together, &mut workspace, 2);
        assert!(is.0 == loss && is == must_input, "{what}");
        assert!(state.layout.export(workspace.gradient()).expect("memory") == must, "{what}");

        let dropping = plan(Task::Train);
        check_kept(&dropping, &state, &batch, 1);
        check_kept(&dropping, &state, &batch, 2);

        let forward = plan(Task::Forward);
        let mut workspace = forward.workspace(rows).expect("memory");
        let mut outputs = vec![T::ZERO; rows * forward.outputs()];
        let is = forward.evaluate(1, &state, &mut workspace, &batch, &mut outputs);
        let is = is.expect("a loss");
        assert!(is.reduced == loss, "{what}");
    }
}

#[test]
fn bands_of_stages_change_no_bit() {
    use PoolKind::{Average, Max};
    let sigmoid = || Layer::Activation(Activation::Sigmoid);
    let gelu = || Layer::Activation(Activation::Gelu);
    let relu = || Layer::Activation(Activation::Relu);
    let square = |kernel, padding| [stencil(kernel, 1, padding, 1); 2];
    let conv5 = |channels, padding| {
        let [rows, cols] = square(5, padding);
        conv(channels, 1, rows, cols)
    };
    let image = |channels, height, width| ImageShape { channels, height, width };
    // Images of 40 to 60 rows, of 4 to 9 bands in f32.
    let cases = [
        // LeNet's; the last row of the image is in no window.
        (
            vec![
                conv5((1, 20), 2),
                sigmoid(),
                pool(Average, 2, 2),
                conv5((20, 24), 0),
                sigmoid(),
                pool(Average, 2, 2),
            ],
            image(1, 57, 40),
        ),
        // Max pools, several activations, an activation that needs its input, one that is alone.
        (
            vec![
                relu(),
                conv5((2, 20), 2),
                gelu(),
                relu(),
                pool(Max, 3, 3),
                conv5((20, 8), 4),
                gelu(),
            ],
            image(2, 50, 41),
        ),
        // Strides, dilations, groups; no activation; a pool whose windows overlap.
        (
            vec![
                conv((2, 30), 2, stencil(3, 2, 1, 1), stencil(3, 1, 1, 1)),
                pool(Average, 2, 2),
                conv((30, 30), 3, stencil(3, 1, 2, 2), stencil(2, 1, 2, 1)),
                relu(),
                pool(Max, 3, 2),
            ],
            image(2, 90, 30),
        ),
        // A pool that leaves rows out; convolutions without pools; dropout between.
        (
            vec![
                conv5((1, 20), 3),
                Layer::Dropout(Dropout { p: 0.5 }),
                conv((20, 20), 1, stencil(4, 3, 2, 1), stencil(3, 2, 1, 1)),
                sigmoid(),
                conv5((20, 20), 2),
                pool(Average, 2, 3),
            ],
            image(1, 60, 44),
        ),
    ];
    let with_slopes = (
        // Slopes of each channel and of all, with and without activations and pools around.
        vec![
            slopes(2),
            conv5((2, 20), 2),
            slopes(20),
            pool(Max, 2, 2),
            slopes(1),
            conv5((20, 18), 2),
            gelu(),
            slopes(1),
            relu(),
            pool(Average, 2, 2),
            slopes(18),
        ],
        image(2, 50, 41),
    );
    // Images of 20 MB, which go past the caches.
    let (relu, wide) = (relu(), conv5((1, 16), 2));
    let large = (vec![wide, relu, pool(Max, 2, 2)], image(1, 141, 140));
    let spec = network(large.0, large.1, 3);
    check::<f32>(&spec, large.1, 18);
    for (layers, image) in cases.into_iter().chain([with_slopes]) {
        let spec = network(layers, image, 3);
        check::<f32>(&spec, image, 18);
        check::<f64>(&spec, image, 18);
    }
}

/// A convolution, a pool, and a Linear layer that takes the pool's images; its 28 outputs are no
/// multiple of a register.
fn joined(kind: PoolKind) -> (Spec, ImageShape) {
    let image = ImageShape { channels: 2, height: 14, width: 11 };
    let [rows, cols] = [stencil(3, 1, 1, 1); 2];
    let layers =
        vec![conv((2, 5), 1, rows, cols), Layer::Activation(Activation::Sigmoid), pool(kind, 2, 2)];
    (network(layers, image, 28), image)
}

#[test]
fn a_linear_layer_takes_images_as_it_takes_rows() {
    for (kind, rows) in [(PoolKind::Average, 1), (PoolKind::Max, 16), (PoolKind::Average, 77)] {
        let (spec, image) = joined(kind);
        check::<f32>(&spec, image, rows);
        check::<f64>(&spec, image, rows);
    }
    // 13 outputs are as few as there may be; pools whose windows overlap; no convolution.
    let image = ImageShape { channels: 3, height: 9, width: 7 };
    let spec = network(vec![pool(PoolKind::Max, 3, 2)], image, 13);
    check::<f32>(&spec, image, 33);
    // More features than the gradient at them takes at a time.
    let image = ImageShape { channels: 8, height: 24, width: 22 };
    let spec = network(vec![pool(PoolKind::Average, 2, 2)], image, 20);
    check::<f32>(&spec, image, 40);
}

/// The parameters after three steps of training, with the gradient in registers and with all of it first, on
/// any number of threads.
pub fn trained<T: Elementary>(
    spec: &Spec,
    image: ImageShape,
    rows: usize,
    isa: Isa,
) -> Vec<Vec<T>> {
    let numbers = Numbers::new(spec, image, rows);
    let what = format!("{} {rows} {spec:?}", isa.name());
    let trained = |unfused: bool, threads: usize| {
        let mut state = State::<T>::new(spec, 1e-2, 1, isa).expect("memory");
        let plan = Plan::<T>::of_images(spec, image, Task::Train, rows, isa).expect("memory");
        let plan = if unfused { plan.unfused() } else { plan };
        let mut workspace = plan.workspace(rows).expect("memory");
        for _ in 0..3 {
            plan.train(threads, &mut state, &mut workspace, &numbers.batch()).expect("a step");
        }
        let mut found = state.layout.export(&state.parameters).expect("memory");
        for node in state.running.export(&state.layout.running).expect("memory") {
            found.extend([node.mean, node.variance]);
        }
        found
    };
    let must = trained(false, 1);
    let before_all = team::force(true);
    for (unfused, threads) in [(true, 1), (false, 2), (true, 3), (false, 7)] {
        let before = chunks_of_workers();
        // On a busy machine the caller may have done all chunks before a worker wakes up.
        for attempt in 0.. {
            assert!(trained(unfused, threads) == must, "{what}, {threads} threads");
            if (chunks_of_workers() > before) == (threads > 1) {
                break;
            }
            assert!(threads > 1 && attempt < 1000, "{what}, {threads} threads");
        }
    }
    team::force(before_all);
    must
}

/// Three steps of training, from where a trace takes over.
fn check_training<T: Elementary>(spec: &Spec, image: ImageShape, rows: usize) {
    let numbers = Numbers::new(spec, image, rows);
    for isa in fast() {
        let must = trained::<T>(spec, image, rows, isa);
        // Rows instead of lanes: a trace of these weights, step by step.
        let by_rows = Plan::<T>::of_images(spec, image, Task::Trace, rows, isa).expect("memory");
        let mut other = State::<T>::new(spec, 1e-2, 1, isa).expect("memory");
        let mut workspace = by_rows.workspace(rows).expect("memory");
        for _ in 0..3 {
            by_rows.trace(1, &other, &mut workspace, &numbers.batch()).expect("a trace");
            by_rows.apply(1, &mut other, workspace.gradient()).expect("an update");
        }
        let found = other.layout.export(&other.parameters).expect("memory");
        assert!(found == must, "{} {rows} {spec:?}: by rows", isa.name());
    }
}

#[test]
fn training_on_images_has_the_bits_of_training_on_rows() {
    let sgd = |momentum| Optimizer::Sgd(Sgd { momentum, weight_decay: 0.0, nesterov: false });
    let adam = Optimizer::Adam(Adam {
        betas: (0.9, 0.999),
        eps: 1e-8,
        weight_decay: 0.01,
        eps_hat: false,
    });
    let lion = Optimizer::Lion(Lion { betas: (0.9, 0.99), weight_decay: 0.01 });
    for optimizer in [sgd(0.0), sgd(0.9), adam, lion] {
        let (spec, image) = joined(PoolKind::Max);
        let spec = Spec { optimizer, ..spec };
        check_training::<f32>(&spec, image, 35);
        check_training::<f64>(&spec, image, 35);
    }
    // Either layer frozen: the other is trained all the same.
    for frozen in 0..2 {
        let (mut spec, image) = joined(PoolKind::Average);
        for layer in &mut spec.layers {
            match layer {
                Layer::Conv2d(conv) if frozen == 0 => conv.trainable = false,
                Layer::Linear(linear) if frozen == 1 => linear.trainable = false,
                _ => {}
            }
        }
        check_training::<f32>(&spec, image, 20);
    }
    // Slopes of each channel and of all, and each of the layers frozen.
    for frozen in 0..7 {
        let (image, [rows, cols]) = (joined(PoolKind::Max).1, [stencil(3, 1, 1, 1); 2]);
        let pool = pool(PoolKind::Max, 2, 2);
        let around = [slopes(2), conv((2, 5), 1, rows, cols), slopes(1), slopes(5), pool];
        let mut spec = network(around.to_vec(), image, 28);
        match &mut spec.layers[frozen] {
            Layer::Conv2d(conv) => conv.trainable = false,
            Layer::Prelu(prelu) => prelu.trainable = false,
            Layer::Linear(linear) => linear.trainable = false,
            _ => {}
        }
        check_training::<f32>(&spec, image, 35);
    }
    // Features of 8 MB in all, whose blocks come in another order.
    let image = ImageShape { channels: 8, height: 64, width: 66 };
    let spec = network(vec![pool(PoolKind::Average, 2, 2)], image, 20);
    check_training::<f32>(&spec, image, 256);
    // All rows of the batch meet behind the images; here, as other tests may not use the pool meanwhile.
    for rows in [2, 40, 300] {
        let image = ImageShape { channels: 2, height: 3, width: 3 };
        check_behind_images::<f32>(image, rows, true);
        check_behind_images::<f32>(image, rows, false);
        check_behind_images::<f64>(image, rows, false);
        check_on_images::<f32>(rows, true);
        check_on_images::<f64>(rows, rows > 2);
    }
}

#[test]
fn slabs_of_images_meet_in_the_tree_of_all_rows() {
    let (spec, image) = joined(PoolKind::Average);
    let (rows, isa) = (300, fast()[0]);
    let numbers = Numbers::<f32>::new(&spec, image, rows);
    let state = State::new(&spec, 1e-2, 1, isa).expect("memory");
    let task = Task::Gradients { input_grad: true };
    let gradients = |plan: &Plan<f32>, by_input: &mut [f32]| {
        let mut workspace = plan.workspace(rows).expect("memory");
        let (batch, head) = (numbers.batch(), (Head::Loss, false));
        plan.gradients_by_input(1, &state, &mut workspace, &batch, head, by_input)
            .expect("gradients");
        state.layout.export(workspace.gradient()).expect("memory")
    };
    let [mut in_slabs, mut at_once] = [(); 2].map(|()| vec![0.0; rows * image.features()]);
    let slabs = Plan::of_images(&spec, image, task, rows, isa).expect("memory");
    // All rows in one slab, whose features are rows.
    let whole = Plan::of_images_with_slab(&spec, image, task, rows, isa).expect("memory");
    assert!(gradients(&slabs, &mut in_slabs) == gradients(&whole, &mut at_once));
    assert!(in_slabs == at_once);
    assert!(in_slabs[299 * image.features()..].iter().any(|&x| x != 0.0));
}
