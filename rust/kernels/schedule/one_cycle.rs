//! `OneCycleLR`: along a cosine up from max_lr / div_factor to max_lr, and down along another to
//! max_lr / div_factor / final_div_factor, the rate of update total_steps - 1 and of all later ones.
//!
//! The way up ends at pct_start total_steps - 1, which need not be whole, as PyTorch has it. Smith and
//! Topin, "Super-convergence: very fast training of neural networks using large learning rates" (2019).

use super::anneal::{Anneal, Way};
use super::formula::{Formula, Parts};
use super::rates::Counts;

/// A rate that rises and falls once.
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycle {
    /// The largest rate.
    pub max_lr: f64,
    /// Updates of the cycle, at least 1.
    pub total_steps: u64,
    /// The part of them on the way up, 0 to 1.
    pub pct_start: f64,
    /// The largest rate over the first.
    pub div_factor: f64,
    /// The first rate over the last.
    pub final_div_factor: f64,
}

impl OneCycle {
    fn way(&self, t: u64) -> Way {
        let first = self.max_lr / self.div_factor;
        let end = (self.total_steps - 1) as f64;
        let top = self.pct_start * self.total_steps as f64 - 1.0;
        let t = t.min(self.total_steps - 1) as f64;
        if t <= top {
            // Of a way up that is a single point only its end is left.
            let done = if top > 0.0 { t / top } else { 1.0 };
            return Way { from: first, to: self.max_lr, done };
        }
        let last = first / self.final_div_factor;
        Way { from: self.max_lr, to: last, done: (t - top) / (end - top) }
    }
}

impl Formula for OneCycle {
    fn parts(&self, counts: &Counts) -> Parts {
        Parts::Annealed(Anneal::new(counts.map(|t| self.way(t))))
    }
}
