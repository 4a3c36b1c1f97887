//! The formula on a piece of rows.

use crate::kernels::panels::Panels;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// (x - mean) / deviation, from f64 to the nearest `T`.
pub(super) struct Apply<'a, T> {
    /// What is standardized.
    pub(super) source: Panels<f64>,
    /// As many rows and columns; of f64 it may be the same memory.
    pub(super) target: Panels<T>,
    /// Of each column, and of the padding such that it stays +0.
    pub(super) means: &'a [f64],
    /// As many, none of them 0.
    pub(super) deviations: &'a [f64],
}

impl<T: Real> Kernel for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { source, target, means, deviations } = self;
        assert!(means.len() >= source.panels() * LANES && deviations.len() == means.len());
        assert!(target.panels() >= source.panels() && target.rows() >= source.rows());
        for panel in 0..source.panels() {
            // SAFETY: both lists have 16 numbers for each panel.
            let (mean, deviation) = unsafe {
                let at = |list: &[f64]| S::Lanes::<f64>::load(list.as_ptr().add(panel * LANES));
                (at(means), at(deviations))
            };
            for row in 0..source.rows() {
                // SAFETY: the views' makers vouch for the 16 elements of their rows.
                unsafe {
                    let x = S::Lanes::<f64>::load(source.row(panel, row));
                    store::<S, T>(x.sub(mean).div(deviation), target.row(panel, row));
                }
            }
        }
    }
}

/// 16 numbers as the nearest `T`.
///
/// # Safety
/// 16 elements may be written.
#[inline(always)]
unsafe fn store<S: Simd, T: Real>(lanes: S::Lanes<f64>, target: *mut T) {
    if size_of::<T>() == size_of::<f64>() {
        // SAFETY: the caller vouches for the elements, which are f64.
        unsafe { lanes.store(target.cast()) };
        return;
    }
    let mut exact = [0.0; LANES];
    let mut nearest = [T::ZERO; LANES];
    // SAFETY: the arrays hold 16 elements, and the caller vouches for the target.
    unsafe {
        lanes.store(exact.as_mut_ptr());
        for i in 0..LANES {
            nearest[i] = T::from_f64(exact[i]);
        }
        S::Lanes::<T>::load(nearest.as_ptr()).store(target);
    }
}
