//! Updates are their formulas, bit for bit, on every instruction set.

use ironmlp::kernels::optimizer::{
    Adagrad, Adam, AdamW, Amsgrad, DampenedSgd, Lion, MOMENTS, NAdam, Optimizer, RAdam, RmsProp,
    Rule, Sgd, Update, VelocitySgd,
};
use ironmlp::kernels::panels::Span;
use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd};
use proptest::prelude::*;

use crate::support::optimizers::{Case, Number};

fn case(rate: f64, before: i32, optimizer: Optimizer) -> Case {
    Case { optimizer, rate, before }
}

fn sgd(momentum: f64, weight_decay: f64, nesterov: bool) -> Optimizer {
    Optimizer::Sgd(Sgd { momentum, weight_decay, nesterov })
}

fn adam(betas: (f64, f64), eps: f64, weight_decay: f64) -> Optimizer {
    Optimizer::Adam(Adam { betas, eps, weight_decay, eps_hat: false })
}

fn eps_hat(betas: (f64, f64), eps: f64, weight_decay: f64) -> Adam {
    Adam { betas, eps, weight_decay, eps_hat: true }
}

fn velocity(momentum: f64, weight_decay: f64, nesterov: bool) -> Optimizer {
    Optimizer::VelocitySgd(VelocitySgd { momentum, weight_decay, nesterov })
}

fn adamw(betas: (f64, f64), eps: f64, weight_decay: f64) -> Optimizer {
    Optimizer::AdamW(AdamW { betas, eps, weight_decay })
}

fn lion(betas: (f64, f64), weight_decay: f64) -> Optimizer {
    Optimizer::Lion(Lion { betas, weight_decay })
}

fn amsgrad(betas: (f64, f64), eps: f64, weight_decay: f64) -> Optimizer {
    Optimizer::Amsgrad(Amsgrad { adam: Adam { betas, eps, weight_decay, eps_hat: false } })
}

fn nadam(betas: (f64, f64), eps: f64, weight_decay: f64, momentum_decay: f64) -> Optimizer {
    Optimizer::NAdam(NAdam::new(betas, eps, weight_decay, momentum_decay))
}

fn radam(betas: (f64, f64), eps: f64, weight_decay: f64) -> Optimizer {
    Optimizer::RAdam(RAdam { betas, eps, weight_decay })
}

fn rmsprop(alpha: f64, eps: f64, weight_decay: f64, momentum: f64, centered: bool) -> Optimizer {
    Optimizer::RmsProp(RmsProp { alpha, eps, weight_decay, momentum, centered })
}

fn adagrad(lr_decay: f64, weight_decay: f64, eps: f64) -> Optimizer {
    Optimizer::Adagrad(Adagrad { lr_decay, weight_decay, eps })
}

fn dampened(momentum: f64, dampening: f64, weight_decay: f64) -> Optimizer {
    Optimizer::DampenedSgd(DampenedSgd { momentum, dampening, weight_decay })
}

fn cases() -> Vec<Case> {
    vec![
        case(0.1, 0, sgd(0.0, 0.0, false)),
        case(0.01, 0, sgd(0.9, 0.0, false)),
        case(0.01, 0, sgd(0.9, 0.0, true)),
        case(0.3, 0, sgd(0.0, 1e-4, false)),
        case(0.3, 0, sgd(0.5, 1e-2, true)),
        case(1e-3, 0, adam((0.9, 0.999), 1e-8, 0.0)),
        case(1e-2, 6, adam((0.8, 0.99), 1e-3, 0.05)),
        case(1e-3, 0, adam((0.0, 0.0), 1e-80, 0.0)),
        case(1e-2, 0, adamw((0.9, 0.999), 1e-8, 0.1)),
        case(1e-3, 5, adamw((0.7, 0.9), 1e-3, 0.0)),
        case(1e-2, 0, lion((0.9, 0.99), 0.1)),
        case(1e-4, 3, lion((0.0, 0.5), 0.0)),
        case(0.1, 0, dampened(0.9, 0.5, 0.0)),
        case(0.1, 3, dampened(0.5, 1.0, 1e-2)),
        case(0.1, 0, velocity(0.9, 0.0, false)),
        case(0.1, 3, velocity(0.5, 1e-2, true)),
        case(0.1, 3, velocity(1.0, 0.0, true)),
        case(1e-3, 0, Optimizer::Adam(eps_hat((0.9, 0.999), 1e-8, 0.0))),
        case(1e-2, 4, Optimizer::Adam(eps_hat((0.5, 0.6), 1e-80, 0.1))),
        case(1e-2, 4, Optimizer::Amsgrad(Amsgrad { adam: eps_hat((0.5, 0.6), 1e-3, 0.1) })),
        case(1e-2, 0, amsgrad((0.9, 0.999), 1e-8, 0.0)),
        case(1e-2, 4, amsgrad((0.5, 0.6), 1e-80, 0.1)),
        case(2e-3, 0, nadam((0.9, 0.999), 1e-8, 0.0, 4e-3)),
        case(1e-2, 9, nadam((0.5, 0.9), 1e-3, 0.1, 0.5)),
        case(1e-2, 1, nadam((0.0, 0.0), 1e-80, 0.0, 0.0)),
        case(1e-3, 0, radam((0.9, 0.999), 1e-8, 0.0)),
        case(1e-2, 4, radam((0.9, 0.999), 1e-8, 0.1)), // the fifth step, and the first that adapts
        case(1e-2, 40, radam((0.8, 0.9), 1e-80, 0.0)),
        case(1e-2, 40, radam((0.0, 0.5), 1e-3, 0.0)), // never adapts
        case(1e-2, 0, rmsprop(0.99, 1e-8, 0.0, 0.0, false)),
        case(1e-2, 0, rmsprop(0.9, 1e-80, 0.1, 0.5, false)),
        case(1e-2, 0, rmsprop(0.5, 1e-3, 0.0, 0.0, true)),
        case(1e-2, 0, rmsprop(0.0, 1e-80, 0.1, 0.9, true)),
        case(1e-2, 0, adagrad(0.0, 0.0, 1e-10)),
        case(1e-1, 7, adagrad(0.25, 0.1, 1e-80)),
    ]
}

/// One parameter with its gradients and moments.
#[derive(Clone, Debug)]
struct Tensors<T> {
    w: Vec<T>,
    g: Vec<T>,
    moments: [Vec<T>; MOMENTS],
}

/// An update by a rule.
struct Updated<'a, T: Real> {
    rule: Rule<T>,
    tensors: &'a mut Tensors<T>,
}

impl<T: Real> Kernel for Updated<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let used = self.rule.moments();
        let mut moments = [Span::empty(); MOMENTS];
        for k in 0..used {
            moments[k] = span(&mut self.tensors.moments[k]);
        }
        let (w, g) = (span(&mut self.tensors.w), span(&mut self.tensors.g));
        self.rule.apply::<S, _>(Update { w, g, moments });
    }
}

fn span<T>(x: &mut [T]) -> Span<T> {
    // SAFETY: the view is used while the vector lives, by one thread.
    unsafe { Span::from_raw(x.as_mut_ptr(), x.len()) }
}

/// The bits of a number; all NaN have the same.
fn bits<T: Real>(x: T) -> u64 {
    let x = x.to_f64();
    if x.is_nan() { u64::MAX } else { x.to_bits() }
}

impl<N: Number> Tensors<N> {
    fn from(elements: &[[f64; 5]]) -> Self {
        let column = |i: usize| elements.iter().map(|e| N::from_f64(e[i])).collect();
        Self { w: column(0), g: column(1), moments: [column(2), column(3), column(4)] }
    }

    /// What the optimizer may have: of these the first moment is a variance.
    fn of(case: &Case, elements: &[[f64; 5]]) -> Self {
        let mut tensors = Self::from(elements);
        if matches!(case.optimizer, Optimizer::RmsProp(_) | Optimizer::Adagrad(_)) {
            tensors.moments[0].iter_mut().for_each(|v| *v = if *v < N::ZERO { -*v } else { *v });
        }
        tensors
    }

    /// Two updates.
    fn update(&mut self, isa: Isa, case: &Case) {
        let mut clock = case.clock();
        for _ in 0..2 {
            case.optimizer.tick(&mut clock);
            let rule = case.optimizer.rules(case.rate, 1.0, [true; 2], &clock).weight;
            isa.run(Updated { rule, tensors: self });
        }
    }

    fn update_naive(&mut self, case: &Case) {
        for t in case.before + 1..case.before + 3 {
            for i in 0..self.w.len() {
                let mut moments = std::array::from_fn(|k| self.moments[k][i]);
                case.naive(t, &mut self.w[i], self.g[i], &mut moments);
                (0..MOMENTS).for_each(|k| self.moments[k][i] = moments[k]);
            }
        }
    }

    fn bits(&self) -> Vec<u64> {
        [&self.w, &self.g].into_iter().chain(&self.moments).flatten().map(|&x| bits(x)).collect()
    }
}

fn check<N: Number>(elements: &[[f64; 5]]) {
    for case in cases() {
        let start = Tensors::<N>::of(&case, elements);
        let mut expected = start.clone();
        expected.update_naive(&case);
        for isa in Isa::all() {
            let mut tensors = start.clone();
            tensors.update(isa, &case);
            assert_eq!(tensors.bits(), expected.bits(), "{} {case:?}", isa.name());
        }
    }
}

/// Numbers of every magnitude, among them some that are flushed, and the ends of both ranges.
fn number() -> impl Strategy<Value = f64> {
    const ENDS: [f64; 6] =
        [f32::MAX as f64, f32::MIN_POSITIVE as f64, 1e-45, f64::MAX, f64::MIN_POSITIVE, 5e-324];
    let signed = |negative: bool, x: f64| if negative { -x } else { x };
    prop_oneof![
        16 => -2.0..2.0f64,
        4 => (-40.0..4.0f64, any::<bool>()).prop_map(move |(exponent, negative)| {
            signed(negative, 10f64.powf(exponent))
        }),
        2 => Just(0.0),
        1 => (0..ENDS.len(), any::<bool>()).prop_map(move |(end, negative)| {
            signed(negative, ENDS[end])
        }),
    ]
}

/// Rows of 16 parameters, each with its gradient and moments, of which only the first may be negative.
fn elements() -> impl Strategy<Value = Vec<[f64; 5]>> {
    (1usize..5).prop_flat_map(|rows| {
        let element = (number(), number(), number(), number(), number());
        let element = element.prop_map(|(w, g, m, v, u)| [w, g, m, v.abs(), u.abs()]);
        prop::collection::vec(element, LANES * rows)
    })
}

proptest! {
    #[test]
    fn updates_are_their_formulas(elements in elements()) {
        check::<f32>(&elements);
        check::<f64>(&elements);
    }
}

#[test]
fn a_parameter_without_gradient_stays_as_it_is() {
    // Padding has w = g = m = v = 0 and must not become 0/0, however small eps is in the type.
    for isa in Isa::all() {
        for case in cases() {
            let zeros = Tensors::<f32>::from(&[[0.0; 5]; 16]);
            let mut tensors = zeros.clone();
            tensors.update(isa, &case);
            assert_eq!(tensors.bits(), zeros.bits(), "{case:?}");
        }
    }
}

#[test]
fn what_momentum_shrinks_by_is_a_power_of_096() {
    let shrinking = |decay| NAdam::new((0.9, 0.999), 1e-8, 0.0, decay).shrinking;
    for decay in [4e-3, 0.5, 1.0, 20.0] {
        assert!((shrinking(decay) / 0.96f64.powf(decay) - 1.0).abs() < 1e-15, "{decay}");
    }
    assert_eq!([shrinking(0.0), shrinking(f64::MAX)], [1.0, 0.0]);
}

#[test]
fn small_magnitudes_are_stored_as_zero() {
    let tiny = 2f64.powi(-101);
    let least = 2f64.powi(-100);
    let mut elements = [[0.0; 5]; 16];
    for (i, x) in [tiny, -tiny, least, -least].into_iter().enumerate() {
        (elements[i][0], elements[i][2]) = (x, x);
    }
    for isa in Isa::all() {
        let mut tensors = Tensors::<f32>::from(&elements);
        tensors.update(isa, &case(0.0, 0, sgd(1.0, 0.0, false)));
        for x in [&tensors.w, &tensors.moments[0]] {
            let expected = [0.0, 0.0, least, -least].map(|x| bits(x as f32));
            assert_eq!([x[0], x[1], x[2], x[3]].map(bits), expected, "{}", isa.name());
        }
    }
}
