//! The way back through a normalization of columns.

use super::batch::{Population, mean};
use super::lanes::{columns, load, narrow, of_columns, store, wide};
use crate::kernels::chains::{Chains, over_rows};
use crate::kernels::panels::{Panels, Span};
use crate::simd::{Kernel, Real, Simd, Vector};

/// dx = (r w) fma(-xhat, c, dy - a), a the mean of dy and c that of dy xhat over the rows of a batch; of
/// past batches, whose mean and variance x does not move, dx = (r w) dy.
///
/// The means are sums in f64 (N2), of the products by fma, rounded to the element type. Small results become
/// +0 (N5).
pub struct BatchNormalizeBackward<T> {
    /// xhat (rows, n), as [`super::BatchNormalize`] leaves it.
    pub normalized: Panels<T>,
    /// w, 16 elements for each panel; without it 1.
    pub weight: Option<Span<T>>,
    /// As in [`super::BatchNormalize`].
    pub eps: f64,
    /// As [`super::BatchNormalize`] leaves it.
    pub population: Population<T>,
    /// dy, as many rows and columns as xhat.
    pub grad: Panels<T>,
    /// Written: dx, as many; may be the memory of `grad`. Padding becomes +0.
    pub target: Panels<T>,
}

impl<T: Real> Kernel for BatchNormalizeBackward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (normalized, grad, target) = (self.normalized, self.grad, self.target);
        assert!(normalized.rows() == grad.rows() && normalized.cols() == grad.cols());
        assert!(target.rows() == grad.rows() && target.cols() == grad.cols());
        assert!(self.population.fits(grad.panels()));
        for panel in 0..grad.panels() {
            let width = grad.width(panel);
            let r = self.population.reciprocal::<S>(self.eps, panel, width);
            let scale = match self.weight {
                Some(w) => r.mul(columns(of_columns(w, panel), width)),
                None => r,
            };
            match self.population {
                Population::Batch { .. } => {
                    let sums = Sums { of: &self, panel };
                    let [a, c] = over_rows::<S, f64, _, 2>(grad.rows(), &sums);
                    let a = narrow::<T, S>(mean::<S>(a, grad.rows()));
                    let c = narrow::<T, S>(mean::<S>(c, grad.rows()));
                    self.of_batch::<S::Lanes<T>>(panel, scale, [a, c]);
                }
                Population::Past { .. } => self.scaled::<S::Lanes<T>>(panel, scale),
            }
        }
    }
}

impl<T: Real> BatchNormalizeBackward<T> {
    #[inline(always)]
    fn of_batch<V: Vector<T>>(&self, panel: usize, scale: V, [a, c]: [V; 2]) {
        for row in 0..self.grad.rows() {
            let dy: V = load(self.grad, panel, row);
            let xhat: V = load(self.normalized, panel, row);
            let dx = scale.mul(xhat.neg().fma(c, dy.sub(a)));
            store(self.target, panel, row, dx.flush());
        }
    }

    #[inline(always)]
    fn scaled<V: Vector<T>>(&self, panel: usize, scale: V) {
        for row in 0..self.grad.rows() {
            let dy: V = load(self.grad, panel, row);
            store(self.target, panel, row, scale.mul(dy).flush());
        }
    }
}

/// The sums of one panel's columns: of dy, and of dy xhat.
struct Sums<'a, T> {
    of: &'a BatchNormalizeBackward<T>,
    panel: usize,
}

impl<T: Real, S: Simd> Chains<S, f64, 2> for Sums<'_, T> {
    #[inline(always)]
    fn chains(&self, start: usize, len: usize) -> [S::Lanes<f64>; 2] {
        let [mut sum, mut products] = [S::Lanes::<f64>::zero(); 2];
        for row in start..start + len {
            let dy = wide::<T, S>(load(self.of.grad, self.panel, row));
            sum = sum.add(dy);
            products = dy.fma(wide::<T, S>(load(self.of.normalized, self.panel, row)), products);
        }
        [sum, products]
    }
}
