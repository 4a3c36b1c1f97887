//! Softmax cross-entropy.
//!
//! For logits x, class weights w and targets t (an index is the unit vector of its class), smoothed
//! to t' = (1 - s) t + s / K, let q = w t', Q = sum(q), m = max(x), e = exp(x - m), S = sum(e). Where
//! one class is all that a row is compared with, q is its unit vector and w a factor of the row's weight.
//!
//! value = sum(q (m - x)) + Q log S, gradient = e (Q / S) - q.
//!
//! All terms of the value are at least 0, so nothing cancels. Q and S are sums over 16 lanes by
//! column mod 16 (N3) in the element type; the value is in f64 (N4). Weights, smoothing and ignored
//! rows are PyTorch's.

use super::rows::{LossMatrix, accumulate, from_array, keep, keep_or, lane_numbers, to_array};
use super::weights::{ClassWeights, Scale, Scales};
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::{Added, Largest, fold, fold_array, fold_rows};
use crate::kernels::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// What the logits are compared with.
#[derive(Clone, Copy)]
pub(super) enum LogitTargets<R> {
    /// A class for each row; a negative one is ignored.
    Classes(Span<i32>),
    /// A probability for each logit.
    Values(R),
}

/// The rows of a batch, in panels or row-major.
pub(super) struct SoftmaxLosses<'a, T, R> {
    pub(super) outputs: R,
    pub(super) targets: LogitTargets<R>,
    pub(super) class_weights: ClassWeights<'a>,
    pub(super) smoothing: f64,
    pub(super) scales: Scales<T>,
    pub(super) row_loss: Span<f64>,
    pub(super) grad: Option<R>,
    /// Whether small gradients become 0 (N5).
    pub(super) flush: bool,
}

/// What a row's first pass leaves for its second.
#[derive(Clone, Copy)]
struct SoftmaxSums<T, V> {
    /// S, lane by lane.
    exponentials: V,
    /// Q.
    weights: T,
    /// sum(q (m - x)).
    value: f64,
}

impl<T: Elementary, R: LossMatrix<T>> SoftmaxLosses<'_, T, R> {
    /// 16 rows at a time: their exponentials overlap, and they share the folds, one logarithm and
    /// one division with a row in each lane.
    #[inline(always)]
    pub(super) fn run<S: Simd>(&self) {
        let mut first = 0;
        while first < self.outputs.rows() {
            let left = self.outputs.rows() - first;
            let count = if left < LANES { left } else { LANES };
            self.sixteen::<S>(first, count);
            first += LANES;
        }
    }

    #[inline(always)]
    fn sixteen<S: Simd>(&self, first: usize, count: usize) {
        // Missing rows have the logarithm and the quotient of ones.
        let mut lanes = Scratch::<T, { LANES * LANES }>::zeros();
        let place = lanes.ptr();
        for i in count..LANES {
            // SAFETY: row i of 16.
            unsafe { *place.add(i * LANES) = T::ONE };
        }
        let largest = row_maxima::<T, S, R>(self.outputs, first, count);
        let mut weights = [T::ONE; LANES];
        let mut values = [0.0; LANES];
        for i in 0..count {
            let sums = self.sums::<S::Lanes<T>>(first + i, largest[i]);
            // SAFETY: row i of 16.
            unsafe { sums.exponentials.store(place.add(i * LANES)) };
            weights[i] = sums.weights;
            values[i] = sums.value;
        }
        // SAFETY: 16 rows of 16 elements.
        let s = unsafe { fold_rows::<T, S, Added>(place) };
        let logs = to_array(T::log(s));
        let quotients = to_array(from_array::<T, S::Lanes<T>>(&weights).div(s));
        for i in 0..count {
            let row = first + i;
            let scale = self.scale(row);
            let loss = values[i] + weights[i].to_f64() * logs[i].to_f64();
            self.row_loss.set(row, scale.value(loss));
            if let Some(grad) = self.grad {
                self.gradient::<S::Lanes<T>>(grad, row, quotients[i], scale);
            }
        }
    }

    #[inline(always)]
    fn scale(&self, row: usize) -> Scale<T> {
        match self.targets {
            LogitTargets::Classes(classes) if classes.get(row) < 0 => Scale::NOTHING,
            LogitTargets::Classes(classes) if self.smoothing == 0.0 => {
                self.scales.weighted(row, self.class_weights.of(classes.get(row)))
            }
            _ => self.scales.at(row),
        }
    }

    /// The class of a row, if that is all it is compared with.
    #[inline(always)]
    fn lone_class(&self, row: usize) -> Option<i32> {
        match self.targets {
            LogitTargets::Classes(classes) if self.smoothing == 0.0 => Some(classes.get(row)),
            _ => None,
        }
    }

    /// q of 16 columns; +0 past the last.
    #[inline(always)]
    fn target<V: Vector<T>>(&self, row: usize, block: usize) -> V {
        let zero = V::zero();
        if let Some(class) = self.lone_class(row) {
            let here = lane_numbers::<T, V>().eq(V::constant(lane_of(class, block)));
            return V::select(here, V::splat(T::ONE), zero);
        }
        let share = self.smoothing / self.outputs.cols() as f64;
        let (kept, share) = (V::constant(1.0 - self.smoothing), V::constant(share));
        let t: V = match self.targets {
            LogitTargets::Classes(classes) => {
                let lane = V::constant(lane_of(classes.get(row), block));
                let here = lane_numbers::<T, V>().eq(lane);
                V::select(here, kept.add(share), share)
            }
            LogitTargets::Values(values) => kept.fma(values.load(row, block), share),
        };
        keep(t.mul(self.class_weights.columns(block)), self.outputs.width(block))
    }

    /// The first pass over a row; with a gradient wanted, e takes its place.
    #[inline(always)]
    fn sums<V: Vector<T>>(&self, row: usize, largest: T) -> SoftmaxSums<T, V> {
        let m = V::splat(largest);
        let zero = V::zero();
        let lone = self.lone_class(row).map(|class| self.lone_sums(row, class, largest));
        let (mut exponentials, mut weights) = (zero, zero);
        let mut values = [0.0; LANES];
        for block in 0..self.outputs.blocks() {
            let x: V = self.outputs.load(row, block);
            let e = keep(T::exp(x.sub(m)), self.outputs.width(block));
            exponentials = exponentials.add(e);
            if lone.is_none() {
                let q = self.target::<V>(row, block);
                weights = weights.add(q);
                // An infinite distance to a class of no weight costs nothing.
                let value = V::select(q.eq(zero), zero, q.mul(m.sub(x)));
                accumulate(&mut values, value);
            }
            if let Some(grad) = self.grad {
                grad.store(row, block, e);
            }
        }
        let (weights, value) = lone.unwrap_or_else(|| (fold(weights), fold_array(values)));
        SoftmaxSums { exponentials, weights, value }
    }

    /// Q and sum(q (m - x)) of a row with one q other than 0: what the sums over lanes give too.
    #[inline(always)]
    fn lone_sums(&self, row: usize, class: i32, largest: T) -> (T, f64) {
        match usize::try_from(class) {
            Ok(column) => {
                let x = self.outputs.get(row, column);
                (T::ONE, largest.add(x.mul(T::from_f64(-1.0))).to_f64())
            }
            Err(_) => (T::ZERO, 0.0),
        }
    }

    /// The second pass over a row, from e to the gradient.
    #[inline(always)]
    fn gradient<V: Vector<T>>(&self, grad: R, row: usize, quotient: T, scale: Scale<T>) {
        let quotient = V::splat(quotient);
        for block in 0..grad.blocks() {
            let e: V = grad.load(row, block);
            let q = self.target::<V>(row, block);
            let gradient = keep(scale.apply(e.fma(quotient, q.neg())), grad.width(block));
            grad.store(row, block, if self.flush { gradient.flush() } else { gradient });
        }
    }
}

/// A class's lane in a block, outside 0..16 if it is in another.
#[inline(always)]
fn lane_of(class: i32, block: usize) -> f64 {
    f64::from(class) - (block * LANES) as f64
}

/// The largest logits of `count` rows, at most 16, from row `first` on.
#[inline(always)]
fn row_maxima<T: Elementary, S: Simd, R: LossMatrix<T>>(
    x: R,
    first: usize,
    count: usize,
) -> [T; LANES] {
    let mut lanes = Scratch::<T, { LANES * LANES }>::zeros();
    let place = lanes.ptr();
    let lowest = S::Lanes::<T>::constant(f64::NEG_INFINITY);
    for i in 0..count {
        let mut largest = lowest;
        for block in 0..x.blocks() {
            let lanes = x.load(first + i, block);
            largest = largest.max(keep_or(lanes, x.width(block), lowest));
        }
        // SAFETY: row i of 16.
        unsafe { largest.store(place.add(i * LANES)) };
    }
    // SAFETY: 16 rows of 16 elements.
    to_array(unsafe { fold_rows::<T, S, Largest>(place) })
}

/// e^x / sum(e^x) of each row, rounded so that a row never sums to more than 1.
///
/// m and e are as above. S is a sum over 16 lanes (N3) in f64, rounded up to the element type, and
/// e / S is rounded towards 0. So what samplers check after a conversion to f64 holds, equal logits
/// have equal probabilities, and a larger logit never has the smaller one. An element is at most 3
/// units in the last place below its value.
pub struct Softmax<T> {
    /// Logits (rows, K).
    pub input: Panels<T>,
    /// As many rows and columns; may be the memory of `input`. Padding becomes +0.
    pub output: Panels<T>,
}

impl<T: Elementary> Kernel for Softmax<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        softmax_rows::<T, S, _>(self.input, self.output);
    }
}

#[inline(always)]
pub(super) fn softmax_rows<T: Elementary, S: Simd, R: LossMatrix<T>>(input: R, output: R) {
    let mut first = 0;
    while first < input.rows() {
        let left = input.rows() - first;
        let count = if left < LANES { left } else { LANES };
        let mut lanes = Scratch::<f64, { LANES * LANES }>::zeros();
        let place = lanes.ptr();
        let largest = row_maxima::<T, S, R>(input, first, count);
        for i in 0..count {
            let m = S::Lanes::<T>::splat(largest[i]);
            let mut sums = [0.0; LANES];
            for block in 0..input.blocks() {
                let x: S::Lanes<T> = input.load(first + i, block);
                let e = keep(T::exp(x.sub(m)), input.width(block));
                accumulate(&mut sums, e);
                output.store(first + i, block, e);
            }
            // SAFETY: row i of 16.
            unsafe { from_array::<f64, S::Lanes<f64>>(&sums).store(place.add(i * LANES)) };
        }
        // SAFETY: 16 rows of 16 elements.
        let sums = to_array(unsafe { fold_rows::<f64, S, Added>(place) });
        for i in 0..count {
            let sum = S::Lanes::<T>::splat(rounded_up(sums[i]));
            for block in 0..input.blocks() {
                let e: S::Lanes<T> = output.load(first + i, block);
                let p = quotient_below::<T, S::Lanes<T>>(e, sum);
                output.store(first + i, block, keep(p, input.width(block)));
            }
        }
        first += LANES;
    }
}

/// The smallest value that is at least x, a positive number.
#[inline(always)]
fn rounded_up<T: Real>(x: f64) -> T {
    let nearest = T::from_f64(x);
    if nearest.to_f64() < x {
        // Between 3/4 and 3/2 of a unit in the last place more, which rounds to one.
        nearest.add(nearest.mul(T::from_f64(0.75)).mul(T::EPSILON))
    } else {
        nearest
    }
}

/// a / b rounded towards 0, of a >= 0 and b > 0; subnormal quotients may be rounded up.
#[inline(always)]
fn quotient_below<T: Real, V: Vector<T>>(a: V, b: V) -> V {
    let nearest = a.div(b);
    // a - nearest b, whose sign is exact.
    let rest = nearest.neg().fma(b, a);
    // Less half a unit to a whole one, which rounds to the value before.
    let below = nearest.fma(V::splat(T::EPSILON.mul(T::from_f64(-0.5))), nearest);
    V::select(rest.lt(V::zero()), below, nearest)
}
