//! What a run counts: batches and epochs, their losses, and when it last looked at the state.

use std::time::Instant;

use super::tuning::{LOOK, RESERVED_EPOCHS};
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::network::{State, StepLoss};
use crate::runtime::memory;
use crate::simd::Isa;

/// The loss of an epoch from those of its batches: each counts as much as the weights of its rows, with
/// which its own mean was made.
#[derive(Clone, Copy, Debug)]
struct EpochSums {
    losses: f64,
    penalties: f64,
    weights: f64,
    /// What the weights count; a power of two.
    unit: f64,
}

impl Default for EpochSums {
    fn default() -> Self {
        Self { losses: 0.0, penalties: 0.0, weights: 0.0, unit: 1.0 }
    }
}

impl EpochSums {
    /// One more batch; all batches of the data share the unit of weights.
    fn add(&mut self, mean: Means, weight: f64) {
        self.losses += mean.loss * weight;
        self.penalties += mean.penalty * weight;
        self.weights += weight;
    }

    /// One more batch, whose weights are in a unit of their own: the largest of them is that of the sums, so
    /// that none overflows. But for numbers that vanish beside them no bit depends on it.
    fn add_in(&mut self, mean: Means, weight: f64, unit: f64) {
        if weight == 0.0 {
            return;
        }
        if self.weights == 0.0 {
            self.unit = unit;
        } else if unit > self.unit {
            let scale = self.unit / unit;
            self.losses *= scale;
            self.penalties *= scale;
            self.weights *= scale;
            self.unit = unit;
        }
        self.add(mean, weight * (unit / self.unit));
    }

    /// The means; 0 where all rows have zero weight.
    fn means(self) -> Means {
        let mean = |sum| if self.weights == 0.0 { 0.0 } else { sum / self.weights };
        Means { loss: mean(self.losses), penalty: mean(self.penalties) }
    }
}

/// The mean loss of a batch or an epoch, and the penalty on weights beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Means {
    pub(super) loss: f64,
    pub(super) penalty: f64,
}

impl Means {
    /// Those of a step.
    pub(super) fn of(step: &StepLoss) -> Self {
        Self { loss: step.mean, penalty: step.penalty }
    }
}

/// What a run has found of each finished epoch.
#[derive(Debug, Default)]
pub struct Found {
    /// Mean losses.
    pub losses: Vec<f64>,
    /// Penalties on weights, each the mean over the epoch's batches; none if the network has none.
    pub penalties: Option<Vec<f64>>,
}

/// What a run counts.
#[derive(Debug)]
pub(super) struct Tally {
    isa: Isa,
    threads: usize,
    found: Found,
    /// The penalty of the last finished batch.
    penalty: f64,
    /// Finished batches of the present epoch.
    batch: usize,
    /// Those of the epoch before.
    batches: usize,
    /// Sums over the present epoch's batches.
    sums: EpochSums,
    /// When steps that the caller makes one by one were last looked at.
    looked: Instant,
}

impl Tally {
    /// That of a run of about `epochs` epochs, before the first.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for their losses.
    pub(super) fn new(isa: Isa, threads: usize, epochs: usize, penalizes: bool) -> Result<Self> {
        let losses = memory::vector(epochs.min(RESERVED_EPOCHS))?;
        let found = Found { losses, penalties: penalizes.then(Vec::new) };
        let (looked, sums) = (Instant::now(), EpochSums::default());
        Ok(Self { isa, threads, found, penalty: 0.0, batch: 0, batches: 0, sums, looked })
    }

    /// Mean loss of each finished epoch.
    pub(super) fn losses(&self) -> &[f64] {
        &self.found.losses
    }

    /// Finished batches of the present epoch: the index of the next.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// The penalty of each finished epoch, if the network has one.
    pub(super) fn penalties(&self) -> Option<&[f64]> {
        self.found.penalties.as_deref()
    }

    /// The penalty of the last finished batch, if the network has one.
    pub(super) fn penalty(&self) -> Option<f64> {
        self.found.penalties.as_ref().map(|_| self.penalty)
    }

    /// What was found of each finished epoch, at the end of the run.
    pub(super) fn into_found(self) -> Found {
        self.found
    }

    /// Makes room for the losses of so many more epochs.
    pub(super) fn reserve(&mut self, epochs: usize) -> Result<()> {
        if let Some(penalties) = &mut self.found.penalties {
            memory::reserve(penalties, epochs)?;
        }
        memory::reserve(&mut self.found.losses, epochs)
    }

    /// Counts a finished batch with the sum of its rows' weights, of which all of the run's share the unit.
    pub(super) fn count(&mut self, mean: Means, weight: f64) {
        self.sums.add(mean, weight);
        self.penalty = mean.penalty;
        self.batch += 1;
    }

    /// The same, with weights in a unit of their own.
    pub(super) fn count_in(&mut self, mean: Means, weight: f64, unit: f64) {
        self.sums.add_in(mean, weight, unit);
        self.penalty = mean.penalty;
        self.batch += 1;
    }

    /// Counts an epoch of one batch alone; there is room for it.
    pub(super) fn count_epoch(&mut self, mean: Means, weight: f64) {
        let mut sums = EpochSums::default();
        sums.add(mean, weight);
        self.push(sums.means());
        self.batches = 1;
    }

    /// Ends the present epoch; there is room for it.
    pub(super) fn end_epoch(&mut self) {
        let means = std::mem::take(&mut self.sums).means();
        self.push(means);
        self.batches = std::mem::take(&mut self.batch);
    }

    /// Keeps the means of an epoch.
    fn push(&mut self, means: Means) {
        self.found.losses.push(means.loss);
        if let Some(penalties) = &mut self.found.penalties {
            penalties.push(means.penalty);
        }
    }

    /// The error for a loss of the present batch that is not finite.
    pub(super) fn diverged<T: Elementary>(&self, state: &State<T>) -> Error {
        let (epoch, batch) = (state.epoch, self.batch as u64);
        // What was applied before may be why.
        match state.check_finite(self.isa, self.threads, epoch, batch) {
            Ok(()) => Error::Diverged { epoch, batch },
            Err(error) => error,
        }
    }

    /// Refuses a state that is not finite, as found after the last finished batch.
    pub(super) fn look<T: Elementary>(&self, state: &State<T>) -> Result<()> {
        let (epoch, batches) = match self.batch {
            0 => (state.epoch.saturating_sub(1), self.batches),
            batches => (state.epoch, batches),
        };
        state.check_finite(self.isa, self.threads, epoch, batches.saturating_sub(1) as u64)
    }

    /// The same at the end of an epoch, and where the last look was a while ago.
    pub(super) fn look_again<T: Elementary>(&mut self, state: &State<T>) -> Result<()> {
        if self.batch == 0 || self.looked.elapsed() >= LOOK {
            self.look(state)?;
            self.looked = Instant::now();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_any_size_meet_exactly() {
        let batches = [(0.7, 3.0), (0.3, 5.0), (2.5, 0.25), (0.1, 1.75)];
        let of = |loss| Means { loss, penalty: 0.5 * loss };
        let mut one = EpochSums::default();
        batches.iter().for_each(|&(mean, weight)| one.add(of(mean), weight));
        for common in [1e-300_f64, 1.0, 1e300] {
            let common = f64::from_bits(common.to_bits() & f64::INFINITY.to_bits());
            let mut many = EpochSums::default();
            for (place, &(mean, weight)) in batches.iter().enumerate() {
                let unit = f64::from(1 << place);
                many.add_in(of(mean), weight / unit, common * unit);
            }
            assert_eq!(many.means(), one.means());
        }
        let mut sums = EpochSums::default();
        sums.add_in(of(4.0), 0.0, 1e300);
        assert_eq!(sums.means(), of(0.0));
        sums.add_in(of(0.7), 1.5, f64::MIN_POSITIVE);
        sums.add_in(of(9.0), 0.0, 1.0);
        assert_eq!(sums.means(), of(0.7 * 1.5 / 1.5));
    }
}
