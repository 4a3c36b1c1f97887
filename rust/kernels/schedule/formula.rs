//! What a schedule is: a rate for each count.

use std::fmt::Debug;

use crate::simd::{LANES, Vector};

/// Rates that are computed together: functions of 16 numbers take about as long as those of one.
pub const RATES: usize = LANES;

/// Counts of epochs or updates; the first is 0.
pub type Counts = [u64; RATES];

/// Their rates.
pub type Rates = [f64; RATES];

/// The numbers of a schedule.
pub trait Formula: Debug + Clone + PartialEq {
    /// The rates at 16 counts, each at least 0; `V` has 16 lanes.
    fn rates<V: Vector<f64>>(&self, counts: &Counts) -> Rates;
}
