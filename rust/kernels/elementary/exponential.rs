//! exp and expm1.

use super::coefficients::Coefficients;
use super::polynomial::polynomial;
use crate::simd::Vector;

/// e^x = 2^k (1 + q), q = head + curve.
pub(super) struct Reduced<V> {
    /// The power of two.
    pub k: V,
    /// x - k LN2, exact, at most ln(2) / 2 in magnitude.
    pub head: V,
    /// What is left of q: the rest of ln 2 and the polynomial. At most 0.07 in magnitude, so its
    /// rounding error is an eighth of that of q.
    pub curve: V,
}

impl<V> Reduced<V> {
    /// e^r - 1, rounded once from two nearly exact terms.
    #[inline(always)]
    pub fn q<T: Coefficients>(&self) -> V
    where
        V: Vector<T>,
    {
        self.head.add(self.curve)
    }
}

/// Splits e^x; the caller bounds x so that 2^k is meaningful.
#[inline(always)]
pub(super) fn reduce<T: Coefficients, V: Vector<T>>(x: V) -> Reduced<V> {
    let rounder = V::splat(T::ROUNDER);
    let k = x.fma(V::splat(T::LOG2_E), rounder).sub(rounder);
    let head = k.neg().fma(V::splat(T::LN2), x);
    let rest = k.mul(V::splat(T::LN2_REST));
    let r = head.sub(rest);
    let curve = r.mul(r).fma(polynomial(r, T::EXP), rest.neg());
    Reduced { k, head, curve }
}

/// p 2^-k, rounded once, for p in [1/2, 2) and integers k from 0 to where that rounds to +0.
#[inline(always)]
pub(super) fn scale_down<T: Coefficients, V: Vector<T>>(p: V, k: V) -> V {
    if let Some(scaled) = p.scale(k.neg()) {
        return scaled;
    }
    // 2^-k itself need not be a normal number: the factor is split so that the first product is
    // exact and the second one alone rounds.
    p.mul(V::splat(T::SHIFT).sub(k).pow2()).mul(V::splat(T::UNSHIFT))
}

/// e^x.
#[inline(always)]
pub(super) fn exp<T: Coefficients, V: Vector<T>>(x: V) -> V {
    // The constant comes first: `max` and `min` give their second argument for a NaN.
    let x = V::splat(T::EXP_LOW).max(x);
    let x = V::splat(T::EXP_HIGH).min(x);
    let reduced = reduce(x);
    // As in `scale_down`, in either direction.
    let down = x.sign_mask();
    let shift = V::splat(T::SHIFT);
    let unshift = V::splat(T::UNSHIFT);
    let first = reduced.k.add(V::select(down, shift, shift.neg())).pow2();
    let second = V::select(down, unshift, V::splat(T::RESHIFT));
    reduced.q().add(V::splat(T::ONE)).mul(first).mul(second)
}

/// e^x for x <= 0 (or NaN), the same bits as [`exp`] with less work.
#[inline(always)]
pub(super) fn exp_nonpositive<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let reduced = reduce(V::splat(T::EXP_LOW).max(x));
    scale_down(reduced.q().add(V::splat(T::ONE)), reduced.k.neg())
}

/// e^x - 1.
#[inline(always)]
pub(super) fn expm1<T: Coefficients, V: Vector<T>>(x: V) -> V {
    let x = V::splat(T::EXPM1_LIMIT).neg().max(x);
    let x = V::splat(T::EXP_HIGH).min(x);
    let reduced = reduce(x);
    let (k, q) = (reduced.k, reduced.q());
    // 2 (2^(k-1) q + (2^(k-1) - 1/2)): k may be one above the largest exponent.
    let half = k.sub(V::splat(T::ONE)).pow2();
    let sum = half.fma(q, half.sub(V::constant(0.5)));
    // Halving a subnormal q would lose its last bit, and -0 its sign in q.
    V::select(k.eq(V::zero()), q, sum.add(sum)).copysign(x)
}
