//! The way back through a normalization.

use super::{RowSums, by_sixteen, columns, each_row, load, of_columns, store, wide};
use crate::kernels::panels::{Panels, Span};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// dx = r fma(-xhat, c, g - a) with g = w dy, a the mean of g and c that of g xhat over the row.
///
/// The means are sums in f64, of the products by fma, rounded to the element type. Small results become
/// +0 (N5).
pub struct NormalizeBackward<T> {
    /// xhat (rows, n), as [`super::Normalize`] leaves it.
    pub normalized: Panels<T>,
    /// r in 16 columns (rows, 16), as [`super::Normalize`] leaves it.
    pub reciprocals: Panels<T>,
    /// w, 16 elements for each panel; without it g is dy.
    pub weight: Option<Span<T>>,
    /// dy, as many rows and columns as xhat.
    pub grad: Panels<T>,
    /// Written: dx, as many; may be the memory of `grad`. Padding becomes +0.
    pub target: Panels<T>,
}

impl<T: Real> Kernel for NormalizeBackward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (normalized, grad, target) = (self.normalized, self.grad, self.target);
        assert!(normalized.rows() == grad.rows() && normalized.cols() == grad.cols());
        assert!(target.rows() == grad.rows() && target.cols() == grad.cols());
        assert!(self.reciprocals.rows() == grad.rows() && self.reciprocals.cols() == LANES);
        by_sixteen!(grad.rows(), |first, count| self.sixteen::<S>(first, count));
    }
}

impl<T: Real> NormalizeBackward<T> {
    /// `count` rows from row `first` on, up to 16, which share the folds.
    #[inline(always)]
    fn sixteen<S: Simd>(&self, first: usize, count: usize) {
        let (normalized, target) = (self.normalized, self.target);
        let (mut sums, mut products) = (RowSums::new(), RowSums::new());
        for i in 0..count {
            let row = first + i;
            let (mut sum, mut product) = (S::Lanes::<f64>::zero(), S::Lanes::<f64>::zero());
            for panel in 0..target.panels() {
                let g = self.scaled::<S::Lanes<T>>(panel, row);
                store(target, panel, row, g);
                let g = wide::<T, S>(g);
                sum = sum.add(g);
                product = g.fma(wide::<T, S>(load(normalized, panel, row)), product);
            }
            sums.set(i, sum);
            products.set(i, product);
        }
        let a = each_row(sums.means::<S>(target.cols()));
        let c = each_row(products.means::<S>(target.cols()));
        for i in 0..count {
            let row = first + i;
            let (a, c) = (S::Lanes::<T>::constant(a[i]), S::Lanes::<T>::constant(c[i]));
            let reciprocal: S::Lanes<T> = load(self.reciprocals, 0, row);
            for panel in 0..target.panels() {
                let g: S::Lanes<T> = load(target, panel, row);
                let xhat: S::Lanes<T> = load(normalized, panel, row);
                let dx = reciprocal.mul(xhat.neg().fma(c, g.sub(a))).flush();
                store(target, panel, row, columns(dx, target.width(panel)));
            }
        }
    }

    /// g.
    #[inline(always)]
    fn scaled<V: Vector<T>>(&self, panel: usize, row: usize) -> V {
        let dy: V = load(self.grad, panel, row);
        match self.weight {
            Some(w) => columns(dy.mul(of_columns(w, panel)), self.grad.width(panel)),
            None => dy,
        }
    }
}
