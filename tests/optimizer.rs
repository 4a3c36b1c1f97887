//! Updates are their formulas, bit for bit, on every instruction set.

use ironmlp::kernels::optimizer::{Rule, Update, quotient};
use ironmlp::kernels::panels::Span;
use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd, Vector};
use proptest::prelude::*;

/// The formula for one element, written once more: plain operations of the type and its fma.
fn naive<T: Real>(rule: &Rule<T>, w: &mut T, g: T, m: &mut T, v: &mut T, ops: &Ops<T>) {
    let Ops { sub, div, sqrt, neg } = ops;
    let flush = |x: T| if x < T::FLUSH && neg(x) < T::FLUSH { T::ZERO } else { x };
    match *rule {
        Rule::Sgd { lr, momentum, weight_decay, nesterov } => {
            let g = if weight_decay == T::ZERO { g } else { weight_decay.fma(*w, g) };
            let step = if momentum == T::ZERO {
                g
            } else {
                let velocity = momentum.fma(*m, g);
                *m = flush(velocity);
                if nesterov { momentum.fma(velocity, g) } else { velocity }
            };
            *w = flush(neg(lr).fma(step, *w));
        }
        Rule::Adam {
            step_size,
            one_minus_b1,
            b2,
            one_minus_b2,
            sqrt_correction,
            eps,
            weight_decay,
        } => {
            let g = if weight_decay == T::ZERO { g } else { weight_decay.fma(*w, g) };
            let first = one_minus_b1.fma(sub(g, *m), *m);
            let second = b2.fma(*v, one_minus_b2.mul(g).mul(g));
            let denominator = div(sqrt(second), sqrt_correction).add(eps);
            *w = flush(neg(step_size).fma(div(first, denominator), *w));
            *m = flush(first);
            *v = flush(second);
        }
    }
}

/// What `Real` does not have.
struct Ops<T> {
    sub: fn(T, T) -> T,
    div: fn(T, T) -> T,
    sqrt: fn(T) -> T,
    neg: fn(T) -> T,
}

const OPS_32: Ops<f32> = Ops { sub: |a, b| a - b, div: |a, b| a / b, sqrt: f32::sqrt, neg: |a| -a };
const OPS_64: Ops<f64> = Ops { sub: |a, b| a - b, div: |a, b| a / b, sqrt: f64::sqrt, neg: |a| -a };

/// One parameter with its gradients and moments.
#[derive(Clone, Debug)]
struct Tensors<T> {
    w: Vec<T>,
    g: Vec<T>,
    m: Vec<T>,
    v: Vec<T>,
}

impl<T: Real> Tensors<T> {
    fn from(elements: &[[f64; 4]]) -> Self {
        let column = |i: usize| elements.iter().map(|e| T::from_f64(e[i])).collect();
        Self { w: column(0), g: column(1), m: column(2), v: column(3) }
    }

    fn update(&mut self, isa: Isa, rule: Rule<T>) {
        fn span<T>(x: &mut [T], used: bool) -> Span<T> {
            // SAFETY: the view is used while the vector lives, by one thread.
            if used { unsafe { Span::from_raw(x.as_mut_ptr(), x.len()) } } else { Span::empty() }
        }
        isa.run(Update {
            rule,
            w: span(&mut self.w, true),
            g: span(&mut self.g, true),
            m: span(&mut self.m, rule.uses_m()),
            v: span(&mut self.v, rule.uses_v()),
        });
    }

    fn update_naive(&mut self, rule: Rule<T>, ops: &Ops<T>) {
        for i in 0..self.w.len() {
            naive(&rule, &mut self.w[i], self.g[i], &mut self.m[i], &mut self.v[i], ops);
        }
    }

    fn bits(&self) -> Vec<u64> {
        let all = [&self.w, &self.g, &self.m, &self.v];
        all.into_iter().flatten().map(|x| x.to_f64().to_bits()).collect()
    }
}

fn rules<T: Real>() -> Vec<Rule<T>> {
    vec![
        Rule::sgd(0.1, 0.0, 0.0, false),
        Rule::sgd(0.01, 0.9, 0.0, false),
        Rule::sgd(0.01, 0.9, 0.0, true),
        Rule::sgd(0.3, 0.0, 1e-4, false),
        Rule::sgd(0.3, 0.5, 1e-2, true),
        Rule::adam(1e-3, (0.9, 0.999), 1e-8, 0.0, (0.9, 0.999)),
        Rule::adam(1e-2, (0.8, 0.99), 1e-3, 0.05, (0.8f64.powi(7), 0.99f64.powi(7))),
        Rule::adam(1e-3, (0.0, 0.0), 1e-80, 0.0, (0.0, 0.0)),
    ]
}

fn check<T: Real>(elements: &[[f64; 4]], ops: &Ops<T>) {
    for rule in rules::<T>() {
        let start = Tensors::<T>::from(elements);
        let mut expected = start.clone();
        expected.update_naive(rule, ops);
        expected.update_naive(rule, ops);
        for isa in Isa::all() {
            let mut tensors = start.clone();
            tensors.update(isa, rule);
            tensors.update(isa, rule);
            assert_eq!(tensors.bits(), expected.bits(), "{} {rule:?}", isa.name());
        }
    }
}

/// Numbers of every magnitude that training meets, among them some that are flushed.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -2.0..2.0f64,
        2 => (-40.0..4.0f64, any::<bool>()).prop_map(|(exponent, negative)| {
            10f64.powf(exponent) * if negative { -1.0 } else { 1.0 }
        }),
        1 => Just(0.0),
    ]
}

proptest! {
    #[test]
    fn updates_are_their_formulas(
        elements in (1usize..5).prop_flat_map(|blocks| {
            let element = (number(), number(), number(), number());
            prop::collection::vec(element.prop_map(|(w, g, m, v)| [w, g, m, v.abs()]), 16 * blocks)
        })
    ) {
        check(&elements, &OPS_32);
        check(&elements, &OPS_64);
    }
}

#[test]
fn numbers_are_rounded_once_from_f64() {
    let rule = Rule::<f32>::adam(1e-3, (0.9, 0.999), 1e-8, 0.0, (0.9 * 0.9, 0.999 * 0.999));
    assert_eq!(
        rule,
        Rule::Adam {
            step_size: (1e-3 / (1.0 - 0.9 * 0.9)) as f32,
            // Not 1.0f32 - 0.9f32, which is another number.
            one_minus_b1: (1.0f64 - 0.9) as f32,
            b2: 0.999,
            one_minus_b2: (1.0f64 - 0.999) as f32,
            sqrt_correction: (1.0 - 0.999f64 * 0.999).sqrt() as f32,
            eps: 1e-8,
            weight_decay: 0.0,
        }
    );
}

#[test]
fn a_parameter_without_gradient_stays_as_it_is() {
    // Padding has w = g = m = v = 0 and must not become 0/0, however small eps is in the type.
    for isa in Isa::all() {
        for rule in rules::<f32>() {
            let mut zeros = Tensors::<f32>::from(&[[0.0; 4]; 16]);
            zeros.update(isa, rule);
            assert_eq!(zeros.bits(), Tensors::<f32>::from(&[[0.0; 4]; 16]).bits(), "{rule:?}");
        }
    }
}

#[test]
fn small_magnitudes_are_stored_as_zero() {
    let tiny = 2f64.powi(-101);
    let least = 2f64.powi(-100);
    let mut elements = [[0.0; 4]; 16];
    elements[0] = [tiny, 0.0, tiny, 0.0];
    elements[1] = [-tiny, 0.0, -tiny, 0.0];
    elements[2] = [least, 0.0, least, 0.0];
    elements[3] = [-least, 0.0, -least, 0.0];
    for isa in Isa::all() {
        let mut tensors = Tensors::<f32>::from(&elements);
        tensors.update(isa, Rule::sgd(0.0, 1.0, 0.0, false));
        let least = least as f32;
        for x in [&tensors.w, &tensors.m] {
            let bits = |x: f32| x.to_bits();
            assert_eq!(
                [x[0], x[1], x[2], x[3]].map(bits),
                [0.0, 0.0, least, -least].map(bits),
                "{}",
                isa.name()
            );
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
