//! Every vector operation gives the same bits on every instruction set of this host.

use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd, Vector};

/// Applies every operation to 16 lanes and returns all results, one after the other.
struct Operations<T> {
    a: [T; LANES],
    b: [T; LANES],
    c: [T; LANES],
    /// Positive normal numbers, for `exponent` and `mantissa`.
    normal: [T; LANES],
    /// Integers, for `pow2`.
    integers: [T; LANES],
}

impl<T: Real> Kernel for Operations<T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<T> {
        // SAFETY: each array holds LANES values.
        let (a, b, c, normal, integers) = unsafe {
            (
                S::Lanes::<T>::load(self.a.as_ptr()),
                S::Lanes::<T>::load(self.b.as_ptr()),
                S::Lanes::<T>::load(self.c.as_ptr()),
                S::Lanes::<T>::load(self.normal.as_ptr()),
                S::Lanes::<T>::load(self.integers.as_ptr()),
            )
        };
        type V<S, T> = <S as Simd>::Lanes<T>;
        let mut results = vec![
            a.add(b),
            a.sub(b),
            a.mul(b),
            a.div(b),
            a.fma(b, c),
            a.abs().sqrt(),
            a.max(b),
            a.min(b),
            a.round(),
            a.and(b),
            a.or(b),
            a.xor(b),
            integers.pow2(),
            normal.exponent(),
            normal.mantissa(),
            a.neg(),
            a.abs(),
            a.copysign(b),
            a.flush(),
            V::<S, T>::select(a.lt(b), a, c),
            V::<S, T>::select(a.le(b), a, c),
            V::<S, T>::select(a.eq(b), a, c),
            V::<S, T>::select(a.sign_mask(), b, c),
            V::<S, T>::select(V::<S, T>::both(a.lt(b), b.lt(c)), a, c),
            V::<S, T>::select(V::<S, T>::either(a.lt(b), b.lt(c)), a, c),
            if V::<S, T>::any(a.eq(b)) { a } else { b },
        ];
        for n in 0..=LANES {
            // SAFETY: n <= LANES values are read and written.
            unsafe {
                results.push(V::<S, T>::load_partial(self.a.as_ptr(), n));
                let mut target = self.b;
                a.store_partial(target.as_mut_ptr(), n);
                results.push(V::<S, T>::load(target.as_ptr()));
            }
        }
        let mut out = vec![T::ZERO; results.len() * LANES];
        for (i, result) in results.iter().enumerate() {
            // SAFETY: `out` holds LANES values for each result.
            unsafe { result.store(out.as_mut_ptr().add(i * LANES)) };
        }
        out
    }
}

const SPECIAL: [f64; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1.5,
    2.5,
    -2.5,
    1e-40,
    -1e-310,
    1e-30,
    3e38,
    -1e300,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    0.1,
    -7.3,
    1e9,
    123_456.789,
];

fn check<T: Real>(bits: fn(T) -> u64) {
    let isas = Isa::all();
    assert_eq!(isas[0].name(), "portable");
    for shift in 0..SPECIAL.len() {
        let lane = |stride: usize, i: usize| {
            T::from_f64(SPECIAL[(shift + i * stride + stride) % SPECIAL.len()])
        };
        let make = || Operations {
            a: std::array::from_fn(|i| lane(1, i)),
            b: std::array::from_fn(|i| lane(3, i)),
            c: std::array::from_fn(|i| lane(7, i)),
            normal: std::array::from_fn(|i| {
                T::from_f64(1.37e-5 * 7f64.powi(i as i32 - shift as i32))
            }),
            integers: std::array::from_fn(|i| {
                T::from_f64((i as f64 - 7.0) * 16.0 + shift as f64 - 14.0)
            }),
        };
        let reference = Isa::PORTABLE.run(make());
        for isa in &isas[1..] {
            let found = isa.run(make());
            for (i, (x, y)) in reference.iter().zip(&found).enumerate() {
                let both_nan = x.to_f64().is_nan() && y.to_f64().is_nan();
                assert!(
                    both_nan || bits(*x) == bits(*y),
                    "{}: operation {}, lane {}: {x} on portable, {y}",
                    isa.name(),
                    i / LANES,
                    i % LANES
                );
            }
        }
    }
}

#[test]
fn operations_are_equal_in_f32() {
    check::<f32>(|x| u64::from(x.to_bits()));
}

#[test]
fn operations_are_equal_in_f64() {
    check::<f64>(f64::to_bits);
}

#[test]
fn max_is_the_comparison() {
    // N7: a NaN in either operand gives the second one; so does a pair of equal zeros.
    struct Max(f32, f32);
    impl Kernel for Max {
        type Output = f32;
        #[inline(always)]
        fn run<S: Simd>(self) -> f32 {
            let mut out = [0.0; LANES];
            // SAFETY: `out` holds LANES values.
            unsafe {
                S::Lanes::<f32>::splat(self.0)
                    .max(S::Lanes::<f32>::splat(self.1))
                    .store(out.as_mut_ptr())
            };
            out[5]
        }
    }
    for isa in Isa::all() {
        assert_eq!(isa.run(Max(f32::NAN, 2.0)), 2.0);
        assert!(isa.run(Max(2.0, f32::NAN)).is_nan());
        assert!(isa.run(Max(0.0, -0.0)).is_sign_negative());
        assert!(isa.run(Max(-0.0, 0.0)).is_sign_positive());
    }
}

#[test]
fn pow2_exponent_and_mantissa_are_exact() {
    struct Split(f64);
    impl Kernel for Split {
        type Output = [f64; 3];
        #[inline(always)]
        fn run<S: Simd>(self) -> [f64; 3] {
            let x = S::Lanes::<f64>::splat(self.0);
            let mut out = [0.0; 3 * LANES];
            // SAFETY: `out` holds 3 * LANES values.
            unsafe {
                x.exponent().store(out.as_mut_ptr());
                x.mantissa().store(out.as_mut_ptr().add(LANES));
                x.exponent().pow2().store(out.as_mut_ptr().add(2 * LANES));
            }
            [out[0], out[LANES], out[2 * LANES]]
        }
    }
    for isa in Isa::all() {
        for x in [1.0, 1.999, 2.0, 3.7e-300, 8.1e307, f64::MIN_POSITIVE, f64::MAX] {
            let [exponent, mantissa, power] = isa.run(Split(x));
            assert!((1.0..2.0).contains(&mantissa));
            assert_eq!(mantissa * power, x);
            assert_eq!(exponent, x.log2().floor().min(1023.0));
        }
    }
}

#[test]
fn unknown_and_unsupported_names_are_errors() {
    let message = Isa::by_name("sse9").unwrap_err().to_string();
    assert!(message.contains("sse9") && message.contains("portable, avx2, avx512"), "{message}");
    for isa in Isa::all() {
        assert_eq!(Isa::by_name(isa.name()), Ok(isa));
    }
}

#[test]
fn the_callers_environment_comes_back() {
    use ironmlp::simd::FloatEnvironment;
    let before = FloatEnvironment::word();
    FloatEnvironment::flush_to_zero();
    let flushing = FloatEnvironment::word();
    assert_ne!(before, flushing);
    {
        let _environment = FloatEnvironment::enter();
        assert_eq!(FloatEnvironment::word() & !0x3f, before & !0x3f);
        let tiny = std::hint::black_box(f64::MIN_POSITIVE) / 2.0;
        assert!(tiny > 0.0);
    }
    assert_eq!(FloatEnvironment::word(), flushing);
    {
        let _default = FloatEnvironment::enter();
    }
    assert_eq!(FloatEnvironment::word(), flushing);
}
