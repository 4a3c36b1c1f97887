//! What scikit-learn's networks report of a cross-entropy: the loss of an element as it is for a probability
//! within [eps, 1 - eps], eps the distance from 1 to the next number of the type. Gradients are not clipped.
//!
//! The only element of a row, or a row's class, is clipped in the row's loss, when that is there; of several
//! each as it is made. No other loss knows of it.

use super::pointwise::{LossFormula, Pair};
use super::weights::row_weight;
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::Span;
use crate::simd::{Real, Vector};

/// -log(1 - eps) and -log(eps).
#[inline(always)]
fn limits<T: Real>() -> [T; 2] {
    // A power of two, and what is left of the series is less than half a unit in the last place.
    let eps = T::EPSILON.to_f64();
    let exponent = f64::MAX_EXP as u64 - 1 - (eps.to_bits() >> (f64::MANTISSA_DIGITS - 1));
    let least = (eps / 3.0 + 0.5) * eps * eps + eps;
    [least, exponent as f64 * std::f64::consts::LN_2].map(T::from_f64)
}

/// Clips the losses of rows, which their weights have been multiplied with; these are empty if all are one. NaN
/// stays.
#[inline(never)]
pub(super) fn clip<T: Real>(weights: Span<f64>, row_loss: Span<f64>) {
    let [least, most] = limits::<T>().map(T::to_f64);
    for row in 0..row_loss.len() {
        let weight = row_weight(weights, row);
        let (least, most, loss) = (weight * least, weight * most, row_loss.get(row));
        let loss = if most < loss { most } else { loss };
        row_loss.set(row, if loss < least { least } else { loss });
    }
}

/// A formula whose values are clipped.
#[derive(Clone, Copy)]
pub(super) struct Clipped<F>(pub(super) F);

impl<T: Elementary, F: LossFormula<T>> LossFormula<T> for Clipped<F> {
    const SHORT: bool = false;

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, output: V, target: V, of_column: V) -> Pair<V> {
        let Pair { value, gradient } = self.0.lanes(output, target, of_column);
        let [least, most] = limits::<T>();
        // In this order of arguments `min` and `max` pass a NaN on (N7).
        Pair { value: V::splat(least).max(V::splat(most).min(value)), gradient }
    }
}
