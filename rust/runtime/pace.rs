//! Whether several threads are faster than one, by the clock.
//!
//! A cost rule cannot know that another process holds a core, that one core is slower than the
//! other, or that two cores share no cache, where half of what a step wrote lies on the wrong side.

use super::team;
use super::tuning::{MOST_WINDOWS, TIMED, TRIAL, TRIALS_PAID};

/// Chooses between one thread and several for work that comes again and again.
///
/// It goes by what it has measured: for a while the choice of the last trial, then a trial of the
/// other, and so on. No result depends on the number of threads, so none depends on the clock.
#[derive(Clone, Debug)]
pub struct Pace {
    several: bool,
    trial: bool,
    /// Time for a unit of work before this trial.
    before: f64,
    /// Windows until the next trial.
    pause: f64,
    nanoseconds: f64,
    units: f64,
    /// Pieces of work, and their nanoseconds by the estimate, since one was timed.
    pieces: f64,
    estimate: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            several: true,
            trial: false,
            before: 0.0,
            pause: 1.0,
            nanoseconds: 0.0,
            units: 0.0,
            pieces: 0.0,
            estimate: 0.0,
        }
    }
}

impl Pace {
    /// The threads for the next piece of work, of `setting`; all of them under [`team::force`].
    #[must_use]
    pub fn threads(&self, setting: usize) -> usize {
        if self.several || team::is_forced() { setting } else { 1 }
    }

    /// Whether to time the next piece of work, of about so many nanoseconds.
    #[must_use]
    pub fn is_due(&mut self, nanoseconds: f64) -> bool {
        self.pieces += 1.0;
        self.estimate += nanoseconds;
        self.estimate >= TIMED
    }

    /// Takes note of a piece of work of so many units that was due and has taken so long. It stands
    /// for those that were not timed.
    pub fn record(&mut self, units: usize, nanoseconds: f64) {
        self.units += units as f64 * self.pieces;
        self.nanoseconds += nanoseconds * self.pieces;
        (self.pieces, self.estimate) = (0.0, 0.0);
        if self.nanoseconds < TRIAL * if self.trial { 1.0 } else { self.pause } {
            return;
        }
        let now = self.nanoseconds / self.units;
        let lost = self.nanoseconds - self.before * self.units;
        (self.nanoseconds, self.units) = (0.0, 0.0);
        if !self.trial {
            self.before = now;
            self.several = !self.several;
        } else if now < self.before {
            self.pause = 1.0;
        } else {
            self.several = !self.several;
            let longer =
                if 2.0 * self.pause < MOST_WINDOWS { 2.0 * self.pause } else { MOST_WINDOWS };
            let paid = TRIALS_PAID * lost / TRIAL;
            self.pause = if paid < longer { longer } else { paid };
        }
        self.trial = !self.trial;
    }
}
