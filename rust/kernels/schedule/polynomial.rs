//! `PolynomialLR`: lr (1 - t / total_iters)^power, and 0 from total_iters on.

use super::formula::{Formula, Parts};
use super::power::Powers;
use super::rates::Counts;

/// A rate that falls to 0 as a power of what is left.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    /// The first rate.
    pub lr: f64,
    /// Counts to 0, at least 1.
    pub total_iters: u64,
    /// The power.
    pub power: f64,
}

impl Formula for Polynomial {
    fn parts(&self, counts: &Counts) -> Parts {
        let total = self.total_iters;
        let left = counts.map(|t| (total - t.min(total)) as f64 / total as f64);
        Parts::Powers(self.lr, Powers { x: left, p: self.power })
    }
}
