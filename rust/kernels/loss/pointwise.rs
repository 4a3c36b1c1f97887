//! Losses that are a sum over the outputs of a row, each of its own output and target.

use super::rows::{LossMatrix, accumulate, column_lanes, first_lanes, keep, lanes_of};
use super::weights::Scales;
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::fold_array;
use crate::simd::{LANES, Simd, Vector};

/// Loss and derivative with respect to the output, lane by lane.
#[derive(Clone, Copy)]
pub(super) struct Pair<V> {
    pub(super) value: V,
    pub(super) gradient: V,
}

/// The formula of a loss for one output.
///
/// What a caller does not use of the pair is not computed: everything is inlined.
pub(super) trait LossFormula<T: Elementary>: Copy {
    /// Whether all outputs of a row have the same target, the only one.
    const ONE_TARGET: bool = false;
    /// Whether it is so little code that the kernels of small networks have copies of their own.
    const SHORT: bool = true;

    /// Outputs, targets and the numbers of their columns, 1 where the loss has none.
    fn lanes<V: Vector<T>>(self, output: V, target: V, of_column: V) -> Pair<V>;
}

/// The rows of a batch, in panels.
pub(super) struct PointwiseLosses<'a, T> {
    pub(super) outputs: Panels<T>,
    pub(super) targets: Panels<T>,
    pub(super) scales: Scales<T>,
    /// A number for each column, one for all, or none.
    pub(super) of_columns: &'a [f64],
    pub(super) row_loss: Span<f64>,
    pub(super) grad: Option<Panels<T>>,
}

impl<T: Elementary> PointwiseLosses<'_, T> {
    #[inline(always)]
    pub(super) fn run<S: Simd, F: LossFormula<T>>(&self, formula: F, turned: bool) {
        if turned && F::SHORT {
            self.turned::<S::Register<T>, F>(formula);
        } else if self.outputs.cols() == 1 {
            self.one_column::<S::Register<T>, F>(formula);
        } else {
            self.each_row::<S, F>(formula);
        }
    }

    /// Rows of any number of outputs.
    #[inline(always)]
    pub(super) fn each_row<S: Simd, F: LossFormula<T>>(&self, formula: F) {
        for row in 0..self.outputs.rows() {
            self.row::<S::Lanes<T>, F>(formula, row);
        }
    }

    #[inline(always)]
    fn row<V: Vector<T>, F: LossFormula<T>>(&self, formula: F, row: usize) {
        let scale = self.scales.at(row);
        let mut sums = [0.0; LANES];
        for block in 0..self.outputs.blocks() {
            let width = self.outputs.width(block);
            let q = match *self.of_columns {
                [q] => V::constant(q),
                _ => column_lanes(self.of_columns, 1.0, block),
            };
            let target = if F::ONE_TARGET {
                V::splat(self.targets.get(row, 0))
            } else {
                self.targets.load(row, block)
            };
            let pair = formula.lanes::<V>(self.outputs.load(row, block), target, q);
            accumulate(&mut sums, keep(pair.value, width));
            if let Some(grad) = self.grad {
                let lanes = scale.apply(keep(pair.gradient, width)).flush();
                grad.store(row, block, lanes);
            }
        }
        self.row_loss.set(row, scale.value(fold_array(sums)));
    }

    /// With one output the rows go into the lanes; a lane's result is the same as in `row`.
    ///
    /// One register of rows at a time: a batch of four has no use for 16 lanes of logarithms.
    #[inline(always)]
    fn one_column<V: Vector<T>, F: LossFormula<T>>(&self, formula: F) {
        let q = V::constant(self.of_columns.first().copied().unwrap_or(1.0));
        let mut first = 0;
        while first < self.outputs.rows() {
            let left = self.outputs.rows() - first;
            let count = if left < V::LANES { left } else { V::LANES };
            let mut x = [T::ZERO; LANES];
            let mut t = [T::ZERO; LANES];
            for i in 0..count {
                // SAFETY: the views' makers vouch for the elements of their rows.
                unsafe {
                    x[i] = *self.outputs.row(0, first + i);
                    t[i] = *self.targets.row(0, first + i);
                }
            }
            let pair = formula.lanes::<V>(first_lanes(&x), first_lanes(&t), q);
            let gradient = lanes_of(self.few::<V>(first, count, pair));
            if let Some(grad) = self.grad {
                for i in 0..count {
                    let mut lanes = [T::ZERO; LANES];
                    lanes[0] = gradient[i];
                    // SAFETY: the view's maker vouches for the 16 elements of its rows.
                    unsafe { grad.row(0, first + i).cast::<[T; LANES]>().write(lanes) };
                }
            }
            first += V::LANES;
        }
    }

    /// The rows of one output, in matrices that lie turned: rows side by side, in whole registers.
    #[inline(always)]
    pub(super) fn turned<V: Vector<T>, F: LossFormula<T>>(&self, formula: F) {
        let q = V::constant(self.of_columns.first().copied().unwrap_or(1.0));
        let rows = self.outputs.cols();
        let mut first = 0;
        while first < rows {
            let count = if rows - first < V::LANES { rows - first } else { V::LANES };
            let at = |row: Panels<T>| row.row(0, 0).wrapping_add(first);
            // SAFETY: the views' makers vouch for whole registers.
            let (x, t) = unsafe { (V::load(at(self.outputs)), V::load(at(self.targets))) };
            let gradient = self.few::<V>(first, count, formula.lanes(x, t, q));
            if let Some(grad) = self.grad {
                // SAFETY: as above.
                unsafe { gradient.store(at(grad)) };
            }
            first += V::LANES;
        }
    }

    /// Writes the losses of `count` rows of one output, one in each lane, and gives their gradients.
    #[inline(always)]
    fn few<V: Vector<T>>(&self, first: usize, count: usize, pair: Pair<V>) -> V {
        let value = lanes_of(pair.value);
        let row_loss = self.row_loss.slice(first, first + count);
        if let Some(equal) = self.scales.common() {
            for i in 0..count {
                row_loss.set(i, equal.value(value[i].to_f64()));
            }
            return equal.apply(pair.gradient).flush();
        }
        let scales = self.scales.few(first, count);
        for i in 0..count {
            row_loss.set(i, scales.value(i, value[i].to_f64()));
        }
        scales.apply(pair.gradient).flush()
    }
}
