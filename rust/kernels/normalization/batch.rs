//! Mean and variance of columns over the rows of a batch, or of past ones.

use super::lanes::{columns, load, narrow, of_columns, wide};
use crate::kernels::chains::{Chains, over_rows};
use crate::kernels::panels::{Panels, Span};
use crate::simd::{LANES, Real, Simd, Vector};

/// Whose mean and variance normalize columns: 16 numbers for each panel. Variances are divided by the number
/// of rows.
#[derive(Clone, Copy)]
pub enum Population<T> {
    /// All rows of the batch; the forward pass writes both.
    Batch {
        /// Of each column.
        means: Span<f64>,
        /// Of each column.
        variances: Span<f64>,
    },
    /// The rows of past batches.
    Past {
        /// Of each column.
        means: Span<T>,
        /// Of each column.
        variances: Span<T>,
    },
}

/// How 16 columns become normal: their mean as two numbers of the element type, of which the first is the
/// nearest, and r = 1 / sqrt(variance + eps), which is 0 where there is no column.
pub(super) struct Normal<V> {
    pub nearest: V,
    pub rest: V,
    pub r: V,
}

impl<T: Real> Population<T> {
    /// Whether it belongs to so many panels.
    #[inline(always)]
    pub(super) fn fits(self, panels: usize) -> bool {
        let len = panels * LANES;
        match self {
            Self::Batch { means, variances } => means.len() == len && variances.len() == len,
            Self::Past { means, variances } => means.len() == len && variances.len() == len,
        }
    }

    /// r of the columns of a panel, of which there are `width`.
    #[inline(always)]
    pub(super) fn reciprocal<S: Simd>(self, eps: f64, panel: usize, width: usize) -> S::Lanes<T> {
        let variance = match self {
            Self::Batch { variances, .. } => of_columns(variances, panel),
            Self::Past { variances, .. } => wide::<T, S>(of_columns(variances, panel)),
        };
        reciprocal::<T, S>(variance, eps, width)
    }

    /// What a panel's columns, of which there are `width`, are normalized by, from means and variances that
    /// are there.
    #[inline(always)]
    pub(super) fn known<S: Simd>(
        self,
        eps: f64,
        panel: usize,
        width: usize,
    ) -> Normal<S::Lanes<T>> {
        let (nearest, rest) = match self {
            Self::Batch { means, .. } => split::<T, S>(of_columns(means, panel)),
            Self::Past { means, .. } => (of_columns(means, panel), S::Lanes::<T>::zero()),
        };
        let r = self.reciprocal::<S>(eps, panel, width);
        Normal { nearest: columns(nearest, width), rest: columns(rest, width), r }
    }

    /// What 16 columns of `input` are normalized by, and kept for the way back.
    #[inline(always)]
    pub(super) fn normal<S: Simd>(
        self,
        input: Panels<T>,
        eps: f64,
        panel: usize,
    ) -> Normal<S::Lanes<T>> {
        let width = input.width(panel);
        match self {
            Self::Past { .. } => self.known::<S>(eps, panel, width),
            Self::Batch { means, variances } => {
                let rows = input.rows();
                let [sum] = over_rows::<S, f64, _, 1>(rows, &Sum { input, panel });
                let exact = mean::<S>(sum, rows);
                let (nearest, rest) = split::<T, S>(exact);
                let squares = Squares::<T, S> { input, panel, nearest, rest };
                let [sum] = over_rows::<S, f64, _, 1>(rows, &squares);
                let variance = mean::<S>(sum, rows);
                // SAFETY: the spans hold 16 elements for each panel, for which their makers vouch.
                unsafe {
                    exact.store(means.at(panel * LANES));
                    variance.store(variances.at(panel * LANES));
                }
                Normal { nearest, rest, r: reciprocal::<T, S>(variance, eps, width) }
            }
        }
    }
}

/// The nearest numbers of the element type, and what they leave.
#[inline(always)]
pub(super) fn split<T: Real, S: Simd>(exact: S::Lanes<f64>) -> (S::Lanes<T>, S::Lanes<T>) {
    let nearest = narrow::<T, S>(exact);
    (nearest, narrow::<T, S>(exact.sub(wide::<T, S>(nearest))))
}

/// The mean of so many numbers.
#[inline(always)]
pub(super) fn mean<S: Simd>(sum: S::Lanes<f64>, count: usize) -> S::Lanes<f64> {
    sum.div(S::Lanes::<f64>::splat(count as f64))
}

#[inline(always)]
fn reciprocal<T: Real, S: Simd>(variance: S::Lanes<f64>, eps: f64, width: usize) -> S::Lanes<T> {
    let deviation = variance.add(S::Lanes::<f64>::splat(eps)).sqrt();
    columns(narrow::<T, S>(S::Lanes::<f64>::splat(1.0).div(deviation)), width)
}

/// The sum of the elements.
struct Sum<T> {
    input: Panels<T>,
    panel: usize,
}

impl<T: Real, S: Simd> Chains<S, f64, 1> for Sum<T> {
    #[inline(always)]
    fn chains(&self, start: usize, len: usize) -> [S::Lanes<f64>; 1] {
        let mut sum = S::Lanes::<f64>::zero();
        for row in start..start + len {
            sum = sum.add(wide::<T, S>(load(self.input, self.panel, row)));
        }
        [sum]
    }
}

/// The sum of the squares of deviations from the mean.
struct Squares<T: Real, S: Simd> {
    input: Panels<T>,
    panel: usize,
    nearest: S::Lanes<T>,
    rest: S::Lanes<T>,
}

impl<T: Real, S: Simd> Chains<S, f64, 1> for Squares<T, S> {
    #[inline(always)]
    fn chains(&self, start: usize, len: usize) -> [S::Lanes<f64>; 1] {
        let mut sum = S::Lanes::<f64>::zero();
        for row in start..start + len {
            let x: S::Lanes<T> = load(self.input, self.panel, row);
            let deviation = wide::<T, S>(x.sub(self.nearest).sub(self.rest));
            sum = deviation.fma(deviation, sum);
        }
        [sum]
    }
}
