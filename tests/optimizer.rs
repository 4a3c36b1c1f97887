//! Updates are their formulas, bit for bit, on every instruction set.

use std::ops::{Add, Div, Mul, Neg, Sub};

use ironmlp::kernels::optimizer::{
    Adam, AdamW, Clock, Lion, MOMENTS, Optimizer, Rule, Sgd, Update, quotient,
};
use ironmlp::kernels::panels::Span;
use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd, Vector};
use proptest::prelude::*;

/// A number with the operations of the language.
trait Number:
    Real
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    fn root(self) -> Self;

    fn flushed(self) -> Self {
        if self < Self::FLUSH && -self < Self::FLUSH { Self::ZERO } else { self }
    }
}

impl Number for f32 {
    fn root(self) -> Self {
        self.sqrt()
    }
}

impl Number for f64 {
    fn root(self) -> Self {
        self.sqrt()
    }
}

/// An optimizer, its learning rate, and how many updates there were before.
#[derive(Clone, Copy, Debug)]
struct Case {
    optimizer: Optimizer,
    rate: f64,
    before: i32,
}

fn case(rate: f64, before: i32, optimizer: Optimizer) -> Case {
    Case { optimizer, rate, before }
}

fn sgd(momentum: f64, weight_decay: f64, nesterov: bool) -> Optimizer {
    Optimizer::Sgd(Sgd { momentum, weight_decay, nesterov })
}

fn adam(betas: (f64, f64), eps: f64, weight_decay: f64) -> Optimizer {
    Optimizer::Adam(Adam { betas, eps, weight_decay })
}

fn adamw(betas: (f64, f64), eps: f64, weight_decay: f64) -> Optimizer {
    Optimizer::AdamW(AdamW { betas, eps, weight_decay })
}

fn lion(betas: (f64, f64), weight_decay: f64) -> Optimizer {
    Optimizer::Lion(Lion { betas, weight_decay })
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
    ]
}

impl Case {
    fn clock(&self) -> Clock {
        let mut clock = Clock::default();
        (0..self.before).for_each(|_| self.optimizer.tick(&mut clock));
        clock
    }

    /// The formula of update t for one element, written once more.
    fn naive<N: Number>(&self, t: i32, w: &mut N, g: N, moments: &mut [N; MOMENTS]) {
        let number = N::from_f64;
        let l2 = |decay: f64, w: N| if decay == 0.0 { g } else { number(decay).fma(w, g) };
        match self.optimizer {
            Optimizer::Sgd(Sgd { momentum, weight_decay, nesterov }) => {
                let g = l2(weight_decay, *w);
                let mut step = g;
                if momentum != 0.0 {
                    let velocity = number(momentum).fma(moments[0], g);
                    step = if nesterov { number(momentum).fma(velocity, g) } else { velocity };
                    moments[0] = velocity.flushed();
                }
                *w = (-number(self.rate)).fma(step, *w).flushed();
            }
            Optimizer::Adam(Adam { betas, eps, weight_decay }) => {
                let g = l2(weight_decay, *w);
                *w = self.adams(t, betas, eps, *w, g, moments);
            }
            Optimizer::AdamW(AdamW { betas, eps, weight_decay }) => {
                let decayed = (-number(self.rate * weight_decay)).fma(*w, *w);
                *w = self.adams(t, betas, eps, decayed, g, moments);
            }
            Optimizer::Lion(Lion { betas: (b1, b2), weight_decay }) => {
                let mixed = |beta: f64| number(beta).fma(moments[0], number(1.0 - beta) * g);
                let sign = match mixed(b1) {
                    x if x > N::ZERO => N::ONE,
                    x if x < N::ZERO => -N::ONE,
                    x => x,
                };
                let step = number(weight_decay).fma(*w, sign);
                *w = (-number(self.rate)).fma(step, *w).flushed();
                moments[0] = mixed(b2).flushed();
            }
        }
    }

    /// Adam's step from `w`, as it is stored.
    fn adams<N: Number>(
        &self,
        t: i32,
        (b1, b2): (f64, f64),
        eps: f64,
        w: N,
        g: N,
        moments: &mut [N; MOMENTS],
    ) -> N {
        let number = N::from_f64;
        let power = |beta: f64| (0..t).fold(1.0, |power, _| power * beta);
        let first = number(1.0 - b1).fma(g - moments[0], moments[0]);
        let second = number(b2).fma(moments[1], number(1.0 - b2) * g * g);
        let eps = if number(eps) < N::FLUSH { N::FLUSH } else { number(eps) };
        let denominator = second.root() / number((1.0 - power(b2)).sqrt()) + eps;
        (moments[0], moments[1]) = (first.flushed(), second.flushed());
        let size = number(self.rate / (1.0 - power(b1)));
        (-size).fma(first / denominator, w).flushed()
    }
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
        let start = Tensors::<N>::from(elements);
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

/// How many of the quotients of a multiple of 16 numbers are not those of divisions.
struct Wrong<'a, T> {
    dividends: &'a [T],
    divisor: T,
    /// Whether they are `quotient`'s, or products with the reciprocal.
    corrected: bool,
}

impl<T: Real> Kernel for Wrong<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        let divisor = S::Lanes::<T>::splat(self.divisor);
        let mut wrong = 0;
        for sixteen in self.dividends.chunks_exact(LANES) {
            // SAFETY: 16 elements.
            let a = unsafe { S::Lanes::<T>::load(sixteen.as_ptr()) };
            let (mut is, mut must) = ([T::ZERO; LANES], [T::ZERO; LANES]);
            let product = a.mul(S::Lanes::<T>::splat(T::ONE).div(divisor));
            let q = if self.corrected { quotient(a, divisor) } else { product };
            // SAFETY: arrays of 16 elements.
            unsafe {
                q.store(is.as_mut_ptr());
                a.div(divisor).store(must.as_mut_ptr());
            }
            let bits = |x: T| x.to_f64().to_bits();
            wrong += (0..LANES).filter(|&i| bits(is[i]) != bits(must[i])).count();
        }
        wrong
    }
}

fn check_quotients<T: Real>(isa: Isa, dividends: &[T], divisors: impl IntoIterator<Item = f64>) {
    for divisor in divisors {
        let divisor = T::from_f64(divisor);
        let wrong = isa.run(Wrong { dividends, divisor, corrected: true });
        assert_eq!(wrong, 0, "{} divided by {divisor:?}", isa.name());
    }
}

/// sqrt(1 - b2^t) of the first steps, and divisors next to powers of two.
fn divisors() -> impl Iterator<Item = f64> {
    let corrections = (1..60).map(|t| (1.0 - 0.999f64.powi(t * t)).sqrt());
    corrections.chain([1.0, 1.0 - 2f64.powi(-24), 0.5 + 2f64.powi(-24), 2f64.powi(-12)])
}

#[test]
fn quotients_are_those_of_divisions() {
    let ends = [0.0, f64::INFINITY, f64::from(f32::MAX).sqrt(), 2f64.powi(-74), 2f64.powi(64)];
    let some = (0..100_000).map(|i| f64::from(i).powi(3) * 0.37);
    let dividends: Vec<f64> = ends.into_iter().cycle().take(LANES).chain(some).collect();
    let narrow: Vec<f32> = dividends.iter().map(|&a| a as f32).collect();
    for isa in Isa::all() {
        check_quotients(isa, &narrow, divisors());
        check_quotients(isa, &dividends, divisors());
    }
}

#[test]
fn quotients_of_all_significands_are_right() {
    let dividends: Vec<f32> = (0..1 << 24).map(|i| f32::from_bits((127 << 23) + i)).collect();
    let isa = *Isa::all().last().expect("one");
    check_quotients(isa, &dividends, divisors().step_by(8));
}

#[test]
fn a_wrong_quotient_is_noticed() {
    let dividends: Vec<f32> = (1..100_001).map(|i| i as f32).collect();
    let divisor = 0.031_622_775;
    let wrong = Isa::PORTABLE.run(Wrong { dividends: &dividends, divisor, corrected: false });
    assert!(wrong > 0, "a product with the reciprocal is no quotient");
}
