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

impl<T: Real> Operations<T> {
    /// The lanes of a shorter vector are the first of each result; the others are unspecified.
    #[inline(always)]
    fn results<V: Vector<T>>(self) -> Vec<T> {
        // SAFETY: each array holds LANES values.
        let (a, b, c, normal, integers) = unsafe {
            (
                V::load(self.a.as_ptr()),
                V::load(self.b.as_ptr()),
                V::load(self.c.as_ptr()),
                V::load(self.normal.as_ptr()),
                V::load(self.integers.as_ptr()),
            )
        };
        // SAFETY: no vector has fewer than four lanes.
        let (first_a, first_b) =
            unsafe { (V::load_partial(self.a.as_ptr(), 4), V::load_partial(self.b.as_ptr(), 4)) };
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
            a.unless_negative(b),
            a.flush(),
            V::select(a.lt(b), a, c),
            V::select(a.le(b), a, c),
            V::select(a.eq(b), a, c),
            V::select(a.sign_mask(), b, c),
            V::select(V::both(a.lt(b), b.lt(c)), a, c),
            V::select(V::either(a.lt(b), b.lt(c)), a, c),
            if V::any(first_a.lt(first_b)) { a } else { b },
        ];
        for n in 0..=V::LANES {
            // SAFETY: n <= V::LANES values are read and written.
            unsafe {
                results.push(V::load_partial(self.a.as_ptr(), n));
                let mut target = self.b;
                a.store_partial(target.as_mut_ptr(), n);
                results.push(V::load(target.as_ptr()));
            }
        }
        let mut out = vec![T::ZERO; results.len() * LANES];
        for (i, result) in results.iter().enumerate() {
            // SAFETY: `out` holds LANES values for each result, and no vector has more.
            unsafe { result.store(out.as_mut_ptr().add(i * LANES)) };
        }
        out
    }
}

impl<T: Real> Kernel for Operations<T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<T> {
        self.results::<S::Lanes<T>>()
    }
}

/// The same, of four lanes.
struct FourLanes<T>(Operations<T>);

impl<T: Real> Kernel for FourLanes<T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Vec<T> {
        self.0.results::<S::Four<T>>()
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
            let found = [(isa.run(make()), LANES), (isa.run(FourLanes(make())), 4)];
            let lanes = found.iter().flat_map(|(found, lanes)| {
                let known = |(i, _): &(usize, _)| i % LANES < *lanes;
                reference.iter().zip(found).enumerate().filter(known)
            });
            for (i, (x, y)) in lanes {
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

/// The transposes of a block of 16 x 16, by `turn`, by `turn_four` and by `turn` of four lanes.
struct Turns<'a, T>(&'a [T; LANES * LANES]);

impl<T: Real> Kernel for Turns<'_, T> {
    type Output = Vec<(usize, usize, [T; LANES * LANES])>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Self::Output {
        let lanes = <S::Register<T> as Vector<T>>::LANES;
        let four = <S::Four<T> as Vector<T>>::LANES;
        let mut out = [(lanes, lanes), (lanes, 4), (four, four)]
            .map(|(rows, cols)| (rows, cols, [T::ZERO; LANES * LANES]));
        let from = self.0.as_ptr();
        // SAFETY: both are blocks of 16 x 16.
        unsafe {
            S::Register::<T>::turn(from, out[0].2.as_mut_ptr(), LANES);
            S::Register::<T>::turn_four(from, out[1].2.as_mut_ptr(), LANES);
            S::Four::<T>::turn(from, out[2].2.as_mut_ptr(), LANES);
        }
        out.to_vec()
    }
}

fn check_turns<T: Real>() {
    let source = std::array::from_fn(|i| T::from_f64(i as f64 + 1.0));
    for isa in Isa::all() {
        for (rows, cols, target) in isa.run(Turns(&source)) {
            for (i, x) in target.iter().enumerate() {
                let (col, row) = (i / LANES, i % LANES);
                let inside = row < rows && col < cols;
                let expected = if inside { source[row * LANES + col] } else { T::ZERO };
                assert_eq!(*x, expected, "{}: {rows} x {cols}", isa.name());
            }
        }
    }
}

#[test]
fn turned_blocks_are_the_transposes() {
    check_turns::<f32>();
    check_turns::<f64>();
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
fn scale_rounds_once() {
    struct Scale(f32, f32);
    impl Kernel for Scale {
        type Output = Option<f32>;
        #[inline(always)]
        fn run<S: Simd>(self) -> Option<f32> {
            let scaled = S::Lanes::<f32>::splat(self.0).scale(S::Lanes::<f32>::splat(self.1))?;
            let mut out = [0.0; LANES];
            // SAFETY: `out` holds LANES values.
            unsafe { scaled.store(out.as_mut_ptr()) };
            Some(out[0])
        }
    }
    for isa in Isa::all() {
        for x in [1.0, 0.7, 1.3333334, -1.999_999_9, f32::NAN] {
            for k in -160..=130 {
                // Of f64 the product is exact.
                let must = (f64::from(x) * 2f64.powi(k)) as f32;
                if let Some(scaled) = isa.run(Scale(x, k as f32)) {
                    assert!(scaled.to_bits() == must.to_bits() || x.is_nan() && scaled.is_nan());
                } else {
                    assert_ne!(isa.name(), "avx512");
                }
            }
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
