//! The elementary functions: f64 against 50-digit values (tests/golden/make_elementary.py), f32 at
//! some 131,000 arguments against the C library; `elementary_exhaustive.rs` takes all of them.

use crate::support::elementary::{Function, apply};
use ironmlp::kernels::elementary::cos_two_pi;
use ironmlp::simd::{Isa, Kernel, LANES, Simd, Vector};

/// An argument, the f64 nearest to the value there, and the rest of the value in ULP of that.
#[derive(Clone, Copy, Debug)]
struct Point {
    x: f64,
    nearest: f64,
    rest: f64,
}

/// The points of a function.
fn golden(name: &str) -> Vec<Point> {
    let number = |hex| f64::from_bits(u64::from_str_radix(hex, 16).unwrap());
    let points: Vec<_> = include_str!("golden/elementary.txt")
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|fields| fields[0] == name)
        .map(|fields| Point {
            x: number(fields[1]),
            nearest: number(fields[2]),
            rest: fields[3].parse().unwrap(),
        })
        .collect();
    assert!(points.len() > 100, "{name}");
    points
}

/// The golden function of each function, and whether it takes -x.
fn source(function: Function) -> (&'static str, bool) {
    match function {
        Function::Exp => ("exp", false),
        Function::Expm1 => ("expm1", false),
        Function::Log => ("log", false),
        Function::Log1p => ("log1p", false),
        Function::Sigmoid | Function::LogitsSigmoid => ("sigmoid", false),
        Function::LogitsSigmoidNeg => ("sigmoid", true),
        Function::Tanh => ("tanh", false),
        Function::Softplus | Function::LogitsSoftplus => ("softplus", false),
        Function::LogitsSoftplusNeg => ("softplus", true),
        Function::Erf => ("erf", false),
        Function::Silu => ("silu", false),
        Function::Mish => ("mish", false),
        Function::Gelu => ("gelu", false),
        Function::GeluTanh => ("gelu_tanh", false),
    }
}

/// The size of the last place of a finite number.
fn ulp(x: f64) -> f64 {
    let power = f64::from_bits(x.abs().to_bits() >> 52 << 52);
    (power * f64::EPSILON).max(f64::from_bits(1))
}

/// The error of `got` in ULP of the true value; infinite for a wrong infinity, NaN or sign of zero.
fn error64(point: Point, got: f64) -> f64 {
    let Point { nearest, rest, .. } = point;
    let special = |x: f64| !x.is_finite() || x == 0.0;
    if special(got) && special(nearest) {
        let same = got.is_nan() && nearest.is_nan() || got.to_bits() == nearest.to_bits();
        return if same { rest.abs() } else { f64::INFINITY };
    }
    if !got.is_finite() || !nearest.is_finite() {
        return f64::INFINITY;
    }
    let error = ((got - nearest) / ulp(nearest) - rest).abs();
    // A value just below a power of two has a last place of half the size.
    let below = nearest.to_bits() << 12 == 0 && rest * nearest < 0.0;
    if below && nearest.abs() > f64::MIN_POSITIVE { 2.0 * error } else { error }
}

/// The error in eps * abs(x), for functions that are x times a number up to 1.
fn error64_by_argument(point: Point, got: f64) -> f64 {
    let Point { x, nearest, rest } = point;
    if x == 0.0 || !x.is_finite() || !got.is_finite() {
        return error64(point, got);
    }
    // The numbers around the value are never further apart than eps * abs(x) or 2^-1074.
    let unit = f64::EPSILON * x.abs() + f64::from_bits(1);
    (got - nearest - rest * ulp(nearest)).abs() / unit
}

fn error(function: Function, point: Point, got: f64) -> f64 {
    if function.absolute() { error64_by_argument(point, got) } else { error64(point, got) }
}

struct CosTwoPi<'a>(&'a mut Vec<f64>);

impl Kernel for CosTwoPi<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for u in self.0.chunks_mut(LANES) {
            // SAFETY: the chunk has as many elements as it says, at most LANES.
            unsafe {
                let lanes = S::Lanes::<f64>::load_partial(u.as_ptr(), u.len());
                cos_two_pi(lanes).store_partial(u.as_mut_ptr(), u.len());
            }
        }
    }
}

fn values(isa: Isa, function: Function, points: &[Point]) -> Vec<f64> {
    let x: Vec<_> = points.iter().map(|point| point.x).collect();
    let mut y = vec![f64::NAN; x.len()];
    apply(isa, function, &x, &mut y);
    y
}

fn points_of(function: Function) -> Vec<Point> {
    let (name, negated) = source(function);
    let sign = if negated { -1.0 } else { 1.0 };
    golden(name).into_iter().map(|p| Point { x: sign * p.x, ..p }).collect()
}

#[test]
fn float64_is_right_to_2_ulp() {
    for function in Function::ALL {
        let points = points_of(function);
        for isa in Isa::all() {
            let found = values(isa, function, &points);
            let worst = points
                .iter()
                .zip(found)
                .map(|(&point, got)| (error(function, point, got), point, got))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .unwrap();
            println!("{function:?} on {}: {:.3} at {:e}", isa.name(), worst.0, worst.1.x);
            assert!(worst.0 <= function.bound64(), "{function:?} on {}: {worst:?}", isa.name());
        }
    }
}

#[test]
fn the_cosine_of_a_turn_is_right_to_2_ulp() {
    let points: Vec<_> = golden("cos_two_pi").into_iter().filter(|p| !p.x.is_nan()).collect();
    for isa in Isa::all() {
        let mut found: Vec<_> = points.iter().map(|point| point.x).collect();
        isa.run(CosTwoPi(&mut found));
        for (&point, got) in points.iter().zip(found) {
            assert!(error64(point, got) <= 2.0, "{} {point:?}: {got:e}", isa.name());
        }
    }
}

/// Every value moved to one that is just out of bounds, on either side, and to the ones that
/// nothing but a special case tells apart.
#[test]
fn a_wrong_value_in_float64_is_caught() {
    for function in Function::ALL {
        for point in points_of(function) {
            let Point { x, nearest, .. } = point;
            if !nearest.is_finite() {
                assert!(error(function, point, 1.0) > function.bound64());
                assert!(error(function, point, -nearest) > function.bound64() || nearest.is_nan());
                continue;
            }
            let unit = if function.absolute() { f64::EPSILON * x.abs() } else { ulp(nearest) };
            let steps = (function.bound64() + 2.0) * (unit + f64::from_bits(1));
            for wrong in [nearest + steps, nearest - steps, f64::NAN] {
                let error = error(function, point, wrong);
                assert!(wrong.is_infinite() || error > function.bound64(), "{point:?}: {wrong:e}");
            }
            if nearest == 0.0 && x == 0.0 {
                assert!(error(function, point, -nearest) > function.bound64());
            }
        }
    }
}

/// Where the exhaustive test found the largest errors; at the last, tanh was once beyond its bound.
const WORST: [u32; 12] = [
    0x4240b95a, 0x3eb21fe6, 0x3f3fe304, 0xbe8019f3, 0x3eb3f347, 0x3e004ec5, 0xbfa69282, 0x3f6e3c75,
    0x4100bd16, 0xbf94a07f, 0x3e320c67, 0xc0be4731,
];

/// Zeros, subnormal and normal numbers of every exponent, infinities, NaN, and the worst arguments.
fn sample() -> Vec<f32> {
    let low_bits = |high: u32| [0, high.wrapping_mul(0x9e37_79b9) >> 16];
    let spread = (0..1 << 16).flat_map(|high| low_bits(high).map(|low| high << 16 | low));
    spread.chain(WORST).map(f32::from_bits).collect()
}

#[test]
fn float32_is_right_at_a_sample() {
    let x = sample();
    for function in Function::ALL {
        let mut portable = vec![0f32; x.len()];
        apply(Isa::PORTABLE, function, &x, &mut portable);
        for (&at, &got) in x.iter().zip(&portable) {
            let error = function.error32(at, got);
            assert!(error <= function.bound32(), "{function:?}({at:e}) = {got:e}: {error}");
        }
        for isa in Isa::all() {
            let mut found = vec![0f32; x.len()];
            apply(isa, function, &x, &mut found);
            for ((at, a), b) in x.iter().zip(&portable).zip(&found) {
                let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                assert!(same, "{function:?}({at:e}) on {}: {b:e}, not {a:e}", isa.name());
            }
        }
    }
}

#[test]
fn a_wrong_value_in_float32_is_caught() {
    for function in Function::ALL {
        for at in sample() {
            let want = function.reference(f64::from(at));
            let near = want as f32;
            if want.is_nan() || near.is_infinite() {
                assert!(function.error32(at, 1.0) > function.bound32());
                continue;
            }
            let size = f64::from(if function.absolute() { at } else { near }).abs();
            let unit = f64::from(f32::EPSILON) * size + f64::from(f32::from_bits(1));
            let steps = (function.bound32() + 2.0) * unit;
            for wrong in [want + steps, want - steps, f64::NAN].map(|wrong| wrong as f32) {
                let error = function.error32(at, wrong);
                assert!(wrong.is_infinite() || error > function.bound32(), "{function:?}({at:e})");
            }
            if at == 0.0 && near == 0.0 {
                assert!(function.error32(at, -near) > function.bound32());
            }
        }
    }
}
