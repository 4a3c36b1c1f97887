//! Rows become rows of mean 0 and variance 1, and are then scaled and shifted.

use super::{RowSums, by_sixteen, columns, each_row, load, of_columns, store, wide};
use crate::kernels::panels::{Panels, Span};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// y = fma(xhat, w, b), xhat = ((x - m) - m') r, with m + m' the mean as two numbers of the element type,
/// of which m is the nearest, and r = 1 / sqrt(variance + eps) rounded to it.
///
/// The variance is the mean of ((x - m) - m')^2, whose squares are added by fma in f64; so a mean that is
/// large beside the deviations from it costs no digits of these.
pub struct Normalize<T> {
    /// x (rows, n).
    pub input: Panels<T>,
    /// w and b, 16 elements for each panel; without them y is xhat.
    pub affine: Option<(Span<T>, Span<T>)>,
    /// At least 0.
    pub eps: f64,
    /// Written: xhat; may be the memory of `input`. Padding becomes +0.
    pub normalized: Panels<T>,
    /// Written: y; may be the memory of `input` or `normalized`, and then holds y in the end.
    pub output: Panels<T>,
    /// Written: r in 16 columns (rows, 16).
    pub reciprocals: Panels<T>,
}

impl<T: Real> Kernel for Normalize<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (input, normalized, output) = (self.input, self.normalized, self.output);
        assert!(normalized.rows() == input.rows() && normalized.cols() == input.cols());
        assert!(output.rows() == input.rows() && output.cols() == input.cols());
        assert!(self.reciprocals.rows() == input.rows() && self.reciprocals.cols() == LANES);
        by_sixteen!(input.rows(), |first, count| self.sixteen::<S>(first, count));
    }
}

impl<T: Real> Normalize<T> {
    /// `count` rows from row `first` on, up to 16, which share the folds and one division.
    #[inline(always)]
    fn sixteen<S: Simd>(&self, first: usize, count: usize) {
        let (input, normalized) = (self.input, self.normalized);
        let mut sums = RowSums::new();
        for i in 0..count {
            let mut sum = S::Lanes::<f64>::zero();
            for panel in 0..input.panels() {
                sum = sum.add(wide::<T, S>(load(input, panel, first + i)));
            }
            sums.set(i, sum);
        }
        let means = each_row(sums.means::<S>(input.cols()));
        for i in 0..count {
            let nearest = T::from_f64(means[i]);
            let rest = S::Lanes::<T>::constant(means[i] - nearest.to_f64());
            let nearest = S::Lanes::<T>::splat(nearest);
            let mut sum = S::Lanes::<f64>::zero();
            for panel in 0..input.panels() {
                let x: S::Lanes<T> = load(input, panel, first + i);
                let deviation = columns(x.sub(nearest).sub(rest), input.width(panel));
                store(normalized, panel, first + i, deviation);
                let deviation = wide::<T, S>(deviation);
                sum = deviation.fma(deviation, sum);
            }
            sums.set(i, sum);
        }
        let variances = sums.means::<S>(input.cols());
        let deviations = variances.add(S::Lanes::<f64>::splat(self.eps)).sqrt();
        let reciprocals = each_row(S::Lanes::<f64>::splat(1.0).div(deviations));
        for i in 0..count {
            let reciprocal = S::Lanes::<T>::constant(reciprocals[i]);
            store(self.reciprocals, 0, first + i, reciprocal);
            for panel in 0..input.panels() {
                self.scale::<S::Lanes<T>>(panel, first + i, reciprocal);
            }
        }
    }

    /// From deviations to xhat and y.
    #[inline(always)]
    fn scale<V: Vector<T>>(&self, panel: usize, row: usize, reciprocal: V) {
        let width = self.input.width(panel);
        let deviation: V = load(self.normalized, panel, row);
        let xhat = columns(deviation.mul(reciprocal), width);
        store(self.normalized, panel, row, xhat);
        let y = match self.affine {
            Some((w, b)) => columns(xhat.fma(of_columns(w, panel), of_columns(b, panel)), width),
            None => xhat,
        };
        store(self.output, panel, row, y);
    }
}
