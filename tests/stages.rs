//! Ops on images give the same bits together, band by band, as each by itself: a trace keeps every
//! tensor and goes op by op, the other plans do not.

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::convolution::Stencil;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::gather::{Rows, Source};
use ironmlp::kernels::images::ImageShape;
use ironmlp::kernels::loss::Loss;
use ironmlp::kernels::pooling::{Pool, PoolKind};
use ironmlp::network::{
    Batch, Conv2d, Head, Init, Input, Labels, Layer, Linear, Optimizer, Plan, Purpose, Reduction,
    Shape, Spec, State,
};
use ironmlp::simd::Isa;

const ROWS: usize = 18;

fn stencil(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Stencil {
    Stencil { kernel, stride, padding, dilation }
}

fn conv(channels: (usize, usize), groups: usize, rows: Stencil, cols: Stencil) -> Layer {
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

fn pool(kind: PoolKind, kernel: usize, stride: usize) -> Layer {
    Layer::Pool(Pool { kind, kernel: (kernel, kernel), stride: (stride, stride) })
}

/// A network of these layers, and of a Linear one behind them.
fn network(mut layers: Vec<Layer>, image: ImageShape) -> Spec {
    layers.push(Layer::Flatten);
    let mut spec = Spec {
        layers,
        loss: Some((Loss::Mse, Reduction::Mean)),
        optimizer: Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0, nesterov: false },
        input: Input::default(),
    };
    let shapes = spec.shapes(Some(image)).expect("layers that fit");
    spec.layers.push(Layer::Linear(Linear {
        in_features: shapes.last().copied().map_or(0, Shape::features),
        out_features: 3,
        bias: true,
        init: Init::TorchLinear,
        trainable: true,
        lr_scale: 1.0,
    }));
    spec
}

fn check<T: Elementary>(spec: &Spec, image: ImageShape) {
    let features = image.features();
    let number = |i: usize| T::from_f64((i * 37 % 101) as f64 / 101.0 - 0.4);
    let x: Vec<T> = (0..ROWS * features).map(number).collect();
    let y: Vec<T> = (0..ROWS * 3).map(number).collect();
    let batch = Batch {
        source: Source::of_slice(&x, features),
        order: Rows::From(0),
        rows: ROWS,
        labels: Labels::Values(&y),
        weights: None,
    };
    // The plan is the same for all, and plain Rust, slowest first, takes 20 s where it is not alone.
    let all = Isa::all();
    for &isa in if all.len() > 1 { &all[1..] } else { &all } {
        let what = format!("{} {:?}", isa.name(), spec.layers);
        let state = State::<T>::new(spec, 1e-2, 1, isa).expect("memory");
        let plan = |purpose| Plan::<T>::of_images(spec, image, purpose, ROWS, isa);

        let alone = plan(Purpose::Trace);
        let mut workspace = alone.workspace(ROWS).expect("memory");
        let (tensors, loss) = alone.trace(1, &state, &mut workspace, &batch).expect("a trace");
        let must = state.layout.export(workspace.gradient());
        let must_input = alone.input_grad(&workspace, ROWS).expect("asked for");
        let last = tensors.iter().find(|tensor| tensor.name == "loss").map(|loss| loss.shape.len());
        assert_eq!(last, Some(0));

        let together = plan(Purpose::Gradients { input_grad: true });
        let mut workspace = together.workspace(ROWS).expect("memory");
        let is = together.gradients(2, &state, &mut workspace, &batch, Head::Loss, false);
        assert!(is.expect("gradients").reduced == loss, "{what}");
        assert!(state.layout.export(workspace.gradient()) == must, "{what}");
        assert!(together.input_grad(&workspace, ROWS).expect("asked for") == must_input, "{what}");

        let forward = plan(Purpose::Forward);
        let mut workspace = forward.workspace(ROWS).expect("memory");
        let is = forward.loss(1, &state, &mut workspace, &batch).expect("a loss");
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
                Layer::Dropout { p: 0.5 },
                conv((20, 20), 1, stencil(4, 3, 2, 1), stencil(3, 2, 1, 1)),
                sigmoid(),
                conv5((20, 20), 2),
                pool(Average, 2, 3),
            ],
            image(1, 60, 44),
        ),
    ];
    // Images of 20 MB, which go past the caches.
    let (relu, wide) = (relu(), conv5((1, 16), 2));
    let large = (vec![wide, relu, pool(Max, 2, 2)], image(1, 141, 140));
    let spec = network(large.0, large.1);
    check::<f32>(&spec, large.1);
    for (layers, image) in cases {
        let spec = network(layers, image);
        check::<f32>(&spec, image);
        check::<f64>(&spec, image);
    }
}
