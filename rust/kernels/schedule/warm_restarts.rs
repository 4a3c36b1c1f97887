//! `CosineAnnealingWarmRestarts`: cosines from lr towards eta_min, one after the other, of T_0, T_0 T_mult,
//! T_0 T_mult^2, ... counts.
//!
//! Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).

use super::anneal::{Anneal, Way};
use super::formula::{Formula, Parts};
use super::rates::Counts;

/// A rate that falls along cosines.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmRestarts {
    /// The first rate of each cosine.
    pub lr: f64,
    /// Counts of the first, at least 1.
    pub t_0: u64,
    /// How many times as long as one the next is, at least 1.
    pub t_mult: u64,
    /// The rate that each falls towards.
    pub eta_min: f64,
}

impl WarmRestarts {
    /// The part of the present cosine that lies behind.
    fn done(&self, t: u64) -> f64 {
        let (mut left, mut length) = (t, self.t_0);
        if self.t_mult == 1 {
            left %= length;
        }
        while left >= length {
            left -= length;
            length = length.saturating_mul(self.t_mult);
        }
        left as f64 / length as f64
    }
}

impl Formula for WarmRestarts {
    fn parts(&self, counts: &Counts) -> Parts {
        let way = |t| Way { from: self.lr, to: self.eta_min, done: self.done(t) };
        Parts::Annealed(Anneal::new(counts.map(way)))
    }
}
