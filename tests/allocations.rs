//! Whatever large allocation fails, the call ends with `Error::Memory` and changes nothing.
//!
//! The program's allocator refuses one allocation after the other, those of this thread from a size on
//! that no list of a few layers reaches (docs/design.md, "Errors", says where the line is).

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::time::Instant;

use ironmlp::error::{Error, Result};
use ironmlp::kernels::activation::Activation;
use ironmlp::kernels::convolution::Stencil;
use ironmlp::kernels::gather::{Matrix, RowOrder, Source, to_i64, to_vec};
use ironmlp::kernels::gemm::matmul;
use ironmlp::kernels::images::ImageShape;
use ironmlp::kernels::loss::Loss;
use ironmlp::kernels::optimizer::{Adam, Optimizer, Options};
use ironmlp::kernels::pooling::{Pool, PoolKind};
use ironmlp::network::{
    Batch, Conv2d, Head, Init, Input, Layer, Linear, Plan, Reduction, Spec, State, Targets, Task,
    Updates, initial_parameters,
};
use ironmlp::runtime::memory::{copied, filled};
use ironmlp::simd::Isa;
use ironmlp::training::{Data, Order, OwnedTargets, Sampler, TrainingRun};

/// Bytes from which on an allocation may be refused.
const LARGE: usize = 4096;

thread_local! {
    /// Large allocations until one is refused; 0 refuses none.
    static LEFT: Cell<usize> = const { Cell::new(0) };
    /// Whether all after it are, too.
    static FOR_GOOD: Cell<bool> = const { Cell::new(false) };
    static REFUSED: Cell<usize> = const { Cell::new(0) };
}

struct Refusing;

fn is_refused(size: usize) -> bool {
    if size < LARGE || LEFT.get() == 0 {
        return false;
    }
    if LEFT.get() > 1 {
        LEFT.set(LEFT.get() - 1);
        return false;
    }
    LEFT.set(usize::from(FOR_GOOD.get()));
    REFUSED.set(REFUSED.get() + 1);
    true
}

// SAFETY: the system's allocator, or null, which every caller of an allocator has to expect.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches.
        if is_refused(layout.size()) { ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: as the caller vouches.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_refused(size) {
            return ptr::null_mut();
        }
        // SAFETY: as the caller vouches.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Does the work with its first large allocation refused, its second, and so on, until it needs no
/// more; each time on something new. How many there were.
fn refuse_each<S, R>(
    what: &str,
    new: impl Fn() -> S,
    work: impl Fn(&mut S) -> Result<R>,
    check: impl Fn(&S),
) -> usize {
    for for_good in [false, true] {
        for number in 1.. {
            let mut on = new();
            FOR_GOOD.set(for_good);
            REFUSED.set(0);
            LEFT.set(number);
            let result = work(&mut on);
            LEFT.set(0);
            match result {
                // A list that grows asks for up to twice what it needs.
                Err(Error::Memory { needed, .. }) => assert!(needed >= LARGE as u64 / 2, "{what}"),
                Err(other) => panic!("{what}, allocation {number}: {other:?}"),
                // It went on without that one.
                Ok(_) if REFUSED.get() > 0 => continue,
                Ok(_) if for_good => return number - 1,
                Ok(_) => break,
            }
            check(&on);
        }
    }
    unreachable!("the loop above has no end")
}

/// As [`refuse_each`], of what has nothing to change; at least `least` allocations.
fn refuse<R>(what: &str, least: usize, work: impl Fn() -> Result<R>) {
    let count = refuse_each(what, || (), |()| work(), |()| {});
    assert!(count >= least, "{what}: only {count} large allocations");
}

fn linear(in_features: usize, out_features: usize) -> Layer {
    let init = Init::Normal;
    let (bias, trainable, lr_scale) = (true, true, 1.0);
    Layer::Linear(Linear { in_features, out_features, bias, init, trainable, lr_scale })
}

fn spec(layers: Vec<Layer>, outputs: usize) -> Spec {
    let class_weight = vec![1.0; outputs];
    Spec {
        layers,
        loss: Some((
            Loss::SoftmaxCrossEntropy { class_weight, label_smoothing: 0.0, ignore_index: None },
            Reduction::Mean,
        )),
        optimizer: Optimizer::Adam(Adam {
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            eps_hat: false,
        }),
        options: Options::default(),
        input: Input::default(),
    }
}

/// A network, its images' size if it takes some, and rows enough for several slabs.
struct Case {
    name: &'static str,
    spec: Spec,
    image: Option<ImageShape>,
    rows: usize,
    x: Vec<f32>,
    classes: Vec<i32>,
    isa: Isa,
}

impl Case {
    fn all() -> [Self; 3] {
        let image = ImageShape { channels: 2, height: 200, width: 9 };
        let stencil = Stencil { kernel: 3, stride: 1, padding: 1, dilation: 1 };
        let conv = Layer::Conv2d(Conv2d {
            in_channels: 2,
            out_channels: 40,
            rows: stencil,
            cols: stencil,
            groups: 1,
            bias: true,
            init: Init::TorchLinear,
            trainable: true,
            lr_scale: 1.0,
        });
        let pool = Pool { kind: PoolKind::Max, kernel: (100, 9), stride: (100, 9) };
        let images = vec![
            conv,
            Layer::Activation(Activation::Relu),
            Layer::Pool(pool),
            Layer::Flatten,
            linear(80, 600),
        ];
        let relu = || Layer::Activation(Activation::Relu);
        [
            Self::new(
                "rows",
                spec(vec![linear(60, 130), relu(), linear(130, 600)], 600),
                None,
                300,
            ),
            Self::new("tiny", spec(vec![linear(4, 9), relu(), linear(9, 3)], 3), None, 1500),
            Self::new("images", spec(images, 600), Some(image), 40),
        ]
    }

    fn new(name: &'static str, spec: Spec, image: Option<ImageShape>, rows: usize) -> Self {
        let features = image.map_or_else(|| spec.in_features(), ImageShape::features);
        let x = (0..rows * features).map(|i| (i * i % 37) as f32 / 37.0).collect();
        let classes = (0..rows).map(|row| (row % spec.out_features()) as i32).collect();
        let isa = Isa::chosen().expect("a known one");
        Self { name, spec, image, rows, x, classes, isa }
    }

    fn plan(&self, task: Task, slab: usize) -> Result<Plan<f32>> {
        match self.image {
            Some(image) => Plan::of_images(&self.spec, image, task, slab, self.isa),
            None => Plan::new(&self.spec, task, slab, self.isa),
        }
    }

    fn state(&self) -> State<f32> {
        let mut state = State::new(&self.spec, 0.01, 7, self.isa).expect("memory");
        // Moments and counters to lose.
        let plan = self.plan(Task::Train, 256).expect("memory");
        let mut workspace = plan.workspace(self.rows).expect("memory");
        plan.train(1, &mut state, &mut workspace, &self.batch()).expect("a step");
        state
    }

    fn batch(&self) -> Batch<'_, f32> {
        let source = Source::of_slice(&self.x, self.x.len() / self.rows);
        let labels = Targets::Classes(&self.classes);
        Batch {
            source,
            order: RowOrder::From(0),
            rows: self.rows,
            targets: labels,
            weights: None,
            standards: None,
        }
    }

    fn run(&self, batch: usize, epochs: usize) -> Result<TrainingRun<'_, f32>> {
        let plan = Arc::new(self.plan(Task::Train, batch)?);
        let workspace = plan.workspace(batch)?;
        let source = self.batch().source;
        let targets = OwnedTargets::Classes(copied(&self.classes)?);
        let sampler = Sampler::new(self.rows, batch, Order::Seeded)?;
        TrainingRun::new(
            plan,
            workspace,
            Data { source, targets, weights: None, standards: None, copied: None },
            sampler,
            epochs,
            1,
        )
    }
}

/// A tensor for each of a layout.
type Tensors = Vec<Vec<f32>>;

/// All that a step or a call may change: parameters, moments, counters.
fn content(state: &State<f32>) -> (Tensors, Vec<Tensors>, [u64; 3]) {
    let export = |buffer| state.layout.export(buffer).expect("memory");
    let moments = state.moments.iter().map(export).collect();
    (export(&state.parameters), moments, [state.epoch, state.clock.steps, state.seed])
}

#[test]
fn a_model_is_made_copied_and_read() {
    for case in Case::all() {
        let (spec, isa, name) = (&case.spec, case.isa, case.name);
        // Of the smallest network only the trial for what is small is large.
        let least = usize::from(name != "tiny");
        refuse(name, 5 * least, || State::<f32>::new(spec, 0.1, 1, isa));
        refuse(name, 0, || Updates::new(spec, isa));
        let state = case.state();
        refuse(name, 4 * least, || state.duplicate(isa));
        refuse(name, least, || state.layout.export(&state.parameters));
        let input_grad = true;
        for task in [Task::Forward, Task::Train, Task::Gradients { input_grad }, Task::Trace] {
            refuse(name, 1, || case.plan(task, 256)?.workspace(case.rows));
        }
    }
}

/// A call on a model, which leaves nothing but its own results.
type Call<'a> = &'a dyn Fn(&mut State<f32>) -> Result<()>;

#[test]
fn a_call_that_fails_leaves_the_model_as_it_was() {
    for case in Case::all() {
        let template = case.state();
        let before = content(&template);
        let planned = |task| {
            let plan = case.plan(task, case.rows.min(256))?;
            let workspace = plan.workspace(case.rows)?;
            Ok((plan, workspace))
        };
        let steps = |state: &mut State<f32>| {
            let (plan, mut workspace) = planned(Task::Train)?;
            plan.train(1, state, &mut workspace, &case.batch()).map(|_| ())
        };
        let forward = |state: &mut State<f32>| {
            let (plan, mut workspace) = planned(Task::Forward)?;
            let mut outputs = filled(0.0, case.rows * plan.outputs())?;
            plan.evaluate(1, state, &mut workspace, &case.batch(), &mut outputs)?;
            plan.forward(1, state, &mut workspace, &case.batch(), false, &mut outputs)
        };
        let gradients = |state: &mut State<f32>| {
            let (plan, mut workspace) = planned(Task::Gradients { input_grad: true })?;
            let mut by_input = filled(0.0, case.x.len())?;
            let (batch, head) = (case.batch(), (Head::Loss, true));
            plan.gradients_by_input(1, state, &mut workspace, &batch, head, &mut by_input)?;
            state.layout.export(workspace.gradient()).map(|_| ())
        };
        let trace = |state: &mut State<f32>| {
            let plan = case.plan(Task::Trace, case.rows)?;
            let mut workspace = plan.workspace(case.rows)?;
            plan.trace(1, state, &mut workspace, &case.batch()).map(|_| ())
        };
        let epochs = |state: &mut State<f32>| {
            case.run(case.rows, 1000)?.advance(state, Instant::now(), false).map(|_| ())
        };
        let batches = |state: &mut State<f32>| {
            let mut run = case.run(30, 9)?;
            // Only the first: the next would begin on what this one has changed.
            if let Some((outputs, _)) = run.next_batch(state)? {
                run.finish_batch(state, 1.0, &outputs)?;
            }
            Ok(())
        };
        let reset = |state: &mut State<f32>| {
            state.reset(3, &initial_parameters(&case.spec, 3, case.isa)?, case.isa);
            Ok(())
        };
        let calls: [(&str, Call<'_>, usize); 7] = [
            ("reset", &reset, 0),
            ("train", &steps, 2),
            ("forward", &forward, 2),
            ("gradients", &gradients, 2),
            ("trace", &trace, 3),
            ("epochs", &epochs, 2),
            ("batches", &batches, 2),
        ];
        for (name, call, least) in calls {
            let what = format!("{}: {name}", case.name);
            let new = || template.duplicate(case.isa).expect("memory");
            let unchanged = |state: &State<f32>| assert!(content(state) == before, "{what}");
            let count = refuse_each(&what, new, call, unchanged);
            assert!(count >= least, "{what}: only {count} large allocations");
        }
    }
}

#[test]
fn arrays_are_read_and_multiplied() {
    let isa = Isa::chosen().expect("a known one");
    let numbers = [1.0; 3000];
    let matrix = Matrix::of_slice(&numbers, 30);
    refuse("to_vec", 1, || to_vec::<f32>(&matrix));
    refuse("to_i64", 1, || to_i64(&matrix));
    refuse("a permutation", 1, || Sampler::new(3000, 7, Order::Seeded));
    let loss = spec(vec![linear(1, 9)], 9).loss.expect("one").0;
    refuse("classes", 1, || loss.classes("y", &[1; 3000], 9));
    refuse("a product", 4, || {
        let mut product = filled(0.0, 50 * 50)?;
        matmul(isa, (50, 60, 50), &numbers, &numbers, &mut product)
    });
}
