//! One training step without Python: microseconds and the share of the multiply-add peak.
//!
//! `cargo bench --bench step [NETWORK]`. Random rows are gathered from an X of 4096 rows, as in `fit`.

#![allow(clippy::disallowed_methods, reason = "timings are not part of the numerical contract")]

mod support;

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::gather::{RowOrder, Source};
use ironmlp::kernels::loss::Loss;
use ironmlp::kernels::optimizer::{Adam, Optimizer, Options, Sgd};
use ironmlp::network::{
    Batch, Init, Input, Layer, Linear, Plan, Reduction, Spec, State, Targets, Task,
};
use ironmlp::simd::Isa;
use support::{peak, seconds};

struct Network {
    name: &'static str,
    widths: &'static [usize],
    activation: Activation,
    batch: usize,
    adam: bool,
}

const NETWORKS: [Network; 10] = {
    use Activation::{Relu, Sigmoid, Tanh};
    const fn network(
        name: &'static str,
        widths: &'static [usize],
        activation: Activation,
        batch: usize,
        adam: bool,
    ) -> Network {
        Network { name, widths, activation, batch, adam }
    }
    [
        network("xor", &[2, 3, 2, 1], Sigmoid, 4, false),
        network("tiny", &[13, 16, 8, 1], Tanh, 32, false),
        network("xor-adam", &[2, 3, 2, 1], Sigmoid, 4, true),
        network("tiny-adam", &[13, 16, 8, 1], Tanh, 32, true),
        network("cancer", &[30, 64, 64, 1], Sigmoid, 32, false),
        network("digits", &[64, 100, 10], Relu, 200, true),
        network("mnist-small", &[784, 128, 10], Sigmoid, 128, false),
        network("mnist", &[784, 512, 256, 10], Relu, 128, false),
        network("wide", &[1024, 1024, 1024, 1024, 10], Relu, 1024, false),
        network("surrogate", &[4, 32, 16, 4], Tanh, 128, true),
    ]
};

fn spec(network: &Network) -> Spec {
    let mut layers = Vec::new();
    for pair in network.widths.windows(2) {
        if !layers.is_empty() {
            layers.push(Layer::Activation(network.activation));
        }
        layers.push(Layer::Linear(Linear {
            in_features: pair[0],
            out_features: pair[1],
            bias: true,
            init: Init::TorchLinear,
            trainable: true,
            lr_scale: 1.0,
        }));
    }
    let loss = if network.widths.last() == Some(&1) {
        Loss::SigmoidCrossEntropy { pos_weight: Vec::new() }
    } else {
        Loss::SoftmaxCrossEntropy {
            class_weight: Vec::new(),
            label_smoothing: 0.0,
            ignore_index: None,
        }
    };
    let optimizer = if network.adam {
        Optimizer::Adam(Adam { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, eps_hat: false })
    } else {
        Optimizer::Sgd(Sgd { momentum: 0.0, weight_decay: 0.0, nesterov: false })
    };
    let loss = Some((loss, Reduction::Mean));
    Spec { layers, loss, optimizer, options: Options::default(), input: Input::default() }
}

fn bench<T: Elementary>(isa: Isa, network: &Network, peak: f64) {
    const ROWS: usize = 4096;
    let spec = spec(network);
    let inputs = spec.in_features();
    let outputs = spec.out_features();
    let x: Vec<T> = (0..ROWS * inputs).map(|i| T::from_f64((i * 7 % 101) as f64 / 101.0)).collect();
    let y: Vec<T> = (0..ROWS).map(|i| T::from_f64((i % 2) as f64)).collect();
    let classes: Vec<i32> = (0..ROWS).map(|i| (i % outputs) as i32).collect();
    let order: Vec<u32> = (0..network.batch).map(|i| (i * 2_654_435_761 % ROWS) as u32).collect();
    let labels = if outputs == 1 { Targets::Values(&y) } else { Targets::Classes(&classes) };
    let batch = Batch {
        source: Source::of_slice(&x, inputs),
        order: RowOrder::List(&order),
        rows: network.batch,
        targets: labels,
        weights: None,
        standards: None,
    };
    let mut state = State::<T>::new(&spec, 1e-3, 1, isa).expect("memory");
    let plan = Plan::new(&spec, Task::Train, network.batch, isa).expect("memory");
    let mut workspace = plan.workspace(network.batch).expect("memory");
    let step = seconds(|| {
        plan.train(1, &mut state, &mut workspace, &batch).expect("a step");
    });
    // The first layer has no input gradient.
    let weights: usize = network.widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let first = network.widths[0] * network.widths[1];
    let flops = 2.0 * network.batch as f64 * (3 * weights - first) as f64;
    println!(
        "  {:12} {:10.3} us, {:5.1} % of the peak",
        network.name,
        step * 1e6,
        100.0 * flops / step / 1e9 / peak
    );
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let chosen = |network: &&Network| wanted.is_empty() || wanted.iter().any(|w| w == network.name);
    for isa in Isa::all().into_iter().skip(1) {
        for dtype in ["float32", "float64"] {
            let peak = if dtype == "float32" { peak::<f32>(isa) } else { peak::<f64>(isa) };
            println!("{} {dtype}: peak {peak:.1} GFLOP/s", isa.name());
            for network in NETWORKS.iter().filter(chosen) {
                if dtype == "float32" {
                    bench::<f32>(isa, network, peak);
                } else {
                    bench::<f64>(isa, network, peak);
                }
            }
        }
    }
}
