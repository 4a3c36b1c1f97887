//! The cross-entropies of whole arrays, row-major and without gaps.
//!
//! Arrays of the binary losses may have any shape: rows are their first axis, columns all others.
//! A sum goes over 16 lanes by column mod 16 in f64, and over the rows in the order of N2, as in a
//! network's loss. Each result is the same bits whatever else is asked for in the same call.
//! Gradients keep their small numbers: there is no flush here.

use super::divisors::Divisors;
use super::pointwise::LossFormula;
use super::registry::Loss;
use super::rows::{RowMajor, from_array, to_array};
use super::weights::{ClassWeights, Scales, unit_of};
use super::{binary, softmax};
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::Span;
use crate::kernels::reduce::{BLOCK_ROWS, RowSum, fold_array};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// How losses become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrayReduction {
    /// Each stands alone; the gradient is that of their sum.
    None,
    /// Their mean; 0 of nothing.
    Mean,
    /// Their sum.
    Sum,
}

/// What to compute.
#[derive(Debug, Default)]
pub struct Results<'a, T> {
    /// Takes the mean or the sum, with `ArrayReduction::None` the sum.
    pub reduced: Option<&'a mut f64>,
    /// Takes each loss, not divided: one for each element, or for softmax for each row.
    pub each: Option<&'a mut [T]>,
    /// Takes the gradient with respect to the logits or probabilities.
    pub grad: Option<&'a mut [T]>,
}

/// Which binary cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// Of logits.
    Logits,
    /// Of probabilities.
    Probabilities,
}

/// A binary cross-entropy of arrays of one length.
pub struct BinaryCrossEntropy<'a, T> {
    /// What `outputs` are.
    pub of: Binary,
    /// Logits or probabilities.
    pub outputs: &'a [T],
    /// In 0..=1.
    pub targets: &'a [T],
    /// A factor for each element; it leaves the mean's divisor alone.
    pub weight: Option<&'a [f64]>,
    /// For logits: the factor of each element's positive term.
    pub pos_weight: Option<&'a [T]>,
    /// Length of the first axis.
    pub rows: usize,
    /// How losses become one number.
    pub reduction: ArrayReduction,
    /// What to compute.
    pub results: Results<'a, T>,
}

impl<T: Elementary> Kernel for BinaryCrossEntropy<'_, T> {
    type Output = ();

    /// # Panics
    /// If the lengths differ, or `rows` does not divide them.
    #[inline(always)]
    fn run<S: Simd>(self) {
        let len = self.outputs.len();
        let fits = |x: Option<&[T]>| x.is_none_or(|x| x.len() == len);
        assert!(self.targets.len() == len && fits(self.pos_weight));
        assert!(self.weight.is_none_or(|weight| weight.len() == len));
        assert!(fits(self.results.each.as_deref()) && fits(self.results.grad.as_deref()));
        assert!(len == 0 || (self.rows > 0 && len.is_multiple_of(self.rows)));
        match self.of {
            Binary::Logits => self.elements::<S::Lanes<T>, _>(binary::OfLogits),
            Binary::Probabilities => self.elements::<S::Lanes<T>, _>(binary::OfProbabilities),
        }
    }
}

impl<T: Elementary> BinaryCrossEntropy<'_, T> {
    #[inline(always)]
    fn elements<V: Vector<T>, F: LossFormula<T>>(mut self, formula: F) {
        let len = self.outputs.len();
        let divisor = if self.reduction == ArrayReduction::Mean { len as f64 } else { 1.0 };
        let one = V::splat(T::ONE);
        let unit = self.weight.map_or(1.0, unit_of);
        let mut sums = ElementSums::new(if len == 0 { 1 } else { len / self.rows });
        let mut at = 0;
        while at < len {
            let count = if len - at < LANES { len - at } else { LANES };
            let q = match self.pos_weight {
                Some(q) => load(q, at),
                None => one,
            };
            let pair = formula.lanes::<V>(load(self.outputs, at), load(self.targets, at), q);
            let mut value = [0.0; LANES];
            for (value, lane) in value.iter_mut().zip(to_array(pair.value)) {
                *value = lane.to_f64();
            }
            let scale = match self.weight {
                None => V::constant(1.0 / divisor),
                Some(weight) => {
                    let mut scale = [T::ZERO; LANES];
                    for (i, &weight) in weight[at..at + count].iter().enumerate() {
                        // As a row of weight 0, an element of weight 0 counts for nothing.
                        value[i] = if weight == 0.0 { 0.0 } else { weight / unit * value[i] };
                        scale[i] = T::from_f64(weight / divisor);
                    }
                    from_array(&scale)
                }
            };
            if self.results.reduced.is_some() {
                sums.add(&value, count);
            }
            if let Some(each) = &mut self.results.each {
                for (each, value) in each[at..at + count].iter_mut().zip(value) {
                    *each = T::from_f64(value * unit);
                }
            }
            if let Some(grad) = &mut self.results.grad {
                store(weighted(scale, pair.gradient), &mut grad[at..at + count]);
            }
            at += LANES;
        }
        if let Some(reduced) = self.results.reduced {
            *reduced = if len == 0 { 0.0 } else { sums.rows.sum() / divisor * unit };
        }
    }
}

/// weight * x, 0 where the weight is 0 also for an infinite x.
#[inline(always)]
fn weighted<T: Real, V: Vector<T>>(weight: V, x: V) -> V {
    V::select(weight.eq(V::zero()), V::zero(), weight.mul(x))
}

/// 16 elements from one on; missing ones are +0.
#[inline(always)]
fn load<T: Real, V: Vector<T>>(from: &[T], at: usize) -> V {
    let from = &from[at..];
    if from.len() >= LANES {
        // SAFETY: the slice has at least LANES elements.
        unsafe { V::load(from.as_ptr()) }
    } else {
        // SAFETY: the slice has that many elements.
        unsafe { V::load_partial(from.as_ptr(), from.len()) }
    }
}

#[inline(always)]
fn store<T: Real, V: Vector<T>>(lanes: V, to: &mut [T]) {
    if to.len() == LANES {
        // SAFETY: the slice has LANES elements.
        unsafe { lanes.store(to.as_mut_ptr()) };
    } else {
        // SAFETY: the slice has fewer than LANES elements, all of which are written.
        unsafe { lanes.store_partial(to.as_mut_ptr(), to.len()) };
    }
}

/// Sums of elements that come 16 at a time, wherever their rows begin and end.
struct ElementSums {
    cols: usize,
    /// The next element's column.
    col: usize,
    lanes: [f64; LANES],
    rows: RowSum,
}

impl ElementSums {
    fn new(cols: usize) -> Self {
        Self { cols, col: 0, lanes: [0.0; LANES], rows: RowSum::default() }
    }

    #[inline(always)]
    fn add(&mut self, values: &[f64; LANES], count: usize) {
        if count == LANES && self.col.is_multiple_of(LANES) && self.col + LANES <= self.cols {
            for i in 0..LANES {
                self.lanes[i] += values[i];
            }
            self.advance(LANES);
            return;
        }
        if self.cols == 1 {
            for &value in &values[..count] {
                self.rows.add(value);
            }
            return;
        }
        for &value in &values[..count] {
            self.lanes[self.col % LANES] += value;
            self.advance(1);
        }
    }

    #[inline(always)]
    fn advance(&mut self, count: usize) {
        self.col += count;
        if self.col == self.cols {
            self.rows.add(fold_array(self.lanes));
            (self.col, self.lanes) = (0, [0.0; LANES]);
        }
    }
}

/// What the logits of softmax cross-entropy are compared with.
#[derive(Clone, Copy, Debug)]
pub enum SoftmaxTargets<'a, T> {
    /// The class of each row; a negative one is ignored (see [`Loss::classes`]).
    Classes(&'a [i32]),
    /// A probability for each logit.
    Probabilities(&'a [T]),
}

/// Softmax cross-entropy of a row-major matrix.
pub struct SoftmaxCrossEntropy<'a, T> {
    /// A `Loss::SoftmaxCrossEntropy`.
    pub loss: &'a Loss,
    /// Row-major.
    pub logits: &'a [T],
    /// Columns.
    pub classes: usize,
    /// As many rows.
    pub targets: SoftmaxTargets<'a, T>,
    /// How losses become one number.
    pub reduction: ArrayReduction,
    /// What to compute.
    pub results: Results<'a, T>,
}

impl<T: Elementary> Kernel for SoftmaxCrossEntropy<'_, T> {
    type Output = ();

    /// # Panics
    /// If the lengths do not fit each other, or the loss is another.
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { loss, logits, classes, targets, reduction, mut results } = self;
        let Loss::SoftmaxCrossEntropy { class_weight, label_smoothing, .. } = loss else {
            panic!("{loss:?} is no softmax cross-entropy");
        };
        let rows = logits.len().checked_div(classes).unwrap_or(0);
        assert!(logits.len() == rows * classes);
        assert!(results.each.as_deref().is_none_or(|each| each.len() == rows));
        assert!(results.grad.as_deref().is_none_or(|grad| grad.len() == logits.len()));
        // SAFETY: `logits` has rows * classes elements, which are only read.
        let outputs = unsafe { RowMajor::from_raw(logits.as_ptr().cast_mut(), rows, classes) };
        let targets = match targets {
            SoftmaxTargets::Classes(indices) => {
                assert_eq!(indices.len(), rows);
                // SAFETY: `indices` has `rows` elements, which are only read.
                softmax::LogitTargets::Classes(unsafe {
                    Span::from_raw(indices.as_ptr().cast_mut(), rows)
                })
            }
            SoftmaxTargets::Probabilities(values) => {
                assert_eq!(values.len(), logits.len());
                // SAFETY: `values` has rows * classes elements, which are only read.
                softmax::LogitTargets::Values(unsafe {
                    RowMajor::from_raw(values.as_ptr().cast_mut(), rows, classes)
                })
            }
        };
        let indices = match &targets {
            softmax::LogitTargets::Classes(indices) => Some(*indices),
            softmax::LogitTargets::Values(_) => None,
        };
        let divisors = Divisors::new(loss, indices, (Span::empty(), 1.0), rows, classes);
        let divisor = match reduction {
            ArrayReduction::Mean => divisors.mean,
            ArrayReduction::None | ArrayReduction::Sum => divisors.sum,
        };
        let grad = results.grad.as_deref_mut().map(|grad| {
            // SAFETY: `grad` has rows * classes elements, which only this call knows.
            unsafe { RowMajor::from_raw(grad.as_mut_ptr(), rows, classes) }
        });
        let mut sum = RowSum::default();
        let mut losses = [0.0; BLOCK_ROWS];
        let mut start = 0;
        while start < rows {
            let end = if rows - start < BLOCK_ROWS { rows } else { start + BLOCK_ROWS };
            // SAFETY: the array holds BLOCK_ROWS elements, and nothing else uses it until the
            // batch is done.
            let row_loss = unsafe { Span::from_raw(losses.as_mut_ptr(), end - start) };
            let batch = softmax::SoftmaxLosses {
                outputs: outputs.slice(start, end),
                targets: match targets {
                    softmax::LogitTargets::Classes(all) => {
                        softmax::LogitTargets::Classes(all.slice(start, end))
                    }
                    softmax::LogitTargets::Values(all) => {
                        softmax::LogitTargets::Values(all.slice(start, end))
                    }
                },
                class_weights: ClassWeights::new(class_weight),
                smoothing: *label_smoothing,
                scales: Scales::new(Span::empty(), divisor),
                row_loss,
                grad: grad.map(|grad| grad.slice(start, end)),
                flush: false,
            };
            batch.run::<S>();
            sum.add_all(row_loss);
            if let Some(each) = &mut results.each {
                for row in start..end {
                    each[row] = T::from_f64(divisors.sum.of(losses[row - start]));
                }
            }
            start = end;
        }
        if let Some(reduced) = results.reduced {
            *reduced = divisor.of(sum.sum());
        }
    }
}

/// e^x / sum(e^x) of each row of a row-major matrix.
pub struct SoftmaxElements<'a, T> {
    /// Row-major.
    pub logits: &'a [T],
    /// Columns.
    pub classes: usize,
    /// Takes the probabilities, as many.
    pub probabilities: &'a mut [T],
}

impl<T: Elementary> Kernel for SoftmaxElements<'_, T> {
    type Output = ();

    /// # Panics
    /// If the lengths do not fit each other.
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { logits, classes, probabilities } = self;
        let rows = logits.len().checked_div(classes).unwrap_or(0);
        assert!(logits.len() == rows * classes && probabilities.len() == logits.len());
        // SAFETY: both have rows * classes elements; the first are only read, the second only this
        // call knows.
        let (input, output) = unsafe {
            (
                RowMajor::from_raw(logits.as_ptr().cast_mut(), rows, classes),
                RowMajor::from_raw(probabilities.as_mut_ptr(), rows, classes),
            )
        };
        softmax::softmax_rows::<T, S, _>(input, output);
    }
}
