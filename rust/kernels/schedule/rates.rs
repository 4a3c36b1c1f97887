//! Counts and their rates, 16 at a time.

use crate::simd::LANES;

/// Rates that are computed together: functions of 16 numbers take about as long as those of one.
pub const RATES: usize = LANES;

/// Counts of epochs or updates; the first is 0.
pub type Counts = [u64; RATES];

/// Their rates.
pub type Rates = [f64; RATES];
