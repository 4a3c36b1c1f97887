//! Adam (Kingma and Ba, 2015) as `torch.optim.Adam`; update t is counted from 1.
//!
//! ```text
//! g = fma(weight_decay, w, g)                 if weight_decay != 0
//! m = fma(1 - b1, g - m, m)
//! v = fma(b2, v, ((1 - b2) g) g)
//! w = fma(-(lr / (1 - b1^t)), m / (sqrt(v) / sqrt(1 - b2^t) + eps), w)
//! ```
//!
//! With `eps_hat` eps is the paper's epsilon hat (its section 2), as Keras and scikit-learn have it: added to the
//! root of v as it is, so that v's correction is a factor on the step.
//!
//! ```text
//! w = fma(-(lr sqrt(1 - b2^t) / (1 - b1^t)), m / (sqrt(v) + eps), w)
//! ```

use super::Clock;
use super::formula::{Formula, MOMENTS, Settings, at_least_flush, decayed};
use crate::simd::{Real, Vector};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Decay of the first and of the second moment.
    pub betas: (f64, f64),
    /// Added to the denominator; above 0.
    pub eps: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Whether `eps` is added before v is corrected.
    pub eps_hat: bool,
}

/// The formula; its moments are m and v, the clock's scalars b1^t and b2^t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamFormula<T> {
    pub(super) step_size: T,
    one_minus_b1: T,
    b2: T,
    one_minus_b2: T,
    sqrt_correction: T,
    pub(super) eps: T,
    weight_decay: T,
}

impl Settings for Adam {
    type Formula<T: Real> = AdamFormula<T>;

    fn moments(&self) -> usize {
        2
    }

    fn advance(&self, clock: &mut Clock) {
        clock.scalars[0] *= self.betas.0;
        clock.scalars[1] *= self.betas.1;
    }

    fn without_decay(self) -> Self {
        Self { weight_decay: 0.0, ..self }
    }

    fn formula<T: Real>(&self, learning_rate: f64, clock: &Clock) -> AdamFormula<T> {
        let [power1, power2, _] = clock.scalars;
        if self.eps_hat {
            // Of b2^t = 0 the correction is 1, by which a quotient is what it was.
            return self.numbers(learning_rate * (1.0 - power2).sqrt() / (1.0 - power1), 0.0);
        }
        self.numbers(learning_rate / (1.0 - power1), power2)
    }
}

impl Adam {
    /// The formula for a factor `step_size` on each step and b2^t.
    #[inline(always)]
    pub(super) fn numbers<T: Real>(&self, step_size: f64, power2: f64) -> AdamFormula<T> {
        AdamFormula {
            step_size: T::from_f64(step_size),
            one_minus_b1: T::from_f64(1.0 - self.betas.0),
            b2: T::from_f64(self.betas.1),
            one_minus_b2: T::from_f64(1.0 - self.betas.1),
            sqrt_correction: T::from_f64((1.0 - power2).sqrt()),
            eps: at_least_flush(self.eps),
            weight_decay: T::from_f64(self.weight_decay),
        }
    }
}

impl<T: Real> Formula<T> for AdamFormula<T> {
    #[inline(always)]
    fn moments(self) -> usize {
        2
    }

    #[inline(always)]
    fn lanes<V: Vector<T>>(self, w: V, g: V, moments: &mut [V; MOMENTS]) -> V {
        let [m, v] = self.averages(self.decayed(w, g), moments);
        self.step(w, m, v)
    }
}

impl<T: Real> AdamFormula<T> {
    /// m and v with the gradient `g`, as computed; `moments` become what is stored of them.
    #[inline(always)]
    pub(super) fn averages<V: Vector<T>>(self, g: V, moments: &mut [V; MOMENTS]) -> [V; 2] {
        let [m, v, _] = *moments;
        let first = V::splat(self.one_minus_b1).fma(g.sub(m), m);
        let second = V::splat(self.b2).fma(v, V::splat(self.one_minus_b2).mul(g).mul(g));
        (moments[0], moments[1]) = (first.flush(), second.flush());
        [first, second]
    }

    /// The parameters after a step from `w` towards `m`, for the variance `v`, as they are to be stored.
    #[inline(always)]
    pub(super) fn step<V: Vector<T>>(self, w: V, m: V, v: V) -> V {
        let step = m.div(self.denominator(v));
        V::splat(self.step_size).neg().fma(step, w).flush()
    }

    /// What a step is divided by for the variance `v`.
    #[inline(always)]
    pub(super) fn denominator<V: Vector<T>>(self, v: V) -> V {
        quotient(v.sqrt(), V::splat(self.sqrt_correction)).add(V::splat(self.eps))
    }

    /// The gradients of the loss and of the penalty.
    #[inline(always)]
    pub(super) fn decayed<V: Vector<T>>(self, w: V, g: V) -> V {
        decayed(self.weight_decay, w, g)
    }
}

/// a / b for a >= 0 and one 0 < b <= 1 for many a: the bits of the division, without one for each a.
/// Divisions and square roots share one unit, which is what Adam waits for (16 elements with AVX-512:
/// about 40 cycles, without this division 30).
///
/// An approximation is corrected twice by what it leaves over. The last correction is right, by
/// Markstein's theorem: the reciprocal is correctly rounded, the quotient before within one unit of the
/// last place, and what is left over exact, since neither a square root of T nor its quotient is near
/// subnormal numbers. (P. Markstein, Computation of elementary functions on the IBM RISC System/6000
/// processor, IBM J. Res. Dev. 34, 1990.) No number tried needed the second correction; the theorem
/// does.
#[inline(always)]
pub fn quotient<T: Real, V: Vector<T>>(a: V, b: V) -> V {
    let reciprocal = V::splat(T::ONE).div(b);
    let mut q = a.mul(reciprocal);
    for _ in 0..2 {
        q = b.neg().fma(q, a).fma(reciprocal, q);
    }
    // Of an infinite a the correction makes a NaN, and for that `max` gives a.
    q.max(a)
}
