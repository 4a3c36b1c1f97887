//! `PolynomialLR`: lr (1 - t / total_iters)^power, and 0 from total_iters on.

use super::formula::{Counts, Formula, Rates};
use super::power::powers;
use crate::simd::Vector;

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
    #[inline(always)]
    fn rates<V: Vector<f64>>(&self, counts: &Counts) -> Rates {
        let total = self.total_iters;
        let left = counts.map(|t| (total - t.min(total)) as f64 / total as f64);
        powers::<V>(left, self.power).map(|power| self.lr * power)
    }
}
