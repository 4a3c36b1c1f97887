//! A block of a weight, and what its update reads and writes.

use super::sums::{ParameterSums, Prepared};
use crate::kernels::optimizer::{MOMENTS, Rule, Terms};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::tuning::FAR;
use crate::simd::{LANES, Real, Simd, Vector};

/// Whether a matrix is so large that no cache has kept it.
#[inline]
#[must_use]
pub fn is_far<T>(rows: usize, cols: usize) -> bool {
    rows * cols * size_of::<T>() >= FAR
}

/// What the update of a weight or a bias reads and writes.
#[derive(Clone, Copy)]
pub struct Parameter<T: Real> {
    /// The formula of the update.
    pub rule: Rule<T>,
    /// Its elements.
    pub values: Panels<T>,
    /// The optimizer's moments of them, as many as it keeps.
    pub moments: [Option<Panels<T>>; MOMENTS],
    /// What is done to its gradient before.
    pub terms: Option<Terms<T>>,
    /// An average of it, if there is one.
    pub average: Option<Average<T>>,
}

/// A running average of a parameter.
#[derive(Clone, Copy)]
pub struct Average<T> {
    /// Its elements.
    pub values: Panels<T>,
    /// What an update moves it of the way to the parameter.
    pub rest: T,
}

/// What the update of a Linear layer reads and writes.
#[derive(Clone, Copy)]
pub struct LinearState<T: Real> {
    /// Transposed weight (in, out).
    pub weight: Parameter<T>,
    /// The weight (out, in) that the input gradient reads, if it is to be kept up to date.
    pub backward: Option<Panels<T>>,
    /// The bias, one row, if there is one.
    pub bias: Option<Parameter<T>>,
    /// Where the entries of sums over its blocks go.
    pub sums: ParameterSums,
    /// What gradients are multiplied by, if they are.
    pub factor: Option<T>,
}

impl<T: Real> LinearState<T> {
    /// What is done to the gradient of a parameter before its update, if anything is.
    #[inline(always)]
    pub(super) fn prepared(&self, parameter: &Parameter<T>) -> Option<Prepared<T>> {
        let (terms, sums) = (parameter.terms, self.sums);
        let none = terms.is_none() && sums.penalty.is_empty() && sums.squares.is_empty();
        (!none).then_some(Prepared { terms, sums })
    }

    /// The numbers of plain SGD, if the weight is updated by that, and its gradient gets no more than the
    /// penalty on squares.
    #[inline(always)]
    pub(super) fn plain_sgd(&self) -> Option<PlainSgd<T>> {
        let l2 = match self.weight.terms {
            None => T::ZERO,
            Some(Terms { l1, l2, limit: None }) if l1 == T::ZERO => l2,
            Some(_) => return None,
        };
        let lr = self.weight.rule.plain_sgd().filter(|_| self.sums.squares.is_empty());
        lr.map(|lr| PlainSgd { lr, l2 })
    }
}

/// Plain SGD of a weight: `w = fma(-lr, fma(l2, w, g), w)`.
#[derive(Clone, Copy)]
pub(super) struct PlainSgd<T> {
    pub(super) lr: T,
    /// 0 without a penalty.
    pub(super) l2: T,
}

/// A block of a weight: panel `input` of the inputs, panels `output..output + outputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Panel of the inputs.
    pub input: usize,
    /// First panel of the outputs.
    pub output: usize,
    /// 1 or 2.
    pub outputs: usize,
}

impl Block {
    /// Its part of a weight or of something of the same size, and what comes after that.
    #[inline(always)]
    #[must_use]
    pub fn of_weight<T>(self, weight: Panels<T>) -> Panels<T> {
        weight.from(self.output, self.input * LANES)
    }

    /// First and last of its rows in a weight.
    #[inline(always)]
    pub(super) fn rows<T>(self, weight: Panels<T>) -> (usize, usize) {
        let (start, left) = (self.input * LANES, weight.rows() - self.input * LANES);
        (start, start + if left < LANES { left } else { LANES })
    }

    /// Its part of a bias or of something of the same size.
    #[inline(always)]
    #[must_use]
    pub fn of_bias<T>(self, bias: Panels<T>) -> Span<T> {
        bias.flat().slice(self.output * LANES, (self.output + self.outputs) * LANES)
    }
}

/// Fetches what a block's update will read and write, where that comes from memory: the sums before it
/// take longer (LeNet-5 at 227 x 227, 22 MB: 1.01x; 784-512-256-10, 2 MB: 1.00x).
#[inline(always)]
pub(super) fn fetch_block<T: Real, S: Simd>(state: &LinearState<T>, block: Block) {
    let weight = state.weight.values;
    if !is_far::<T>(weight.rows(), weight.cols()) {
        return;
    }
    let upto = |first: usize, most: usize, all: usize| {
        first..if all - first < most { all } else { first + most }
    };
    let Block { input, output, outputs } = block;
    for panel in output..output + outputs {
        for row in upto(input * LANES, LANES, weight.rows()) {
            S::Register::<T>::prefetch(weight.row(panel, row));
            if let Some(average) = state.weight.average {
                S::Register::<T>::prefetch(average.values.row(panel, row));
            }
        }
    }
    if let Some(copy) = state.backward {
        for row in upto(output * LANES, outputs * LANES, copy.rows()) {
            S::Register::<T>::prefetch_far(copy.row(input, row));
        }
    }
}
