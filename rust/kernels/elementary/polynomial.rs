//! Polynomials by Horner's rule.

use crate::simd::{Real, Vector};

/// `c[0] + c[1] x + c[2] x^2 + ...`, a chain of fused multiply-adds from the last coefficient.
#[inline(always)]
pub(super) fn polynomial<T: Real, V: Vector<T>>(x: V, c: &[T]) -> V {
    let (last, rest) = match c.split_last() {
        Some((&last, rest)) => (V::splat(last), rest),
        None => (V::zero(), c),
    };
    rest.iter().rev().fold(last, |sum, &c| sum.fma(x, V::splat(c)))
}
