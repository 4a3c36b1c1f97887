//! Schedules are their formulas, with the same bits on every instruction set and from wherever rates
//! are computed ahead.

use std::f64::consts::PI;

use ironmlp::kernels::schedule::{
    CosineAnnealing, Counted, Curve, Exponential, MultiStep, OneCycle, Polynomial, RATES, Schedule,
    Step, WarmRestarts, Warmup,
};
use ironmlp::simd::Isa;
use proptest::prelude::*;

/// How far a rate may be from the C library's, of the largest of a schedule: some roundings each, and
/// those of a power of up to 2^40.
const WITHIN: f64 = 1e-13;

fn annealed(from: f64, to: f64, done: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * done).cos()) / 2.0
}

/// The formula of a curve, as PyTorch's documentation has it.
fn formula(curve: &Curve, t: u64) -> f64 {
    match curve {
        Curve::Step(s) => s.lr * s.gamma.powf((t / s.step_size) as f64),
        Curve::MultiStep(s) => {
            let behind = s.milestones.iter().filter(|&&milestone| milestone <= t).count();
            s.lr * s.gamma.powf(behind as f64)
        }
        Curve::Exponential(s) => s.lr * s.gamma.powf(t as f64),
        Curve::CosineAnnealing(s) => {
            let done = if t < s.t_max { t as f64 / s.t_max as f64 } else { 1.0 };
            annealed(s.lr, s.eta_min, done)
        }
        Curve::WarmRestarts(s) => {
            let (mut left, mut length) = (u128::from(t), u128::from(s.t_0));
            while left >= length {
                left -= length;
                length *= u128::from(s.t_mult);
            }
            annealed(s.lr, s.eta_min, left as f64 / length as f64)
        }
        Curve::OneCycle(s) => {
            let (first, end) = (s.max_lr / s.div_factor, (s.total_steps - 1) as f64);
            let top = s.pct_start * s.total_steps as f64 - 1.0;
            let t = if (t as f64) < end { t as f64 } else { end };
            if t <= top {
                let done = if top > 0.0 { t / top } else { 1.0 };
                return annealed(first, s.max_lr, done);
            }
            annealed(s.max_lr, first / s.final_div_factor, (t - top) / (end - top))
        }
        Curve::Polynomial(s) => {
            let left = s.total_iters.saturating_sub(t) as f64 / s.total_iters as f64;
            s.lr * left.powf(s.power)
        }
    }
}

fn schedule(curve: Curve, warmup: Option<Warmup>) -> Schedule {
    Schedule { curve, counted: Counted::Steps, warmup }
}

fn expected(schedule: &Schedule, t: u64) -> f64 {
    match schedule.warmup {
        Some(Warmup { steps, start }) if t < steps => {
            formula(&schedule.curve, 0) * (start + (1.0 - start) * t as f64 / steps as f64)
        }
        Some(Warmup { steps, .. }) => formula(&schedule.curve, t - steps),
        None => formula(&schedule.curve, t),
    }
}

/// Compares the rates of a schedule from a count on with the formula, by every instruction set.
fn check(schedule: &Schedule, first: u64) {
    let rates = schedule.rates(Isa::PORTABLE, first);
    for isa in Isa::all() {
        let bits = schedule.rates(isa, first).map(f64::to_bits);
        assert_eq!(bits, rates.map(f64::to_bits), "{} {schedule:?} from {first}", isa.name());
    }
    for (k, rate) in rates.into_iter().enumerate() {
        let t = first.saturating_add(k as u64);
        let must = expected(schedule, t);
        let size = must.abs() + 1e-3 * expected(schedule, 0).abs();
        assert!(rate >= 0.0, "{schedule:?} at {t}: {rate}");
        assert!(
            (rate - must).abs() <= WITHIN * size,
            "{schedule:?} at {t}: {rate}, must be {must}"
        );
        // Wherever the rates that are computed together begin.
        let alone = schedule.rates(Isa::PORTABLE, t)[0];
        assert_eq!(rate.to_bits(), alone.to_bits(), "{schedule:?} at {t}");
    }
}

fn curves() -> impl Strategy<Value = Curve> {
    let (rate, count) = (1e-4..2.0f64, 1..60u64);
    let gamma = prop_oneof![Just(0.0), Just(1.0), 0.05..1.05f64];
    let other = prop_oneof![Just(0.0), 1e-5..0.5f64];
    prop_oneof![
        (rate.clone(), count.clone(), gamma.clone())
            .prop_map(|(lr, step_size, gamma)| Curve::Step(Step { lr, step_size, gamma })),
        (rate.clone(), proptest::collection::vec(0..80u64, 0..6), gamma.clone()).prop_map(
            |(lr, mut milestones, gamma)| {
                milestones.sort_unstable();
                Curve::MultiStep(MultiStep { lr, milestones, gamma })
            }
        ),
        (rate.clone(), gamma).prop_map(|(lr, gamma)| Curve::Exponential(Exponential { lr, gamma })),
        (rate.clone(), count.clone(), other.clone()).prop_map(|(lr, t_max, eta_min)| {
            Curve::CosineAnnealing(CosineAnnealing { lr, t_max, eta_min })
        }),
        (rate.clone(), count.clone(), 1..4u64, other).prop_map(|(lr, t_0, t_mult, eta_min)| {
            Curve::WarmRestarts(WarmRestarts { lr, t_0, t_mult, eta_min })
        }),
        (rate.clone(), count.clone(), 0.0..=1.0f64, 0.5..40.0f64, 0.5..1e3f64).prop_map(
            |(max_lr, total_steps, pct_start, div_factor, final_div_factor)| {
                let numbers =
                    OneCycle { max_lr, total_steps, pct_start, div_factor, final_div_factor };
                Curve::OneCycle(numbers)
            }
        ),
        (rate, count, prop_oneof![Just(0.0), Just(1.0), 0.1..5.0f64]).prop_map(
            |(lr, total_iters, power)| Curve::Polynomial(Polynomial { lr, total_iters, power })
        ),
    ]
}

proptest! {
    #[test]
    fn rates_are_the_formulas(
        curve in curves(),
        first in 0..200u64,
        steps in proptest::option::of((1..50u64, 0.0..=1.0f64)),
    ) {
        let warmup = steps.map(|(steps, start)| Warmup { steps, start });
        check(&schedule(curve, warmup), first);
    }
}

#[test]
fn the_ends_are_exact() {
    let at = |curve: &Curve, t| schedule(curve.clone(), None).rates(Isa::PORTABLE, t)[0];
    let cosine = Curve::CosineAnnealing(CosineAnnealing { lr: 0.1, t_max: 7, eta_min: 0.0 });
    assert_eq!((at(&cosine, 0), at(&cosine, 7), at(&cosine, u64::MAX)), (0.1, 0.0, 0.0));
    let cosine = Curve::CosineAnnealing(CosineAnnealing { lr: 0.1, t_max: 7, eta_min: 0.3 });
    assert_eq!((at(&cosine, 7), at(&cosine, 1 << 60)), (0.3, 0.3));
    let line = Curve::Polynomial(Polynomial { lr: 0.1, total_iters: 4, power: 1.0 });
    assert_eq!((at(&line, 0), at(&line, 2), at(&line, 4)), (0.1, 0.05, 0.0));
    assert_eq!(at(&line, u64::MAX), 0.0);
    let constant = Curve::Polynomial(Polynomial { lr: 0.1, total_iters: 4, power: 0.0 });
    assert_eq!((at(&constant, 4), at(&constant, 9)), (0.1, 0.1));
    let restarts = WarmRestarts { lr: 0.1, t_0: 3, t_mult: 2, eta_min: 0.0 };
    let restarts = Curve::WarmRestarts(restarts);
    assert_eq!([0, 3, 9, 21].map(|t| at(&restarts, t)), [0.1; 4]);
    let cycle = OneCycle {
        max_lr: 0.5,
        total_steps: 10,
        pct_start: 0.5,
        div_factor: 5.0,
        final_div_factor: 10.0,
    };
    let cycle = Curve::OneCycle(cycle);
    assert_eq!((at(&cycle, 4), at(&cycle, 9), at(&cycle, 10)), (0.5, 0.01, 0.01));
    assert_eq!(at(&cycle, u64::MAX), 0.01);
}

#[test]
fn rates_of_any_count_are_finite() {
    for (lr, gamma) in [(0.0, 2.0), (1e300, 1.5), (0.1, 1e300), (1.0, 0.0), (0.5, 0.999_999)] {
        let curve = Curve::Exponential(Exponential { lr, gamma });
        for first in [0, 1, 1 << 20, 1 << 52, u64::MAX - 3, u64::MAX] {
            let rates = schedule(curve.clone(), None).rates(Isa::PORTABLE, first);
            assert!(
                rates.iter().all(|rate| rate.is_finite() && *rate >= 0.0),
                "{lr} {gamma} {rates:?}"
            );
        }
    }
    let growing = WarmRestarts { lr: 1.0, t_0: u64::MAX / 2, t_mult: u64::MAX, eta_min: 0.5 };
    for first in [0, u64::MAX / 2, u64::MAX] {
        let rates =
            schedule(Curve::WarmRestarts(growing.clone()), None).rates(Isa::PORTABLE, first);
        assert!(rates.iter().all(|rate| (0.5..=1.0).contains(rate)), "{rates:?}");
    }
    assert_eq!(RATES, 16);
}
