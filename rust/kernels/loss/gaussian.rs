//! The negative log likelihood of a normal distribution: of 2 K outputs the first K are means, the others
//! the logarithms of the variances.
//!
//! With mean m, log variance s, target t, h = e^(-s / 2) and z = (m - t) h:
//!
//! value = (s + z^2) / 2, gradients z h by m and (1 - z^2) / 2 by s.
//!
//! h is taken and not 1 / variance = h^2, which overflows and vanishes for half as large s, as the square
//! of m - t does for large differences. Where m = t, z is 0 whatever h is.

use super::rows::{first_lanes, lanes_of};
use super::weights::Scales;
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::fold_array;
use crate::simd::{LANES, Real, Vector};

/// The rows of a batch, in panels: outputs (rows, 2 K), targets (rows, K).
pub(super) struct GaussianLosses<T> {
    pub(super) outputs: Panels<T>,
    pub(super) targets: Panels<T>,
    pub(super) scales: Scales<T>,
    pub(super) row_loss: Span<f64>,
    pub(super) grad: Option<Panels<T>>,
}

impl<T: Elementary> GaussianLosses<T> {
    /// With a row in each lane, one register of rows at a time: most networks have one mean.
    #[inline(always)]
    pub(super) fn run<V: Vector<T>>(&self) {
        let mut first = 0;
        while first < self.outputs.rows() {
            let left = self.outputs.rows() - first;
            self.lanes::<V>(first, if left < V::LANES { left } else { V::LANES });
            first += V::LANES;
        }
    }

    /// Rows `first..first + count`.
    #[inline(always)]
    fn lanes<V: Vector<T>>(&self, first: usize, count: usize) {
        let means = self.targets.cols();
        let (zero, half) = (V::zero(), V::constant(0.5));
        let scales = self.scales.few(first, count);
        // Of each row those of columns mod 16.
        let mut sums = [[0.0; LANES]; LANES];
        for column in 0..means {
            let rows = (first, count);
            let m: V = load(self.outputs, rows, column);
            let s: V = load(self.outputs, rows, means + column);
            let d = m.sub(load(self.targets, rows, column));
            let is_met = d.eq(zero);
            let h = T::exp(half.neg().mul(s));
            let z = V::select(is_met, d, d.mul(h));
            let values = lanes_of(half.mul(z).fma(z, half.mul(s)));
            for i in 0..count {
                sums[i][column % LANES] += values[i].to_f64();
            }
            let Some(grad) = self.grad else { continue };
            let by_mean = V::select(is_met, d, z.mul(h));
            let by_log_variance = half.neg().mul(z).fma(z, half);
            store(scales.apply(by_mean).flush(), grad, rows, column);
            store(scales.apply(by_log_variance).flush(), grad, rows, means + column);
        }
        for i in 0..count {
            self.row_loss.set(first + i, scales.value(i, fold_array(sums[i])));
        }
        let Some(grad) = self.grad else { return };
        for padding in grad.cols()..grad.panels() * LANES {
            store(zero, grad, (first, count), padding);
        }
    }
}

/// A column of `count` rows from row `first` on.
#[inline(always)]
fn load<T: Real, V: Vector<T>>(
    matrix: Panels<T>,
    (first, count): (usize, usize),
    column: usize,
) -> V {
    let mut lanes = [T::ZERO; LANES];
    for i in 0..count {
        // SAFETY: the view's maker vouches for the 16 elements of its rows.
        lanes[i] = unsafe { *place(matrix, first + i, column) };
    }
    first_lanes(&lanes)
}

#[inline(always)]
fn store<T: Real, V: Vector<T>>(
    lanes: V,
    matrix: Panels<T>,
    (first, count): (usize, usize),
    column: usize,
) {
    let lanes = lanes_of(lanes);
    for i in 0..count {
        // SAFETY: as above.
        unsafe { *place(matrix, first + i, column) = lanes[i] };
    }
}

#[inline(always)]
fn place<T: Real>(matrix: Panels<T>, row: usize, column: usize) -> *mut T {
    matrix.row(column / LANES, row).wrapping_add(column % LANES)
}
