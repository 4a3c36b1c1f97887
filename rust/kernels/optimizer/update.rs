//! A formula on the elements of parameters.

use std::marker::PhantomData;

use super::formula::{Formula, MOMENTS};
use crate::kernels::panels::Span;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Work that is done with any formula: compiled once for each, for an instruction set and a type, and
/// called.
pub trait FormulaWork<T: Real> {
    /// Does the work.
    fn run<S: Simd, F: Formula<T>>(self, formula: F);
}

/// Some work with a formula.
pub(super) struct Applied<T, F, W> {
    formula: F,
    work: W,
    element: PhantomData<T>,
}

impl<T, F, W> Applied<T, F, W> {
    #[inline(always)]
    pub(super) fn new(formula: F, work: W) -> Self {
        Self { formula, work, element: PhantomData }
    }
}

impl<T: Real, F: Formula<T>, W: FormulaWork<T>> Kernel for Applied<T, F, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.work.run::<S, F>(self.formula);
    }
}

/// Updates the parameters `w` in place with the gradients `g`.
#[derive(Debug)]
pub struct Update<T> {
    /// Parameters, rows of 16.
    pub w: Span<T>,
    /// Gradients, as many.
    pub g: Span<T>,
    /// As many of each moment that the formula uses.
    pub moments: [Span<T>; MOMENTS],
}

impl<T> Clone for Update<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Update<T> {}

impl<T: Real> FormulaWork<T> for Update<T> {
    #[inline(always)]
    fn run<S: Simd, F: Formula<T>>(self, formula: F) {
        self.rows::<S::Lanes<T>, F>(formula, (0, self.w.len() / LANES), LANES);
    }
}

impl<T: Real> Update<T> {
    /// Rows of 16 from element `at` on, as many vectors of each as hold its first `live` elements.
    #[inline(always)]
    pub(in crate::kernels) fn rows<V: Vector<T>, F: Formula<T>>(
        self,
        formula: F,
        (at, rows): (usize, usize),
        live: usize,
    ) {
        let Self { w, g, moments } = self;
        let kept = formula.moments();
        let end = at + rows * LANES;
        assert!(end <= w.len() && g.len() == w.len() && live <= LANES);
        for k in 0..MOMENTS {
            assert!(k >= kept || moments[k].len() == w.len());
        }
        let mut row = at;
        while row < end {
            let mut lane = 0;
            while lane < live {
                let i = row + lane;
                // SAFETY: the lanes from i on are in each span that is used (asserted above, and vectors
                // divide rows of 16), and whoever made the spans vouches for their memory.
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
