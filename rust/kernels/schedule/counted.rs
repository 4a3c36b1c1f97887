//! A curve with what it counts and how it begins.

use super::rates::{RATES, Rates};
use super::registry::Curve;
use crate::simd::Isa;

/// What a schedule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Finished epochs.
    Epochs,
    /// Updates.
    Steps,
}

/// A line up to a curve's first rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    /// Its length.
    pub steps: u64,
    /// The part of the curve's first rate that it begins at.
    pub start: f64,
}

/// A learning rate schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The rates.
    pub curve: Curve,
    /// What they are counted by.
    pub counted: Counted,
    /// What comes before the curve, which counts from its end.
    pub warmup: Option<Warmup>,
}

impl Schedule {
    /// The rates at 16 counts from `first` on, the last count as often as there are no more; none is
    /// larger than the largest number.
    #[must_use]
    pub fn rates(&self, isa: Isa, first: u64) -> Rates {
        let mut count = 0;
        let counts = [(); RATES].map(|()| {
            count += 1;
            first.saturating_add(count - 1)
        });
        let rates = match self.warmup {
            None => self.curve.parts(&counts).rates(isa),
            Some(Warmup { steps, start }) => {
                let later = counts.map(|t| t.saturating_sub(steps));
                let mut rates = self.curve.parts(&later).rates(isa);
                for (rate, t) in rates.iter_mut().zip(counts).filter(|&(_, t)| t < steps) {
                    *rate *= (1.0 - start).mul_add(t as f64 / steps as f64, start);
                }
                rates
            }
        };
        rates.map(|rate| if rate < f64::MAX { rate } else { f64::MAX })
    }
}
