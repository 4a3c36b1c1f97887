//! The scale of X.

use crate::kernels::panels::Panels;
use crate::simd::{Kernel, Real, Simd, Vector};

/// Divides all elements by one number, padding included.
pub struct Divide<T> {
    /// What is divided.
    pub target: Panels<T>,
    /// By what.
    pub divisor: T,
}

impl<T: Real> Kernel for Divide<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { target, divisor } = self;
        let divisor = S::Lanes::<T>::splat(divisor);
        for panel in 0..target.panels() {
            for row in 0..target.rows() {
                let place = target.row(panel, row);
                // SAFETY: a panel's row holds 16 elements, for which the view's maker vouches.
                unsafe { S::Lanes::<T>::load(place).div(divisor).store(place) };
            }
        }
    }
}
