//! The learning rates of updates, where they are not always the same.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernels::schedule::{Counted, RATES, Schedule};
use crate::runtime::memory;
use crate::simd::Isa;

/// What an optimizer is given as its learning rate.
#[derive(Clone, Debug, PartialEq)]
pub enum LearningRate {
    /// One for all updates.
    Constant(f64),
    /// A schedule.
    Schedule(Arc<Schedule>),
    /// A table, whose owner writes the rates of the next updates into it.
    Table,
}

/// A schedule or a table at work.
#[derive(Debug)]
pub struct Scheduled {
    source: Source,
    /// What the rates are multiplied by.
    pub factor: f64,
}

#[derive(Debug)]
enum Source {
    /// A schedule, and the rates of the counts from `first` on.
    Schedule { schedule: Arc<Schedule>, isa: Isa, first: u64, ahead: [f64; RATES] },
    /// The rates of updates from `first` on.
    Table { first: u64, rates: Vec<f64> },
}

/// The rate of a count, if it is among those from `first` on.
#[inline(always)]
fn among(rates: &[f64], first: u64, count: u64) -> Option<f64> {
    let place = usize::try_from(count.wrapping_sub(first)).ok()?;
    rates.get(place).copied()
}

/// A rate with the factor, at most the largest number.
#[inline(always)]
fn scaled(rate: f64, factor: f64) -> f64 {
    let rate = rate * factor;
    if rate < f64::MAX { rate } else { f64::MAX }
}

fn count_of(schedule: &Schedule, epoch: u64, steps: u64) -> u64 {
    match schedule.counted {
        Counted::Epochs => epoch,
        Counted::Steps => steps,
    }
}

impl Scheduled {
    /// A schedule or an empty table; none for a constant rate.
    pub(super) fn new(rate: &LearningRate, factor: f64, isa: Isa) -> Option<Self> {
        let source = match rate {
            LearningRate::Constant(_) => return None,
            LearningRate::Schedule(schedule) => {
                let (schedule, first) = (Arc::clone(schedule), 0);
                let ahead = schedule.rates(isa, first);
                Source::Schedule { schedule, isa, first, ahead }
            }
            LearningRate::Table => Source::Table { first: 0, rates: Vec::new() },
        };
        Some(Self { source, factor })
    }

    /// The rate of the update that comes after so many epochs and updates, but for the factor; none if it
    /// is not in the table.
    fn plain(&self, epoch: u64, steps: u64) -> Option<f64> {
        match &self.source {
            Source::Schedule { schedule, isa, first, ahead } => {
                let count = count_of(schedule, epoch, steps);
                among(ahead, *first, count).or_else(|| schedule.rates(*isa, count).first().copied())
            }
            Source::Table { first, rates } => among(rates, *first, steps),
        }
    }

    /// The same with the factor.
    #[must_use]
    pub fn rate(&self, epoch: u64, steps: u64) -> Option<f64> {
        self.plain(epoch, steps).map(|rate| scaled(rate, self.factor))
    }

    /// The same, for an update that others will follow.
    #[inline]
    pub(super) fn advance(&mut self, epoch: u64, steps: u64) -> Option<f64> {
        let rate = match &self.source {
            Source::Schedule { schedule, first, ahead, .. } => {
                among(ahead, *first, count_of(schedule, epoch, steps))
            }
            Source::Table { first, rates } => among(rates, *first, steps),
        };
        match rate {
            Some(rate) => Some(scaled(rate, self.factor)),
            None => self.compute_ahead(epoch, steps),
        }
    }

    /// Computes the rates of the next counts, if a schedule has them; the first of them.
    #[cold]
    fn compute_ahead(&mut self, epoch: u64, steps: u64) -> Option<f64> {
        if let Source::Schedule { schedule, isa, first, ahead } = &mut self.source {
            *first = count_of(schedule, epoch, steps);
            *ahead = schedule.rates(*isa, *first);
        }
        self.rate(epoch, steps)
    }

    /// Makes this the rate of the update that comes after so many epochs and updates, by the factor.
    ///
    /// # Errors
    /// `Error::Value` if no factor does.
    pub(super) fn set(&mut self, rate: f64, epoch: u64, steps: u64) -> Result<()> {
        let plain = self.plain(epoch, steps).unwrap_or(0.0);
        let factor = rate / plain;
        if plain == 0.0 || !factor.is_finite() {
            return Err(Error::Value(format!(
                "learning_rate is {rate}, and its schedule gives {plain} here, which no factor makes {rate}: \
                 assign another schedule"
            )));
        }
        self.factor = factor;
        Ok(())
    }

    /// Puts the rates of the updates from `first` on into the table; a schedule keeps its own.
    pub(super) fn tabulate(&mut self, from: u64, given: Vec<f64>) {
        if let Source::Table { first, rates } = &mut self.source {
            (*first, *rates) = (from, given);
        }
    }

    /// A copy.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub(super) fn duplicate(&self) -> Result<Self> {
        let source = match &self.source {
            Source::Schedule { schedule, isa, first, ahead } => Source::Schedule {
                schedule: Arc::clone(schedule),
                isa: *isa,
                first: *first,
                ahead: *ahead,
            },
            Source::Table { first, rates } => {
                Source::Table { first: *first, rates: memory::copied(rates)? }
            }
        };
        Ok(Self { source, factor: self.factor })
    }

    /// As in the beginning.
    pub(super) fn reset(&mut self) {
        self.factor = 1.0;
        self.tabulate(0, Vec::new());
    }
}
