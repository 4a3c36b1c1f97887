//! Weights of rows and classes, and how they scale losses and gradients.
//!
//! A mean divides by the weights' sum, so their ratios decide, and weights may be of any size that f64
//! has. Each set of them is used in units of its own, the power of two below its largest, which no bit
//! depends on: products and sums then neither overflow nor vanish. A row's weight is divided by the sum
//! in f64, and only the quotient is rounded to the element type (N4).

use super::rows::{column_lanes, first_lanes, rows_of};
use crate::kernels::panels::Span;
use crate::simd::{LANES, Real, Vector};

/// The weights of all rows of some data, in units of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct RowWeights {
    values: Vec<f64>,
    unit: f64,
}

impl RowWeights {
    /// Weights, all finite and at least 0.
    #[must_use]
    pub fn new(mut values: Vec<f64>) -> Self {
        let unit = unit_of(&values);
        if unit != 1.0 {
            let scale = 1.0 / unit;
            for value in &mut values {
                *value *= scale;
            }
        }
        Self { values, unit }
    }

    /// The weight of a row, in units.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    #[must_use]
    pub fn at(&self, row: usize) -> f64 {
        self.values[row]
    }

    /// The unit.
    #[must_use]
    pub fn unit(&self) -> f64 {
        self.unit
    }
}

/// The power of two below the largest magnitude, such that its reciprocal is finite; 1 of no weights.
#[inline(always)]
pub(super) fn unit_of(weights: &[f64]) -> f64 {
    let mut largest = 0.0_f64;
    for weight in weights {
        let size = weight.abs();
        if size > largest {
            largest = size;
        }
    }
    let power = f64::from_bits(largest.to_bits() & f64::INFINITY.to_bits());
    if largest == 0.0 || !power.is_finite() {
        1.0
    } else if power < f64::MIN_POSITIVE {
        f64::MIN_POSITIVE
    } else {
        power
    }
}

/// The weights of classes, in units of their own; all 1 if there are none.
#[derive(Clone, Copy)]
pub(super) struct ClassWeights<'a> {
    values: &'a [f64],
    /// 1 / the unit.
    scale: f64,
}

impl<'a> ClassWeights<'a> {
    #[inline(always)]
    pub(super) fn new(values: &'a [f64]) -> Self {
        Self { values, scale: if values.is_empty() { 1.0 } else { 1.0 / unit_of(values) } }
    }

    #[inline(always)]
    pub(super) fn is_empty(self) -> bool {
        self.values.is_empty()
    }

    /// That of a class, 0 of an ignored one.
    #[inline(always)]
    pub(super) fn of(self, class: i32) -> f64 {
        match usize::try_from(class) {
            Err(_) => 0.0,
            Ok(class) => self.values.get(class).map_or(1.0, |weight| weight * self.scale),
        }
    }

    /// Those of 16 classes, past the last 0.
    #[inline(always)]
    pub(super) fn columns<T: Real, V: Vector<T>>(self, block: usize) -> V {
        column_lanes(self.values, self.scale, block)
    }
}

/// What the sum of a batch's losses is divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divisor {
    /// A sum of weights in units, or 1. With 0 all losses and gradients are 0.
    pub by: f64,
    /// The units that do not cancel, by which the quotient is multiplied.
    pub unit: f64,
}

impl Divisor {
    /// That changes nothing.
    pub const ONE: Self = Self { by: 1.0, unit: 1.0 };

    /// The quotient.
    #[inline(always)]
    #[must_use]
    pub fn of(self, sum: f64) -> f64 {
        if self.by == 0.0 { 0.0 } else { sum / self.by * self.unit }
    }
}

#[inline(always)]
pub(super) fn row_weight(weights: Span<f64>, row: usize) -> f64 {
    if weights.is_empty() { 1.0 } else { weights.get(row) }
}

/// The scales of a batch's rows.
#[derive(Clone, Copy)]
pub(super) struct Scales<T> {
    weights: Span<f64>,
    divisor: Divisor,
    /// That of all rows where they have no weights: they share its division.
    equal: Scale<T>,
}

impl<T: Real> Scales<T> {
    #[inline(always)]
    pub(super) fn new(weights: Span<f64>, divisor: Divisor) -> Self {
        Self { weights, divisor, equal: Scale::new(1.0, divisor) }
    }

    #[inline(always)]
    pub(super) fn slice(&self, start: usize, end: usize) -> Self {
        Self { weights: rows_of(self.weights, start, end), ..*self }
    }

    /// That of all rows, if they have no weights.
    #[inline(always)]
    pub(super) fn common(&self) -> Option<Scale<T>> {
        self.weights.is_empty().then_some(self.equal)
    }

    #[inline(always)]
    pub(super) fn at(&self, row: usize) -> Scale<T> {
        match self.common() {
            Some(scale) => scale,
            None => Scale::new(self.weights.get(row), self.divisor),
        }
    }

    /// Those of `count` rows, at most 16, from row `first` on.
    #[inline(always)]
    pub(super) fn few(&self, first: usize, count: usize) -> FewScales<T> {
        let mut scales = [Scale::NOTHING; LANES];
        for i in 0..count {
            scales[i] = self.at(first + i);
        }
        FewScales(scales)
    }

    /// That of a row whose weight has one more factor: its class's weight.
    #[inline(always)]
    pub(super) fn weighted(&self, row: usize, factor: f64) -> Scale<T> {
        if factor == 1.0 {
            return self.at(row);
        }
        Scale::new(row_weight(self.weights, row) * factor, self.divisor)
    }
}

/// How a row's loss and gradient enter those of the batch.
#[derive(Clone, Copy)]
pub(super) struct Scale<T> {
    weight: f64,
    /// weight / divisor.
    pub(super) factor: T,
    /// Whether the row counts at all.
    pub(super) live: bool,
}

impl<T: Real> Scale<T> {
    pub(super) const NOTHING: Self = Self { weight: 0.0, factor: T::ZERO, live: false };

    #[inline(always)]
    fn new(weight: f64, divisor: Divisor) -> Self {
        if weight == 0.0 || divisor.by == 0.0 {
            return Self::NOTHING;
        }
        Self { weight, factor: T::from_f64(divisor.of(weight)), live: true }
    }

    /// The weighted loss of a row; 0 also for an infinite one of weight 0.
    #[inline(always)]
    pub(super) fn value(self, loss: f64) -> f64 {
        if self.live { self.weight * loss } else { 0.0 }
    }

    /// The gradient of the batch from that of the row.
    #[inline(always)]
    pub(super) fn apply<V: Vector<T>>(self, gradient: V) -> V {
        if self.live { gradient.mul(V::splat(self.factor)) } else { V::zero() }
    }
}

/// The scales of up to 16 rows.
pub(super) struct FewScales<T>([Scale<T>; LANES]);

impl<T: Real> FewScales<T> {
    /// As [`Scale::value`], of the row in lane `i`.
    #[inline(always)]
    pub(super) fn value(&self, i: usize, loss: f64) -> f64 {
        self.0[i].value(loss)
    }

    /// As [`Scale::apply`], of a row in each lane.
    #[inline(always)]
    pub(super) fn apply<V: Vector<T>>(&self, gradient: V) -> V {
        let (mut factors, mut live) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        for i in 0..LANES {
            factors[i] = self.0[i].factor;
            live[i] = if self.0[i].live { T::ONE } else { T::ZERO };
        }
        let (factors, live) = (first_lanes::<T, V>(&factors), first_lanes::<T, V>(&live));
        V::select(V::zero().lt(live), gradient.mul(factors), V::zero())
    }
}
