//! What becomes of a gradient before a formula takes it: penalties, and a limit for each element; and what of a
//! parameter after it: an average.

use super::formula::{decayed, sign};
use crate::simd::{Real, Vector};

/// The terms of a parameter in one update.
///
/// ```text
/// g = fma(l2, w, g)                           if l2 != 0
/// g = fma(l1, sign(w), g)                     if l1 != 0
/// g = min(max(g, -limit), limit)              if there is one; NaN stays
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms<T> {
    /// What the penalty on magnitudes adds, with the sign of the parameter.
    pub l1: T,
    /// What the penalty on squares adds, times the parameter.
    pub l2: T,
    /// The largest magnitude of an element.
    pub limit: Option<T>,
}

impl<T: Real> Terms<T> {
    /// The gradients `g` of parameters `w` with these terms.
    #[inline(always)]
    pub fn lanes<V: Vector<T>>(self, w: V, g: V) -> V {
        let mut g = decayed(self.l2, w, g);
        if self.l1 != T::ZERO {
            g = V::splat(self.l1).fma(sign(w), g);
        }
        if let Some(limit) = self.limit {
            let (least, most) = (V::splat(limit).neg(), V::splat(limit));
            g = V::select(g.lt(least), least, V::select(most.lt(g), most, g));
        }
        g
    }
}

/// The average of a parameter after an update to `w`, as it is to be stored: `fma(rest, w - average,
/// average)`.
#[inline(always)]
pub fn moved_average<T: Real, V: Vector<T>>(rest: V, w: V, average: V) -> V {
    rest.fma(w.sub(average), average).flush()
}
