//! Columns become columns of mean 0 and variance 1, and are then scaled and shifted.

use super::batch::{Normal, Population};
use super::lanes::{columns, load, of_columns, store};
use crate::kernels::panels::{Panels, Span};
use crate::simd::{Kernel, Real, Simd, Vector};

/// y = fma(xhat, w, b), xhat = ((x - m) - m') r, with m + m' the mean as two numbers of the element type, of
/// which m is the nearest, and r = 1 / sqrt(variance + eps) rounded to it.
///
/// The variance of a batch is the mean of ((x - m) - m')^2, whose squares are added by fma in f64; so a mean
/// that is large beside the deviations from it costs no digits of these. A panel is one piece of work after
/// the other, while its rows are in a cache.
pub struct BatchNormalize<T> {
    /// x (rows, n); of a batch all rows, at least 1.
    pub input: Panels<T>,
    /// w and b, 16 elements for each panel; without them y is xhat.
    pub affine: Option<(Span<T>, Span<T>)>,
    /// At least 0.
    pub eps: f64,
    /// Of n columns.
    pub population: Population<T>,
    /// Written: xhat; may be the memory of `input`. Padding becomes +0.
    pub normalized: Panels<T>,
    /// Written: y; may be the memory of `input` or `normalized`, and then holds y in the end.
    pub output: Panels<T>,
}

impl<T: Real> Kernel for BatchNormalize<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (input, normalized, output) = (self.input, self.normalized, self.output);
        assert!(normalized.rows() == input.rows() && normalized.cols() == input.cols());
        assert!(output.rows() == input.rows() && output.cols() == input.cols());
        assert!(self.population.fits(input.panels()));
        for panel in 0..input.panels() {
            let normal = self.population.normal::<S>(input, self.eps, panel);
            self.panel::<S::Lanes<T>>(panel, normal);
        }
    }
}

impl<T: Real> BatchNormalize<T> {
    /// xhat and y of one panel.
    #[inline(always)]
    fn panel<V: Vector<T>>(&self, panel: usize, Normal { nearest, rest, r }: Normal<V>) {
        // One is not stored where y takes its place at once.
        let both = !self.normalized.is_same(self.output);
        let affine = self.affine::<V>(panel);
        for row in 0..self.input.rows() {
            let x: V = load(self.input, panel, row);
            let xhat = x.sub(nearest).sub(rest).mul(r);
            if both {
                store(self.normalized, panel, row, xhat);
            }
            let y = match affine {
                Some([w, b]) => xhat.fma(w, b),
                None => xhat,
            };
            store(self.output, panel, row, y);
        }
    }

    /// w and b of a panel's columns, +0 where there is none.
    #[inline(always)]
    fn affine<V: Vector<T>>(&self, panel: usize) -> Option<[V; 2]> {
        let (width, (w, b)) = (self.input.width(panel), self.affine?);
        Some([columns(of_columns(w, panel), width), columns(of_columns(b, panel), width)])
    }
}
