//! A function of one number, for what is computed once: a setting, the rate of a step.

use super::functions::Elementary;
use crate::simd::{LANES, Real, Vector};

/// e^x with the bits that it has in a lane.
#[must_use]
pub fn exp_of(x: f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let all = <f64 as Elementary>::exp(<f64 as Real>::PortableVector::splat(x));
    // SAFETY: an array of as many numbers as the vector has lanes.
    unsafe { all.store(lanes.as_mut_ptr()) };
    lanes[0]
}
