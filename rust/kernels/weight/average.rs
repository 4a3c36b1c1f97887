//! Averages of parameters, and gradients times a factor.

use crate::kernels::optimizer::moved_average;
use crate::kernels::panels::Span;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Moves averages after an update of the parameters `w`.
pub struct MoveAverage<T> {
    /// The parameters, rows of 16.
    pub w: Span<T>,
    /// As many averages.
    pub average: Span<T>,
    /// What of the way to the parameters is gone.
    pub rest: T,
}

impl<T: Real> Kernel for MoveAverage<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { w, average, rest } = self;
        assert!(w.len() == average.len() && w.len().is_multiple_of(LANES));
        let rest = S::Lanes::<T>::splat(rest);
        let mut i = 0;
        while i < w.len() {
            // SAFETY: 16 elements from i on are in both spans, whose makers vouch for them.
            unsafe {
                let (w, before) =
                    (S::Lanes::<T>::load(w.at(i)), S::Lanes::<T>::load(average.at(i)));
                moved_average(rest, w, before).store(average.at(i));
            }
            i += LANES;
        }
    }
}

/// `to = factor * from`.
pub struct Scale<T> {
    /// Rows of 16 elements.
    pub from: Span<T>,
    /// As many, written.
    pub to: Span<T>,
    /// The factor.
    pub factor: T,
}

impl<T: Real> Kernel for Scale<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { from, to, factor } = self;
        assert!(from.len() == to.len() && from.len().is_multiple_of(LANES));
        let factor = S::Lanes::<T>::splat(factor);
        let mut i = 0;
        while i < from.len() {
            // SAFETY: 16 elements from i on are in both spans, whose makers vouch for them.
            unsafe { S::Lanes::<T>::load(from.at(i)).mul(factor).store(to.at(i)) };
            i += LANES;
        }
    }
}
