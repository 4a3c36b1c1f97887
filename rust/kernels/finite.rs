//! Whether numbers of ours are finite; `gather/finite.rs` looks through those of others.

use super::panels::Span;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Whether all of some elements are finite.
pub struct AllFinite<T> {
    /// A multiple of 16 elements.
    pub values: Span<T>,
}

impl<T: Real> Kernel for AllFinite<T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        let Self { values } = self;
        assert!(values.len().is_multiple_of(LANES));
        let zero = S::Lanes::<T>::zero();
        // x - x is 0 for finite x, else NaN, which stays in the sum.
        let mut sum = zero;
        let mut i = 0;
        while i < values.len() {
            // SAFETY: 16 elements from i on are in the span, whose maker vouches for the memory.
            let x = unsafe { S::Lanes::<T>::load(values.at(i)) };
            sum = sum.add(x.sub(x));
            i += LANES;
        }
        let is_nan = S::Lanes::<T>::select(sum.eq(zero), zero, S::Lanes::<T>::splat(T::ONE));
        !S::Lanes::<T>::any(zero.lt(is_nan))
    }
}
