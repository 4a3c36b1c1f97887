//! `MultiStepLR`: lr gamma^(milestones up to t).

use super::formula::{Formula, Parts};
use super::power::whole_power;
use super::rates::Counts;

/// A rate that falls at given counts.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStep {
    /// The first rate.
    pub lr: f64,
    /// Where it falls, in ascending order; twice where one is there twice.
    pub milestones: Vec<u64>,
    /// What the rate is multiplied by.
    pub gamma: f64,
}

impl Formula for MultiStep {
    fn parts(&self, counts: &Counts) -> Parts {
        let behind = |t: u64| self.milestones.partition_point(|&milestone| milestone <= t);
        Parts::Rates(counts.map(|t| self.lr * whole_power(self.gamma, behind(t) as u64)))
    }
}
