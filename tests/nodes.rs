//! Networks with norms, slopes and residual connections, in one another: what is written over what must not
//! show, and no route may change a bit.

use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::gather::{RowOrder, Source};
use ironmlp::kernels::loss::Loss;
use ironmlp::kernels::optimizer::{Adam, Optimizer, Options};
use ironmlp::network::{
    Batch, Dropout, Head, Init, Input, Layer, LayerNorm, Linear, Plan, Prelu, Reduction, Spec,
    State, Sum, Targets, Task,
};
use ironmlp::simd::Isa;

use crate::own_loss::check_kept;

/// Numbers that look random.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn linear(&mut self, in_features: usize, out_features: usize) -> Layer {
        let (bias, trainable) = (self.below(4) > 0, self.below(4) > 0);
        let init = Init::TorchLinear;
        Layer::Linear(Linear { in_features, out_features, bias, init, trainable, lr_scale: 0.5 })
    }

    fn norm(&mut self, features: usize) -> Layer {
        let (affine, trainable) = (self.below(3) > 0, self.below(4) > 0);
        Layer::LayerNorm(LayerNorm { features, eps: 1e-5, affine, trainable, lr_scale: 2.0 })
    }

    fn prelu(&mut self, features: usize) -> Layer {
        let slopes = if self.below(2) > 0 { 1 } else { features };
        let (init, trainable) = (self.below(5) as f64 / 4.0 - 0.25, self.below(4) > 0);
        Layer::Prelu(Prelu { slopes, init, trainable, lr_scale: 1.5 })
    }

    /// Layers that give as many features as they take.
    fn square(&mut self, layers: &mut Vec<Layer>, width: usize, depth: usize) {
        for _ in 0..1 + self.below(3) {
            let from = layers.len();
            match self.below(9) {
                0 => layers.push(self.norm(width)),
                1 => layers.push(Layer::Dropout(Dropout { p: 0.25 })),
                2 => layers.push(Layer::Activation(Activation::Identity)),
                3 => layers.push(Layer::Activation(Activation::Tanh)),
                4 => layers.push(Layer::Activation(Activation::Gelu)),
                5 => {
                    let wide = 1 + self.below(40);
                    layers.push(self.linear(width, wide));
                    layers.push(self.linear(wide, width));
                }
                6 => layers.push(self.prelu(width)),
                _ if depth == 3 => layers.push(Layer::Activation(Activation::Relu)),
                _ => {
                    self.square(layers, width, depth + 1);
                    layers.push(Layer::Sum(Sum { from }));
                }
            }
        }
    }

    fn network(&mut self) -> Spec {
        let (inputs, width) = (1 + self.below(20), 1 + self.below(40));
        let mut layers = Vec::new();
        self.square(&mut layers, inputs, 0);
        layers.push(self.linear(inputs, width));
        self.square(&mut layers, width, 0);
        layers.push(self.linear(width, 3));
        self.square(&mut layers, 3, 0);
        Spec {
            layers,
            loss: Some((Loss::Mse, Reduction::Mean)),
            optimizer: Optimizer::Adam(Adam {
                betas: (0.8, 0.9),
                eps: 1e-6,
                weight_decay: 0.0,
                eps_hat: false,
            }),
            options: Options::default(),
            input: Input::default(),
        }
    }

    fn numbers<T: Elementary>(&mut self, count: usize) -> Vec<T> {
        (0..count).map(|_| T::from_f64(self.below(1 << 20) as f64 / 2f64.powi(19) - 1.0)).collect()
    }
}

/// X and y of so many rows.
struct Rows<T> {
    x: Vec<T>,
    y: Vec<T>,
    rows: usize,
    inputs: usize,
}

impl<T: Elementary> Rows<T> {
    fn new(draw: &mut Draw, spec: &Spec, rows: usize) -> Self {
        let inputs = spec.in_features();
        let (x, y) = (draw.numbers(rows * inputs), draw.numbers(rows * 3));
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

fn bits<T: Elementary>(tensors: &[Vec<T>]) -> Vec<u64> {
    tensors.concat().iter().map(|x| x.to_f64().to_bits()).collect()
}

/// Loss and gradients of a plan, as bits.
fn gradients<T: Elementary>(plan: &Plan<T>, spec: &Spec, isa: Isa, data: &Rows<T>) -> Vec<u64> {
    let state = State::<T>::new(spec, 0.1, 3, isa).unwrap();
    let mut workspace = plan.workspace(data.rows).unwrap();
    let loss = plan.gradients(1, &state, &mut workspace, &data.batch(), Head::Loss, true).unwrap();
    let mut found = bits(&state.layout.export(workspace.gradient()).unwrap());
    found.push(loss.reduced.to_bits());
    found
}

/// A trace has a buffer for each tensor, so that nothing is written over.
#[test]
fn what_is_written_over_is_read_no_more() {
    fn check<T: Elementary>(seed: u64) {
        let mut draw = Draw(seed);
        let spec = draw.network();
        spec.check().unwrap();
        let data = Rows::<T>::new(&mut draw, &spec, 40);
        let isa = Isa::PORTABLE;
        let of = |task| {
            let plan = Plan::<T>::with_slab(&spec, task, 40, isa).unwrap();
            gradients(&plan, &spec, isa, &data)
        };
        let expected = of(Task::Trace);
        for input_grad in [false, true] {
            assert_eq!(of(Task::Gradients { input_grad }), expected, "{seed}: {spec:?}");
        }
        let state = State::<T>::new(&spec, 0.1, 3, isa).unwrap();
        let plan = Plan::<T>::with_slab(&spec, Task::Train, 40, isa).unwrap();
        check_kept(&plan, &state, &data.batch(), 1);
        check_kept(&plan.by_columns(), &state, &data.batch(), 1);
    }
    for seed in 0..200 {
        check::<f32>(seed);
        check::<f64>(seed);
    }
}

/// Parameters after three steps, as bits.
fn trained<T: Elementary>(plan: &Plan<T>, spec: &Spec, isa: Isa, data: &Rows<T>) -> Vec<u64> {
    let mut state = State::<T>::new(spec, 0.1, 3, isa).unwrap();
    let mut workspace = plan.workspace(data.rows).unwrap();
    for _ in 0..3 {
        plan.train(1, &mut state, &mut workspace, &data.batch()).unwrap();
    }
    bits(&state.layout.export(&state.parameters).unwrap())
}

/// On one thread: tests of others count on the pool's workers. The self-check's networks have several.
#[test]
fn every_route_and_instruction_set_gives_the_same_bits() {
    fn check<T: Elementary>(seed: u64) {
        let mut draw = Draw(seed);
        let spec = draw.network();
        let data = Rows::<T>::new(&mut draw, &spec, 300);
        let plan = |slab, isa| Plan::<T>::with_slab(&spec, Task::Train, slab, isa).unwrap();
        let expected = trained(&plan(300, Isa::PORTABLE).unfused(), &spec, Isa::PORTABLE, &data);
        for isa in Isa::all() {
            for plan in [plan(300, isa), plan(300, isa).by_columns(), plan(256, isa)] {
                let found = trained(&plan, &spec, isa, &data);
                assert_eq!(found, expected, "{} {seed}: {spec:?}", isa.name());
            }
        }
    }
    for seed in 1000..1040 {
        check::<f32>(seed);
        check::<f64>(seed);
    }
}
