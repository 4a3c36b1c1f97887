//! Softmax cross-entropy of one class for each row, with a row in each lane.
//!
//! The formulas and their bits are those of `softmax.rs`: a maximum or a sum over the 16 lanes of a
//! row is here one over up to 16 vectors, by halves, too. A vector that is not there would be the
//! padding's -inf or +0, and changes nothing.

use super::rows::{first_lanes, lanes_of};
use super::weights::{ClassWeights, Scale, Scales};
use crate::kernels::elementary::Elementary;
use crate::kernels::gemm::Transpose;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::scratch::Scratch;
use crate::simd::{Kernel, LANES, Simd, Vector};

/// Rows of a batch; matrices have a row of memory for each of up to 16 logits.
pub(super) struct ClassLosses<'a, T> {
    pub(super) outputs: Panels<T>,
    pub(super) classes: Span<i32>,
    pub(super) class_weights: ClassWeights<'a>,
    pub(super) scales: Scales<T>,
    pub(super) row_loss: Span<f64>,
    pub(super) grad: Panels<T>,
}

/// What labels say, a row in each lane.
struct ClassLanes<V, M> {
    class: V,
    /// 1, or 0 of an ignored one.
    weight: V,
    factor: V,
    /// Where the row counts.
    live: M,
}

impl<T: Elementary> ClassLosses<'_, T> {
    /// The same for rows that lie in panels, 16 times a whole number of them. 16 at a time are turned,
    /// and their gradients back, for as many exponentials as there are logits instead of 16 (a whole
    /// step of 4-32-16-4: 1.18x, of 64-100-10: 1.06x).
    #[inline(always)]
    pub(super) fn run_rows<S: Simd>(&self) {
        let (rows, units) = (self.outputs.rows(), self.outputs.cols());
        assert!(rows.is_multiple_of(LANES) && units <= LANES);
        // Gradients of units that do not exist are never written, and become padding.
        let mut memory = Scratch::<T, { 2 * LANES * LANES }>::zeros();
        // SAFETY: the array holds two panels of 16 rows, and lives to the end of this function.
        let turned = unsafe { Panels::from_raw(memory.ptr(), LANES, 2 * LANES, LANES * LANES) };
        let (outputs, grad) = (turned.first_panel(), turned.from(1, 0));
        let mut first = 0;
        while first < rows {
            let end = first + LANES;
            let source = self.outputs.slice(first, end).padded();
            Transpose { source, target: outputs, block: 0, panel: 0 }.run::<S>();
            let sixteen = ClassLosses {
                outputs: outputs.slice(0, units),
                classes: self.classes.slice(first, end),
                class_weights: self.class_weights,
                scales: self.scales.slice(first, end),
                row_loss: self.row_loss.slice(first, end),
                grad: grad.slice(0, units),
            };
            sixteen.run::<S::Register<T>>();
            let target = self.grad.slice(first, end).padded();
            Transpose { source: grad, target, block: 0, panel: 0 }.run::<S>();
            first = end;
        }
    }

    #[inline(always)]
    pub(super) fn run<V: Vector<T>>(&self) {
        let rows = self.outputs.cols();
        let mut first = 0;
        while first < rows {
            let count = if rows - first < V::LANES { rows - first } else { V::LANES };
            self.lanes::<V>(first, count);
            first += V::LANES;
        }
    }

    /// Rows `first..first + count`.
    #[inline(always)]
    fn lanes<V: Vector<T>>(&self, first: usize, count: usize) {
        let units = self.outputs.rows();
        let zero = V::zero();
        let ClassLanes { class, weight, factor, live } = self.labels::<V>(first, count);
        let is_class = |unit: usize| class.eq(V::constant(unit as f64));
        let at = |matrix: Panels<T>, unit: usize| matrix.row(0, unit).wrapping_add(first);

        let mut parts = [zero; LANES];
        let mut own = zero;
        for unit in 0..units {
            // SAFETY: the view's maker vouches for whole registers.
            parts[unit] = unsafe { V::load(at(self.outputs, unit)) };
            own = V::select(is_class(unit), parts[unit], own);
        }
        let largest = fold(&mut parts, units, V::max);
        for unit in 0..units {
            // SAFETY: as above; the gradient's place keeps e.
            unsafe {
                let x = V::load(at(self.outputs, unit));
                parts[unit] = T::exp(x.sub(largest));
                parts[unit].store(at(self.grad, unit));
            }
        }
        let sum = fold(&mut parts, units, V::add);
        let quotient = weight.div(sum);
        for unit in 0..units {
            let place = at(self.grad, unit);
            // SAFETY: as above.
            unsafe {
                let q = V::select(is_class(unit), weight, zero);
                let gradient = V::load(place).fma(quotient, q.neg()).mul(factor);
                V::select(live, gradient, zero).flush().store(place);
            }
        }
        let distance = V::select(weight.eq(zero), zero, weight.mul(largest.sub(own)));
        let (distances, logs) = (lanes_of(distance), lanes_of(T::log(sum)));
        let weights = lanes_of(weight);
        for i in 0..count {
            let loss = distances[i].to_f64() + weights[i].to_f64() * logs[i].to_f64();
            self.row_loss.set(first + i, self.scale(first + i).value(loss));
        }
    }

    #[inline(always)]
    fn scale(&self, row: usize) -> Scale<T> {
        match self.classes.get(row) {
            class if class < 0 => Scale::NOTHING,
            class => self.scales.weighted(row, self.class_weights.of(class)),
        }
    }

    /// The labels of rows `first..first + count`.
    #[inline(always)]
    fn labels<V: Vector<T>>(&self, first: usize, count: usize) -> ClassLanes<V, V::Mask> {
        let zero = V::zero();
        let mut class = [T::ZERO; LANES];
        for i in 0..count {
            class[i] = T::from_f64(f64::from(self.classes.get(first + i)));
        }
        let class = first_lanes::<T, V>(&class);
        let known = zero.le(class);
        let of_known = |x: T| V::select(known, V::splat(x), zero);
        let weight = of_known(T::ONE);
        if let (Some(scale), true) = (self.scales.common(), self.class_weights.is_empty()) {
            // All rows count alike, but for those that are ignored.
            let factor = of_known(scale.factor);
            let live = of_known(if scale.live { T::ONE } else { T::ZERO });
            return ClassLanes { class, weight, factor, live: zero.lt(live) };
        }
        let (mut factor, mut live) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        for i in 0..count {
            let scale = self.scale(first + i);
            factor[i] = scale.factor;
            live[i] = if scale.live { T::ONE } else { T::ZERO };
        }
        let (factor, live) = (first_lanes::<T, V>(&factor), first_lanes::<T, V>(&live));
        ClassLanes { class, weight, factor, live: zero.lt(live) }
    }
}

/// The first `units` vectors by halves (N3).
#[inline(always)]
fn fold<V: Copy>(parts: &mut [V; LANES], units: usize, meet: impl Fn(V, V) -> V) -> V {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            if i + half < units {
                parts[i] = meet(parts[i], parts[i + half]);
            }
        }
        half /= 2;
    }
    parts[0]
}
