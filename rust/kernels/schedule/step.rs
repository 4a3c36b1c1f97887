//! `StepLR`: lr gamma^(t div step_size).

use super::formula::{Formula, Parts};
use super::power::whole_power;
use super::rates::Counts;

/// A rate that falls after each so many counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The first rate.
    pub lr: f64,
    /// Counts between two falls, at least 1.
    pub step_size: u64,
    /// What the rate is multiplied by.
    pub gamma: f64,
}

impl Formula for Step {
    fn parts(&self, counts: &Counts) -> Parts {
        Parts::Rates(counts.map(|t| self.lr * whole_power(self.gamma, t / self.step_size)))
    }
}
