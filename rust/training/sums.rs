//! The loss of an epoch.

/// The loss of an epoch from those of its batches: each counts as much as the weights of its rows, with
/// which its own mean was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct EpochSums {
    losses: f64,
    weights: f64,
    /// What the weights count; a power of two.
    unit: f64,
}

impl Default for EpochSums {
    fn default() -> Self {
        Self { losses: 0.0, weights: 0.0, unit: 1.0 }
    }
}

impl EpochSums {
    /// One more batch; all batches of the data share the unit of weights.
    pub(super) fn add(&mut self, mean: f64, weight: f64) {
        self.losses += mean * weight;
        self.weights += weight;
    }

    /// One more batch, whose weights are in a unit of their own: the largest of them is that of the sums, so
    /// that none overflows. But for numbers that vanish beside them no bit depends on it.
    pub(super) fn add_in(&mut self, mean: f64, weight: f64, unit: f64) {
        if unit > self.unit || self.weights == 0.0 {
            let scale = self.unit / unit;
            self.losses *= scale;
            self.weights *= scale;
            self.unit = unit;
        }
        self.add(mean, weight * (unit / self.unit));
    }

    /// The mean; 0 where all rows have zero weight.
    pub(super) fn mean(self) -> f64 {
        if self.weights == 0.0 { 0.0 } else { self.losses / self.weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_any_size_meet_exactly() {
        let batches = [(0.7, 3.0), (0.3, 5.0), (2.5, 0.25), (0.1, 1.75)];
        let mut one = EpochSums::default();
        batches.iter().for_each(|&(mean, weight)| one.add(mean, weight));
        for common in [1e-300_f64, 1.0, 1e300] {
            let common = f64::from_bits(common.to_bits() & f64::INFINITY.to_bits());
            let mut many = EpochSums::default();
            for (place, &(mean, weight)) in batches.iter().enumerate() {
                let unit = f64::from(1 << place);
                many.add_in(mean, weight / unit, common * unit);
            }
            assert_eq!(many.mean(), one.mean());
        }
        let zero = || EpochSums::default();
        let mut sums = zero();
        sums.add_in(4.0, 0.0, 1e300);
        assert_eq!(sums.mean(), 0.0);
        sums.add_in(3.0, 1.0, 1e-300);
        assert_eq!(sums.mean(), 3.0);
    }
}
