//! `ExponentialLR`: lr gamma^t.

use super::formula::{Formula, Parts};
use super::power::whole_power;
use super::rates::Counts;

/// A rate that falls with each count.
#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    /// The first rate.
    pub lr: f64,
    /// What the rate is multiplied by.
    pub gamma: f64,
}

impl Formula for Exponential {
    fn parts(&self, counts: &Counts) -> Parts {
        Parts::Rates(counts.map(|t| self.lr * whole_power(self.gamma, t)))
    }
}
