//! Powers.

use super::rates::{RATES, Rates};
use crate::kernels::elementary::Elementary;
use crate::simd::{Isa, Kernel, Simd, Vector};

/// base^n for a base of at least 0 by squares and products, the lowest bit of n first; at most the largest
/// number.
pub(super) fn whole_power(base: f64, n: u64) -> f64 {
    let (mut square, mut left, mut product) = (base, n, 1.0);
    while left > 0 {
        if left & 1 == 1 {
            product *= square;
        }
        square *= square;
        left >>= 1;
    }
    if product < f64::MAX { product } else { f64::MAX }
}

/// x^p of 16 numbers x from 0 to 1, for p at least 0.
pub struct Powers {
    pub(super) x: Rates,
    pub(super) p: f64,
}

impl Powers {
    /// exp(p log x); x itself for p = 1, and 1 for p = 0.
    pub(super) fn computed(self, isa: Isa) -> Rates {
        if self.p == 0.0 {
            return [1.0; RATES];
        }
        if self.p == 1.0 { self.x } else { isa.run(self) }
    }
}

impl Kernel for Powers {
    type Output = Rates;

    #[inline(always)]
    fn run<S: Simd>(self) -> Rates {
        let mut powers = [0.0; RATES];
        // SAFETY: both arrays hold 16 numbers.
        unsafe {
            let log = <f64 as Elementary>::log(S::Lanes::<f64>::load(self.x.as_ptr()));
            let power = <f64 as Elementary>::exp(S::Lanes::<f64>::splat(self.p).mul(log));
            power.store(powers.as_mut_ptr());
        }
        powers
    }
}
