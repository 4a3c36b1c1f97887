//! Powers.

use super::formula::{RATES, Rates};
use crate::kernels::elementary::Elementary;
use crate::simd::Vector;

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

/// exp(p log x) for each x from 0 to 1 and p at least 0; x itself for p = 1, and 1 for p = 0.
#[inline(always)]
pub(super) fn powers<V: Vector<f64>>(x: Rates, p: f64) -> Rates {
    if p == 1.0 {
        return x;
    }
    let mut powers = [1.0; RATES];
    if p != 0.0 {
        // SAFETY: both arrays have as many numbers as V has lanes.
        unsafe {
            let log = <f64 as Elementary>::log(V::load(x.as_ptr()));
            <f64 as Elementary>::exp(V::splat(p).mul(log)).store(powers.as_mut_ptr());
        }
    }
    powers
}
