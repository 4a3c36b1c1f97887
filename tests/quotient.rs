//! Adam's quotients are those of divisions.

use ironmlp::kernels::optimizer::quotient;
use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd, Vector};

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
