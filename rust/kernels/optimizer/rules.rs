//! What the parameters of a layer are updated by.

use super::Clock;
use super::formula::Settings;
use crate::simd::Real;

/// The formulas of a layer's weight and of its bias, for the update that the clock has counted, with the
/// layer's factor `lr_scale` on the learning rate: biases are updated, and decay, as weights.
#[inline(always)]
pub(super) fn formulas<T: Real, S: Settings>(
    settings: &S,
    learning_rate: f64,
    lr_scale: f64,
    clock: &Clock,
) -> [S::Formula<T>; 2] {
    let formula = settings.formula(learning_rate * lr_scale, clock);
    [formula, formula]
}
