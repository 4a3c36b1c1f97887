//! What the parameters of a layer are updated by.

use super::Clock;
use super::formula::Settings;
use crate::simd::Real;

/// The formulas of a layer's weight and of its bias, for the update that the clock has counted, with the
/// layer's factor `lr_scale` on the learning rate; `decays` says which of the two decay.
#[inline(always)]
pub(super) fn formulas<T: Real, S: Settings>(
    settings: &S,
    learning_rate: f64,
    lr_scale: f64,
    [weight, bias]: [bool; 2],
    clock: &Clock,
) -> [S::Formula<T>; 2] {
    let rate = learning_rate * lr_scale;
    let of = |decays| match decays {
        true => settings.formula(rate, clock),
        false => settings.without_decay().formula(rate, clock),
    };
    let first = of(weight);
    [first, if bias == weight { first } else { of(bias) }]
}
