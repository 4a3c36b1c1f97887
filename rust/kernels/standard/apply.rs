//! The formula on a piece of rows.

use crate::kernels::panels::Panels;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// (x - mean) / deviation, from f64 to the nearest `T`.
///
/// A division of 8 numbers takes 10 cycles and more. So the quotient is that by the reciprocal, and what it
/// lacks, which a fused multiply-add gives exactly, times the reciprocal: the nearest f64 but for one case in
/// 2^50, and for quotients of numbers below 2^-960.
pub(super) struct Apply<'a, T> {
    /// What is standardized.
    pub(super) source: Panels<f64>,
    /// As many rows and columns; of f64 it may be the same memory.
    pub(super) target: Panels<T>,
    /// Of each column.
    pub(super) means: &'a [f64],
    /// As many, none of them 0.
    pub(super) deviations: &'a [f64],
}

impl<T: Real> Kernel for Apply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { source, target, means, deviations } = self;
        assert!(means.len() == source.cols() && deviations.len() == means.len());
        assert!(target.panels() >= source.panels() && target.rows() >= source.rows());
        for panel in 0..source.panels() {
            let (first, width) = (panel * LANES, source.width(panel));
            // Padding stays +0.
            let (mut mean, mut deviation) = ([0.0; LANES], [1.0; LANES]);
            mean[..width].copy_from_slice(&means[first..first + width]);
            deviation[..width].copy_from_slice(&deviations[first..first + width]);
            // SAFETY: the arrays hold 16 numbers.
            let (mean, deviation) = unsafe {
                (S::Lanes::load(mean.as_ptr()), S::Lanes::<f64>::load(deviation.as_ptr()))
            };
            let (reciprocal, minus) = (S::Lanes::<f64>::splat(1.0).div(deviation), deviation.neg());
            for row in 0..source.rows() {
                // SAFETY: the views' makers vouch for the 16 elements of their rows.
                unsafe {
                    let x = S::Lanes::<f64>::load(source.row(panel, row)).sub(mean);
                    let quotient = x.mul(reciprocal);
                    let rest = quotient.fma(minus, x);
                    store::<S, T>(rest.fma(reciprocal, quotient), target.row(panel, row));
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
