//! Half a period of the cosine, from one rate to another.

use super::rates::{RATES, Rates};
use crate::kernels::elementary::cos_two_pi;
use crate::simd::{Kernel, Simd, Vector};

/// 16 ways between two rates each.
pub struct Anneal {
    from: Rates,
    to: Rates,
    done: Rates,
}

/// A way between two rates.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) from: f64,
    pub(super) to: f64,
    /// The part of it that lies behind, 0 to 1.
    pub(super) done: f64,
}

impl Anneal {
    pub(super) fn new(ways: [Way; RATES]) -> Self {
        let (from, to) = (ways.map(|way| way.from), ways.map(|way| way.to));
        Self { from, to, done: ways.map(|way| way.done) }
    }
}

/// to + (from - to) (1 + cos(pi done)) / 2, in the form to + (from - to) cos(pi done / 2)^2, which does not
/// cancel near the end; exactly `to` there.
impl Kernel for Anneal {
    type Output = Rates;

    #[inline(always)]
    fn run<S: Simd>(self) -> Rates {
        let Self { from, to, done } = self;
        let mut rates = [0.0; RATES];
        // SAFETY: each array holds 16 numbers.
        unsafe {
            let from = S::Lanes::<f64>::load(from.as_ptr());
            let to = S::Lanes::<f64>::load(to.as_ptr());
            let done = S::Lanes::<f64>::load(done.as_ptr());
            let cos = cos_two_pi(done.mul(S::Lanes::<f64>::splat(0.25)));
            let rate = from.sub(to).fma(cos.mul(cos), to);
            // A sum that rounds below the smaller of two rates is none of them.
            rate.max(S::Lanes::<f64>::zero()).store(rates.as_mut_ptr());
        }
        rates
    }
}
