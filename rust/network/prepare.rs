//! What is done to the gradients of an update before their formulas: penalties on weights, and clipping.

use super::memory::{LayerLayout, Layout};
use crate::kernels::elementary::Elementary;
use crate::kernels::optimizer::{BatchWeight, Method, Options, Terms};
use crate::kernels::panels::Span;
use crate::kernels::reduce::sum_rows;
use crate::kernels::weight::ParameterSums;
use crate::runtime::Arena;

/// What is done in one update.
#[derive(Clone, Copy)]
pub(super) struct Preparation<'a, T> {
    pub(super) method: &'a Method,
    /// Of weights that are matrices, and of all other parameters.
    terms: [Option<Terms<T>>; 2],
    /// What gradients are multiplied by.
    pub(super) factor: Option<T>,
    /// The entries of penalties and of squares; empty where nobody wants them.
    sums: [Span<f64>; 2],
}

impl<'a, T: Elementary> Preparation<'a, T> {
    /// Of gradients as a batch of this weight gives them, or of those that are the caller's; entries of sums
    /// go into the table, which is there if [`wants_sums`].
    pub(super) fn new(
        method: &'a Method,
        weight: Option<BatchWeight>,
        layout: &Layout,
        table: Option<&Arena<f64>>,
    ) -> Self {
        let options = &method.options;
        let mut sums = table.map_or([Span::empty(); 2], |table| layout.sums(table));
        if !(options.penalize() && weight.is_some()) {
            sums[0] = Span::empty();
        }
        if options.clip_norm.is_none() {
            sums[1] = Span::empty();
        }
        Self { method, terms: options.terms(weight, true), factor: None, sums }
    }

    /// Of gradients that go to the caller: those of the loss with its penalties.
    pub(super) fn of_loss(
        method: &'a Method,
        weight: BatchWeight,
        layout: &Layout,
        table: &Arena<f64>,
    ) -> Self {
        let sums = [layout.sums(table)[0], Span::empty()];
        Self { method, terms: method.options.terms(Some(weight), false), factor: None, sums }
    }

    /// Of gradients that have been prepared, whose squares are in the table if there is one.
    pub(super) fn after(method: &'a Method, layout: &Layout, table: Option<&Arena<f64>>) -> Self {
        let squares = table.map_or(0.0, |table| sum_rows(layout.sums(table)[1]));
        let factor = method.options.factor(squares).map(T::from_f64);
        Self { method, terms: [None; 2], factor, sums: [Span::empty(); 2] }
    }

    /// The terms of the weight and of the bias of a layer.
    pub(super) fn terms(&self, layout: &LayerLayout) -> [Option<Terms<T>>; 2] {
        let [matrix, other] = self.terms;
        [if layout.matrix { matrix } else { other }, other]
    }

    /// Where the entries of a layer's sums go.
    pub(super) fn sums(&self, layout: &LayerLayout) -> ParameterSums {
        let [penalty, squares] = self.sums.map(|sum| match sum.is_empty() {
            true => sum,
            false => layout.entries(sum),
        });
        let penalty = if layout.matrix { penalty } else { Span::empty() };
        ParameterSums { penalty, squares, options: self.method.options }
    }
}

/// Whether updates need a table of sums.
pub(super) fn wants_sums(options: &Options) -> bool {
    options.penalize() || options.clip_norm.is_some()
}

/// The penalty of a batch of this weight, whose entries are in the table.
pub(super) fn penalty(
    options: &Options,
    weight: BatchWeight,
    layout: &Layout,
    table: Option<&Arena<f64>>,
) -> f64 {
    match table {
        Some(table) if options.penalize() => weight.share(sum_rows(layout.sums(table)[0])),
        _ => 0.0,
    }
}
