//! Half a period of the cosine, from one rate to another.

use super::formula::{RATES, Rates};
use crate::kernels::elementary::cos_two_pi;
use crate::simd::Vector;

/// A way between two rates.
#[derive(Clone, Copy)]
pub(super) struct Anneal {
    pub(super) from: f64,
    pub(super) to: f64,
    /// The part of it that lies behind, 0 to 1.
    pub(super) done: f64,
}

/// to + (from - to) (1 + cos(pi done)) / 2, in the form to + (from - to) cos(pi done / 2)^2, which does not
/// cancel near the end; exactly `to` there.
#[inline(always)]
pub(super) fn annealed<V: Vector<f64>>(ways: [Anneal; RATES]) -> Rates {
    let (from, to) = (ways.map(|way| way.from), ways.map(|way| way.to));
    let done = ways.map(|way| way.done);
    let mut rates = [0.0; RATES];
    // SAFETY: each array has as many numbers as V has lanes.
    unsafe {
        let (from, to) = (V::load(from.as_ptr()), V::load(to.as_ptr()));
        let cos = cos_two_pi(V::load(done.as_ptr()).mul(V::splat(0.25)));
        from.sub(to).fma(cos.mul(cos), to).store(rates.as_mut_ptr());
    }
    // A sum that rounds below the smaller of two rates is none of them.
    rates.map(|rate| if rate > 0.0 { rate } else { 0.0 })
}
