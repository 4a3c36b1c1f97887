//! `ExponentialLR`: lr gamma^t.

use super::formula::{Counts, Formula, Rates};
use super::power::whole_power;
use crate::simd::Vector;

/// A rate that falls with each count.
#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    /// The first rate.
    pub lr: f64,
    /// What the rate is multiplied by.
    pub gamma: f64,
}

impl Formula for Exponential {
    #[inline(always)]
    fn rates<V: Vector<f64>>(&self, counts: &Counts) -> Rates {
        counts.map(|t| self.lr * whole_power(self.gamma, t))
    }
}
