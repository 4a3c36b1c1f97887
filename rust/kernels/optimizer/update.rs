//! A formula on the elements of a parameter.

use super::formula::{Formula, MOMENTS};
use crate::kernels::panels::Span;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Rows with so few parameters take a register of four lanes.
const FOUR: usize = 4;

/// Updates the parameters `w` in place with the gradients `g`.
#[derive(Clone, Copy, Debug)]
pub struct Update<T, F> {
    /// The formula with its numbers.
    pub formula: F,
    /// Parameters, rows of 16.
    pub w: Span<T>,
    /// Gradients, as many.
    pub g: Span<T>,
    /// As many of each moment that the formula uses.
    pub moments: [Span<T>; MOMENTS],
    /// How many of each row's 16 are to be updated; others may be.
    pub live: usize,
}

impl<T: Real, F: Formula<T>> Kernel for Update<T, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { formula, w, g, moments, live } = self;
        assert!(w.len().is_multiple_of(LANES) && g.len() == w.len() && live <= LANES);
        for k in 0..MOMENTS {
            assert!(k >= formula.moments() || moments[k].len() == w.len());
        }
        if live == LANES {
            self.rows::<S::Lanes<T>>();
        } else if live > FOUR {
            self.rows::<S::Register<T>>();
        } else {
            self.rows::<S::Four<T>>();
        }
    }
}

impl<T: Real, F: Formula<T>> Update<T, F> {
    /// Of each row as many vectors as hold its `live` elements.
    #[inline(always)]
    fn rows<V: Vector<T>>(self) {
        let Self { formula, w, g, moments, live } = self;
        let kept = formula.moments();
        let mut row = 0;
        while row < w.len() {
            let mut lane = 0;
            while lane < live {
                let i = row + lane;
                // SAFETY: the lanes from i on are in each span that is used (`run` asserts it, and
                // vectors divide rows of 16), and whoever made the spans vouches for their memory.
                unsafe {
                    let mut lanes = [V::zero(); MOMENTS];
                    for k in 0..MOMENTS {
                        if k < kept {
                            lanes[k] = V::load(moments[k].at(i));
                        }
                    }
                    let after = formula.lanes(V::load(w.at(i)), V::load(g.at(i)), &mut lanes);
                    after.store(w.at(i));
                    for k in 0..MOMENTS {
                        if k < kept {
                            lanes[k].store(moments[k].at(i));
                        }
                    }
                }
                lane += V::LANES;
            }
            row += LANES;
        }
    }
}
