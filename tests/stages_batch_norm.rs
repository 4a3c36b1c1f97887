//! Batch normalization of images, and of the rows behind them: blocks of samples meet between stages, and no
//! route may change a bit. `stages.rs` calls what needs several threads, as it counts on the pool's workers.

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::images::ImageShape;
use ironmlp::kernels::pooling::PoolKind;
use ironmlp::network::{BatchNorm, Dropout, Layer, Plan, Spec, State, Task};

use crate::own_loss::check_kept;
use crate::stages::{Numbers, check, conv, fast, network, pool, stencil, trained};

/// Statistics of batches around everything that images go through.
fn normalized_images(affine: bool) -> (Spec, ImageShape) {
    let image = ImageShape { channels: 2, height: 9, width: 8 };
    let norm = |features, affine| {
        let (eps, momentum, images) = (1e-3, Some(0.25), true);
        let (trainable, lr_scale) = (true, 1.0);
        Layer::BatchNorm(BatchNorm { features, eps, momentum, affine, images, trainable, lr_scale })
    };
    let relu = || Layer::Activation(Activation::Relu);
    let kernel = stencil(3, 1, 1, 1);
    let layers = vec![
        norm(2, affine),
        conv((2, 18), 1, kernel, kernel),
        norm(18, affine),
        relu(),
        pool(PoolKind::Max, 2, 2),
        norm(18, true),
        Layer::Activation(Activation::Gelu),
        Layer::Dropout(Dropout { p: 0.3 }),
        conv((18, 5), 1, kernel, kernel),
        relu(),
        norm(5, affine),
    ];
    (network(layers, image, 20), image)
}

/// Routes, and what is kept for a loss of the caller's.
pub fn check_on_images<T: Elementary>(rows: usize, affine: bool) {
    let (spec, image) = normalized_images(affine);
    let numbers = Numbers::<T>::new(&spec, image, rows);
    let mut first: Option<Vec<Vec<T>>> = None;
    for isa in fast() {
        let must = trained::<T>(&spec, image, rows, isa);
        assert!(must.iter().flatten().all(|x| x.is_finite()));
        assert!(first.get_or_insert_with(|| must.clone()) == &must, "{} {rows}", isa.name());
        let state = State::<T>::new(&spec, 1e-2, 1, isa).expect("memory");
        let plan = Plan::<T>::of_images(&spec, image, Task::Train, rows, isa).expect("memory");
        check_kept(&plan, &state, &numbers.batch(), 1);
    }
}

/// A network of pixels that a pool leaves as they are, with statistics of batches behind them, has the bits
/// of one that takes them as rows.
pub fn check_behind_images<T: Elementary>(image: ImageShape, rows: usize, joined: bool) {
    let norm = |features| {
        let (eps, momentum, affine) = (1e-5, Some(0.1), true);
        let (images, trainable, lr_scale) = (false, true, 1.0);
        Layer::BatchNorm(BatchNorm { features, eps, momentum, affine, images, trainable, lr_scale })
    };
    let mut spec = network(vec![pool(PoolKind::Average, 1, 1)], image, 20);
    let [.., linear] = &spec.layers[..] else { unreachable!("a Linear layer") };
    let tanh = Layer::Activation(Activation::Tanh);
    // Without the first one the Linear layer takes images as they are.
    let mut behind = vec![norm(image.features()), linear.clone(), norm(20), tanh, norm(20)];
    if joined {
        behind.remove(0);
    }
    let of_rows = Spec { layers: behind.clone(), ..spec.clone() };
    spec.layers.splice(2.., behind);
    let numbers = Numbers::<T>::new(&of_rows, image, rows);
    for isa in fast() {
        let must = trained::<T>(&spec, image, rows, isa);
        let mut state = State::<T>::new(&of_rows, 1e-2, 1, isa).expect("memory");
        // Layers draw initial values by their number.
        let first = State::<T>::new(&spec, 1e-2, 1, isa).expect("memory");
        state.set_parameters(&first.layout.export(&first.parameters).expect("memory"), isa);
        let plan = Plan::<T>::new(&of_rows, Task::Train, rows, isa).expect("memory");
        let mut workspace = plan.workspace(rows).expect("memory");
        for _ in 0..3 {
            plan.train(1, &mut state, &mut workspace, &numbers.batch()).expect("a step");
        }
        let mut found = state.layout.export(&state.parameters).expect("memory");
        for node in state.running.export(&state.layout.running).expect("memory") {
            found.extend([node.mean, node.variance]);
        }
        assert!(found == must, "{} {rows}", isa.name());
        let plan = Plan::<T>::of_images(&spec, image, Task::Train, rows, isa).expect("memory");
        check_kept(&plan, &first, &numbers.batch(), 1);
    }
}

#[test]
fn running_statistics_of_images_go_band_by_band_as_alone() {
    for affine in [true, false] {
        let (spec, image) = normalized_images(affine);
        check::<f32>(&spec, image, 35);
        check::<f64>(&spec, image, 16);
    }
}
