//! Initial parameters.

use super::Words;
use crate::kernels::elementary::{Elementary, cos_two_pi};
use crate::simd::{Isa, Kernel, LANES, Real, Simd, Vector};

/// 2^-53, the distance between the numbers that 53 random bits give.
const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

/// Fills a tensor, or its next elements in canonical order, with numbers uniform on [-bound, bound).
///
/// Element e is `(2 u - 1) bound` rounded to `T`, u = (word e >> 11) 2^-53. Products and differences
/// round one by one, so that NumPy computes the same.
pub fn uniform<T: Real>(words: &mut Words, bound: f64, out: &mut [T]) {
    for (element, word) in out.iter_mut().zip(words) {
        let u = (word >> 11) as f64 * UNIT;
        *element = T::from_f64((2.0 * u - 1.0) * bound);
    }
}

/// Fills a tensor, or its next elements in canonical order, with normally distributed numbers (Box and
/// Muller).
///
/// Element e is `sqrt(-2 log(u1)) cos(2 pi u2) std` in `f64`, rounded to `T`;
/// u1 = ((word 2e >> 11) + 1) 2^-53, which is never 0, and u2 = (word 2e+1 >> 11) 2^-53.
pub fn normal<T: Real>(isa: Isa, words: &mut Words, std: f64, out: &mut [T]) {
    isa.run(Normal { words, std, out });
}

struct Normal<'a, T> {
    words: &'a mut Words,
    std: f64,
    out: &'a mut [T],
}

impl<T: Real> Kernel for Normal<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut unit = |least: u64| {
            let word = self.words.next().unwrap_or_default();
            ((word >> 11) + least) as f64 * UNIT
        };
        for elements in self.out.chunks_mut(LANES) {
            let (mut u1, mut u2, mut z) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                u1[i] = unit(1);
                u2[i] = unit(0);
            }
            // SAFETY: each array holds 16 values.
            unsafe {
                let u1 = S::Lanes::<f64>::load(u1.as_ptr());
                let u2 = S::Lanes::<f64>::load(u2.as_ptr());
                let radius = S::Lanes::<f64>::splat(-2.0).mul(<f64 as Elementary>::log(u1)).sqrt();
                let std = S::Lanes::<f64>::splat(self.std);
                radius.mul(cos_two_pi(u2)).mul(std).store(z.as_mut_ptr());
            }
            for (element, z) in elements.iter_mut().zip(z) {
                *element = T::from_f64(z);
            }
        }
    }
}
