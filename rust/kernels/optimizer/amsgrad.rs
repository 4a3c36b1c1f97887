//! Adam with the largest variance so far (Reddi, Kale and Kumar, 2018, "On the convergence of Adam and
//! beyond") as `torch.optim.Adam(amsgrad=True)`.
//!
//! ```text
//! m and v as Adam's
//! u = max(u, v)
//! w = as Adam's, with u in the place of v
//! ```

use super::formula::{Formula, MOMENTS, Settings};
use super::{Adam, AdamFormula, Clock};
use crate::simd::{Real, Vector};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amsgrad {
    /// All of them; this is one more moment.
    pub adam: Adam,
}

/// The formula; its moments are m, v and u.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AmsgradFormula<T> {
    adam: AdamFormula<T>,
}

impl Settings for Amsgrad {
    type Formula<T: Real> = AmsgradFormula<T>;

    fn moments(&self) -> usize {
        3
    }

    fn advance(&self, clock: &mut Clock) {
        self.adam.advance(clock);
    }

    fn without_decay(self) -> Self {
        Self { adam: self.adam.without_decay() }
    }

    fn formula<T: Real>(&self, learning_rate: f64, clock: &Clock) -> AmsgradFormula<T> {
        AmsgradFormula { adam: self.adam.formula(learning_rate, clock) }
    }
}

impl<T: Real> Formula<T> for AmsgradFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        3
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let [m, v] = self.adam.averages(self.adam.decayed(w, g), moments);
        let largest = moments[2].max(v);
        moments[2] = largest.flush();
        self.adam.step(w, m, largest)
    }
}
