//! What is done to gradients and parameters beside formulas, bit for bit, on every instruction set.

use ironmlp::kernels::optimizer::{BatchWeight, Options, Terms, moved_average};
use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd, Vector};

/// 16 parameters, gradients and averages.
type Lanes<T> = [[T; LANES]; 3];

/// The gradients with their terms, and the averages moved.
struct Done<T> {
    terms: Terms<T>,
    rest: T,
    lanes: Lanes<T>,
}

impl<T: Real> Kernel for Done<T> {
    type Output = [[T; LANES]; 2];

    #[inline(always)]
    fn run<S: Simd>(self) -> Self::Output {
        let mut found = [[T::ZERO; LANES]; 2];
        // SAFETY: all arrays hold 16 values.
        unsafe {
            let [w, g, average] = self.lanes.each_ref().map(|x| S::Lanes::<T>::load(x.as_ptr()));
            self.terms.lanes(w, g).store(found[0].as_mut_ptr());
            let rest = S::Lanes::<T>::splat(self.rest);
            moved_average(rest, w, average).store(found[1].as_mut_ptr());
        }
        found
    }
}

fn minus<T: Real>(x: T) -> T {
    T::ZERO.add(x.mul(T::from_f64(-1.0)))
}

/// The same of one element.
fn naive<T: Real>(terms: Terms<T>, rest: T, [w, g, average]: [T; 3]) -> [T; 2] {
    let mut slope = g;
    if terms.l2 != T::ZERO {
        slope = terms.l2.fma(w, slope);
    }
    if terms.l1 != T::ZERO {
        let sign = if w > T::ZERO { 1.0 } else { -1.0 };
        let sign = if w == T::ZERO || w.to_f64().is_nan() { w } else { T::from_f64(sign) };
        slope = terms.l1.fma(sign, slope);
    }
    if let Some(limit) = terms.limit {
        if slope < minus(limit) {
            slope = minus(limit);
        }
        if limit < slope {
            slope = limit;
        }
    }
    let moved = rest.fma(w.add(minus(average)), average);
    let small = moved < T::FLUSH && minus(moved) < T::FLUSH;
    [slope, if small { T::ZERO } else { moved }]
}

fn bits<T: Real>(x: T) -> u64 {
    let x = x.to_f64();
    if x.is_nan() { u64::MAX } else { x.to_bits() }
}

fn check<T: Real>() {
    let number = |i: usize, k: usize| {
        let special = [0.0, -0.0, f64::NAN, f64::INFINITY, 1e-40, -3.0, 1e30];
        let drawn = ((i * 37 + k * 101 + 11) % 199) as f64 / 50.0 - 2.0;
        T::from_f64(if (i + 3 * k).is_multiple_of(4) { special[(i / 4 + k) % 7] } else { drawn })
    };
    for (l1, l2) in [(0.0, 0.0), (0.3, 0.0), (0.0, 0.7), (1e-3, 2.0)] {
        for limit in [None, Some(0.01), Some(1e9)] {
            let terms =
                Terms { l1: T::from_f64(l1), l2: T::from_f64(l2), limit: limit.map(T::from_f64) };
            for rest in [1e-3, 0.25, 1.0].map(T::from_f64) {
                for start in 0..20 {
                    let lanes: Lanes<T> = [0, 1, 2]
                        .map(|k| std::array::from_fn(|lane| number(start * LANES + lane, k)));
                    for isa in Isa::all() {
                        let found = isa.run(Done { terms, rest, lanes });
                        for lane in 0..LANES {
                            let expected = naive(terms, rest, lanes.map(|x| x[lane]));
                            for (a, b) in found.map(|x| x[lane]).into_iter().zip(expected) {
                                assert_eq!(bits(a), bits(b), "{} {terms:?} {lane}", isa.name());
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn terms_and_averages_are_their_formulas() {
    check::<f32>();
    check::<f64>();
}

#[test]
fn a_share_of_no_weight_is_none_and_units_are_exact() {
    assert_eq!(BatchWeight { sum: 0.0, unit: 1.0 }.share(0.5), 0.0);
    for unit in [1e-300_f64, 1.0, 1e300] {
        let unit = f64::from_bits(unit.to_bits() & f64::INFINITY.to_bits());
        assert_eq!(BatchWeight { sum: 3.0, unit }.share(0.7 * unit), 0.7 / 3.0);
    }
}

#[test]
fn a_factor_is_pytorchs_and_never_above_one() {
    let options = |clip_norm| Options { clip_norm, ..Options::default() };
    assert_eq!(options(None).factor(4.0), None);
    assert_eq!(options(Some(0.5)).factor(4.0), Some(0.5 / (2.0 + 1e-6)));
    for squares in [0.0, 0.04, f64::NAN] {
        assert_eq!(options(Some(0.5)).factor(squares), Some(1.0));
    }
    assert_eq!(options(Some(0.5)).factor(f64::INFINITY), Some(0.0));
}
