//! Parameter updates.
//!
//! For a parameter w, its gradient g and the moments m and v (N5; every line rounds as it is
//! written, `fma` once):
//!
//! ```text
//! both   g = fma(weight_decay, w, g)                     if weight_decay != 0
//! SGD    m = fma(momentum, m, g), step = m               if momentum != 0, else step = g
//!        step = fma(momentum, m, g)                      if nesterov
//!        w = fma(-lr, step, w)
//! Adam   m = fma(1 - b1, g - m, m)
//!        v = fma(b2, v, ((1 - b2) g) g)
//!        w = fma(-(lr / (1 - b1^t)), m / (sqrt(v) / sqrt(1 - b2^t) + eps), w)
//! ```
//!
//! w, m and v are stored with magnitudes below [`Real::FLUSH`] as +0; within an update they are as
//! computed.

use super::panels::Span;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// One update's formula with its numbers: what is the same for all elements of a parameter.
///
/// The numbers are computed in `f64` and rounded to `T` once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule<T> {
    /// Stochastic gradient descent; the moment m is the velocity, v is not used.
    Sgd {
        /// Learning rate, the parameter's scale included.
        lr: T,
        /// 0 for none, and then m is not used.
        momentum: T,
        /// 0 for none.
        weight_decay: T,
        /// Whether the step looks ahead by one velocity.
        nesterov: bool,
    },
    /// Adam.
    Adam {
        /// lr / (1 - b1^t).
        step_size: T,
        /// 1 - b1.
        one_minus_b1: T,
        /// b2.
        b2: T,
        /// 1 - b2.
        one_minus_b2: T,
        /// sqrt(1 - b2^t).
        sqrt_correction: T,
        /// Added to the denominator; above 0.
        eps: T,
        /// 0 for none.
        weight_decay: T,
    },
}

impl<T: Real> Rule<T> {
    /// Stochastic gradient descent.
    #[must_use]
    pub fn sgd(lr: f64, momentum: f64, weight_decay: f64, nesterov: bool) -> Self {
        Self::Sgd {
            lr: T::from_f64(lr),
            momentum: T::from_f64(momentum),
            weight_decay: T::from_f64(weight_decay),
            nesterov,
        }
    }

    /// Adam's update number t, counted from 1; `powers` is (b1^t, b2^t).
    ///
    /// An `eps` that rounds to less than [`Real::FLUSH`] is that: an element whose gradients have
    /// all been 0, as padding's are, would else become 0/0.
    #[must_use]
    pub fn adam(
        lr: f64,
        betas: (f64, f64),
        eps: f64,
        weight_decay: f64,
        powers: (f64, f64),
    ) -> Self {
        let eps = T::from_f64(eps);
        Self::Adam {
            step_size: T::from_f64(lr / (1.0 - powers.0)),
            one_minus_b1: T::from_f64(1.0 - betas.0),
            b2: T::from_f64(betas.1),
            one_minus_b2: T::from_f64(1.0 - betas.1),
            sqrt_correction: T::from_f64((1.0 - powers.1).sqrt()),
            eps: if eps < T::FLUSH { T::FLUSH } else { eps },
            weight_decay: T::from_f64(weight_decay),
        }
    }

    /// The learning rate, if the rule is SGD without momentum and weight decay.
    #[must_use]
    pub fn plain_sgd(&self) -> Option<T> {
        match *self {
            Self::Sgd { lr, momentum, weight_decay, .. }
                if momentum == T::ZERO && weight_decay == T::ZERO =>
            {
                Some(lr)
            }
            _ => None,
        }
    }

    /// Whether the rule keeps the first moment, m.
    #[must_use]
    pub fn uses_m(&self) -> bool {
        match self {
            Self::Sgd { momentum, .. } => *momentum != T::ZERO,
            Self::Adam { .. } => true,
        }
    }

    /// Whether the rule keeps the second moment, v.
    #[must_use]
    pub fn uses_v(&self) -> bool {
        matches!(self, Self::Adam { .. })
    }
}

/// Updates a vector of parameters `w` with gradients `g`: gives the new parameters and puts the new
/// moments into `m` and `v`, all as they are to be stored. A moment that the rule does not use is
/// left alone.
#[inline(always)]
pub fn update_lanes<T: Real, V: Vector<T>>(rule: &Rule<T>, w: V, g: V, m: &mut V, v: &mut V) -> V {
    match *rule {
        Rule::Sgd { lr, momentum, weight_decay, nesterov } => {
            let g = decayed(weight_decay, w, g);
            let mut step = g;
            if momentum != T::ZERO {
                let momentum = V::splat(momentum);
                let velocity = momentum.fma(*m, g);
                step = if nesterov { momentum.fma(velocity, g) } else { velocity };
                *m = velocity.flush();
            }
            plain_sgd(V::splat(lr), w, step)
        }
        Rule::Adam {
            step_size,
            one_minus_b1,
            b2,
            one_minus_b2,
            sqrt_correction,
            eps,
            weight_decay,
        } => {
            let g = decayed(weight_decay, w, g);
            let first = V::splat(one_minus_b1).fma(g.sub(*m), *m);
            let second = V::splat(b2).fma(*v, V::splat(one_minus_b2).mul(g).mul(g));
            let root = quotient(second.sqrt(), V::splat(sqrt_correction));
            let step = first.div(root.add(V::splat(eps)));
            *m = first.flush();
            *v = second.flush();
            V::splat(step_size).neg().fma(step, w).flush()
        }
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

/// SGD's step from `w`, as it is to be stored.
#[inline(always)]
pub fn plain_sgd<T: Real, V: Vector<T>>(lr: V, w: V, step: V) -> V {
    lr.neg().fma(step, w).flush()
}

#[inline(always)]
fn decayed<T: Real, V: Vector<T>>(weight_decay: T, w: V, g: V) -> V {
    if weight_decay == T::ZERO { g } else { V::splat(weight_decay).fma(w, g) }
}

/// Updates the parameters `w` in place with the gradients `g`.
///
/// The spans have one length, a multiple of 16; `m` and `v` may be empty if the rule does not use
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Update<T> {
    /// The formula.
    pub rule: Rule<T>,
    /// Parameters.
    pub w: Span<T>,
    /// Gradients.
    pub g: Span<T>,
    /// First moments.
    pub m: Span<T>,
    /// Second moments.
    pub v: Span<T>,
}

impl<T: Real> Kernel for Update<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { rule, w, g, m, v } = self;
        let (uses_m, uses_v) = (rule.uses_m(), rule.uses_v());
        assert!(w.len().is_multiple_of(LANES) && g.len() == w.len());
        assert!(!uses_m || m.len() == w.len());
        assert!(!uses_v || v.len() == w.len());
        let mut i = 0;
        while i < w.len() {
            // SAFETY: 16 elements from i on are in each span that is used (asserted above), and
            // whoever made the spans vouches for their memory.
            unsafe {
                let mut first = S::Lanes::<T>::zero();
                let mut second = S::Lanes::<T>::zero();
                if uses_m {
                    first = S::Lanes::<T>::load(m.at(i));
                }
                if uses_v {
                    second = S::Lanes::<T>::load(v.at(i));
                }
                let before = S::Lanes::<T>::load(w.at(i));
                let gradient = S::Lanes::<T>::load(g.at(i));
                let after = update_lanes(&rule, before, gradient, &mut first, &mut second);
                after.store(w.at(i));
                if uses_m {
                    first.store(m.at(i));
                }
                if uses_v {
                    second.store(v.at(i));
                }
            }
            i += LANES;
        }
    }
}
