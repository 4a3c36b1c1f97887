//! `CosineAnnealingLR`: half a period of the cosine, from lr at 0 to eta_min at T_max and from there on.
//!
//! Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017), without restarts.

use super::anneal::{Anneal, Way};
use super::formula::{Formula, Parts};
use super::rates::Counts;

/// A rate that falls along a cosine.
#[derive(Clone, Debug, PartialEq)]
pub struct CosineAnnealing {
    /// The first rate.
    pub lr: f64,
    /// Counts to the last rate, at least 1.
    pub t_max: u64,
    /// The last rate.
    pub eta_min: f64,
}

impl Formula for CosineAnnealing {
    fn parts(&self, counts: &Counts) -> Parts {
        Parts::Annealed(Anneal::new(counts.map(|t| Way {
            from: self.lr,
            to: self.eta_min,
            done: t.min(self.t_max) as f64 / self.t_max as f64,
        })))
    }
}
