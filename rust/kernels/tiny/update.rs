//! The weight phase of a step: sums over rows, updates.

use super::chains::{Left, Start};
use super::layers::{FOUR, ROOM, Step, TinyLayer};
use super::turn::turn;
use crate::kernels::optimizer::{
    self, Formula, FormulaWork, MOMENTS, Rules, decayed, moved_average, plain_sgd,
};
use crate::kernels::panels::Span;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// The gradients of layers, from those that [`super::Rows`] left.
pub(super) struct Sums<'a, T: Real> {
    /// Memory; all layers.
    pub(super) step: Step<'a, T>,
    /// Which of the layers; those that are not trainable have no gradient.
    pub(super) layers: &'a [TinyLayer],
    /// Takes the gradients, in the layout of the parameters.
    pub(super) gradient: Span<T>,
    /// Whether the sums over rows begin at +0, or go on from what `gradient` holds.
    pub(super) fresh: bool,
    /// The update, if these are the last rows.
    pub(super) update: Option<&'a TinyUpdate<'a, T>>,
}

impl<T: Real> Sums<'_, T> {
    #[inline(always)]
    pub(super) fn run<S: Simd>(self) {
        let rates = self.update.map(TinyUpdate::plain_rates);
        // From the last, whose gradient is there first, and whose input the first step on.
        for layer in self.layers.iter().rev().filter(|layer| layer.trainable) {
            self.sums::<S>(layer);
            if let (Some(update), Some(rates)) = (self.update, rates) {
                update.penalize::<S>(layer);
                update.plain::<S>(layer, rates);
            }
        }
        if let (Some(update), Some(rates)) = (self.update, rates) {
            update.formulas::<S>(rates);
            update.averages::<S>();
        }
    }

    /// The sums over rows of one layer (N2).
    #[inline(always)]
    fn sums<S: Simd>(&self, layer: &TinyLayer) {
        let Self { step, gradient, fresh, .. } = self;
        let rows = step.scratch.panels(layer.grad_rows, (step.count, layer.outputs), ROOM);
        turn::<T, S>(step.turned(layer.grad, layer.outputs), rows);
        let d = rows.row(0, 0);
        let start = if *fresh { Start::Zero } else { Start::Result };
        let x = Left::<T, LANES, 1> { ptr: step.scratch.at(layer.input), rows: layer.inputs };
        // SAFETY: the places of the layer lie in their buffers, whose makers vouch for them.
        unsafe {
            let weight = gradient.at(layer.weight);
            x.chains::<S>(d, weight, step.count, layer.outputs, start);
            if layer.has_bias {
                let one = T::ONE;
                let ones = Left::<T, 0, 0> { ptr: &raw const one, rows: 1 };
                ones.chains::<S>(d, gradient.at(layer.bias), step.count, layer.outputs, start);
            }
        }
    }
}

/// The update of layers that share their rules.
#[derive(Clone, Copy)]
pub struct TinyUpdate<'a, T: Real> {
    /// Which layers; those that are not trainable stay.
    pub layers: &'a [TinyLayer],
    /// The formulas.
    pub rules: Rules<T>,
    /// Parameters.
    pub parameters: Span<T>,
    /// Their gradients.
    pub gradient: Span<T>,
    /// The optimizer's moments; empty where it keeps fewer.
    pub moments: [Span<T>; MOMENTS],
    /// What the penalty on squares adds to the gradients of weights, times these, if there is one.
    pub l2: Option<T>,
    /// Averages of the parameters, and what an update moves them of the way, if there are some.
    pub average: Option<(Span<T>, T)>,
}

impl<T: Real> Kernel for TinyUpdate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let rates = self.plain_rates();
        for layer in self.layers.iter().filter(|layer| layer.trainable) {
            self.penalize::<S>(layer);
            self.plain::<S>(layer, rates);
        }
        self.formulas::<S>(rates);
        self.averages::<S>();
    }
}

impl<T: Real> TinyUpdate<'_, T> {
    /// The learning rates of weights and biases, where plain SGD updates them.
    #[inline(always)]
    fn plain_rates(&self) -> [Option<T>; 2] {
        [self.rules.weight.plain_sgd(), self.rules.bias.plain_sgd()]
    }

    /// Adds the penalty's gradient to that of a layer's weight.
    #[inline(always)]
    fn penalize<S: Simd>(&self, layer: &TinyLayer) {
        let Some(l2) = self.l2 else { return };
        if layer.outputs <= FOUR {
            self.penalize_rows::<S::Four<T>>(l2, layer);
        } else {
            self.penalize_rows::<S::Register<T>>(l2, layer);
        }
    }

    #[inline(always)]
    fn penalize_rows<V: Vector<T>>(&self, l2: T, layer: &TinyLayer) {
        for row in 0..layer.inputs {
            let mut lane = 0;
            while lane < layer.outputs {
                let i = layer.weight + row * LANES + lane;
                let place = self.gradient.at(i);
                // SAFETY: the layer's places lie in buffers of parameters, whose makers vouch for them.
                unsafe {
                    decayed(l2, V::load(self.parameters.at(i)), V::load(place)).store(place);
                }
                lane += V::LANES;
            }
        }
    }

    /// What plain SGD updates of a layer.
    #[inline(always)]
    fn plain<S: Simd>(&self, layer: &TinyLayer, [weight, bias]: [Option<T>; 2]) {
        if let Some(lr) = weight {
            self.plain_tensor::<S>(lr, (layer.weight, layer.inputs), layer.outputs);
        }
        if layer.has_bias
            && let Some(lr) = bias
        {
            self.plain_tensor::<S>(lr, (layer.bias, 1), layer.outputs);
        }
    }

    /// What other formulas update, of all layers: a call for their weights and one for their biases.
    #[inline(always)]
    fn formulas<S: Simd>(&self, [weight, bias]: [Option<T>; 2]) {
        if weight.is_none() {
            self.rules.weight.apply::<S, _>(Tensors { update: self, biases: false });
        }
        if bias.is_none() {
            self.rules.bias.apply::<S, _>(Tensors { update: self, biases: true });
        }
    }

    /// The averages of all layers.
    #[inline(always)]
    fn averages<S: Simd>(&self) {
        let Some(average) = self.average else { return };
        for layer in self.layers.iter().filter(|layer| layer.trainable) {
            let biases = if layer.has_bias { 1 } else { 0 };
            for rows in [(layer.weight, layer.inputs), (layer.bias, biases)] {
                if layer.outputs <= FOUR {
                    self.average_rows::<S::Four<T>>(average, rows, layer.outputs);
                } else {
                    self.average_rows::<S::Register<T>>(average, rows, layer.outputs);
                }
            }
        }
    }

    /// The averages of rows of 16 elements, as many registers of each as hold `live` of them.
    #[inline(always)]
    fn average_rows<V: Vector<T>>(
        &self,
        (average, rest): (Span<T>, T),
        (at, rows): (usize, usize),
        live: usize,
    ) {
        let rest = V::splat(rest);
        for row in 0..rows {
            let mut lane = 0;
            while lane < live {
                let i = at + row * LANES + lane;
                // SAFETY: the layer's places lie in buffers of parameters, whose makers vouch for them.
                unsafe {
                    let (w, before) = (V::load(self.parameters.at(i)), V::load(average.at(i)));
                    moved_average(rest, w, before).store(average.at(i));
                }
                lane += V::LANES;
            }
        }
    }

    #[inline(always)]
    fn plain_tensor<S: Simd>(&self, lr: T, rows: (usize, usize), live: usize) {
        if live <= FOUR {
            self.plain_rows::<S::Four<T>>(lr, rows, live);
        } else {
            self.plain_rows::<S::Register<T>>(lr, rows, live);
        }
    }

    /// Plain SGD of rows of 16 elements, as many registers of each as hold `live` of them.
    #[inline(always)]
    fn plain_rows<V: Vector<T>>(&self, lr: T, (at, rows): (usize, usize), live: usize) {
        let lr = V::splat(lr);
        for row in 0..rows {
            let mut lane = 0;
            while lane < live {
                let i = at + row * LANES + lane;
                let place = self.parameters.at(i);
                // SAFETY: the layer's places lie in buffers of parameters, whose makers vouch for them.
                unsafe {
                    plain_sgd(lr, V::load(place), V::load(self.gradient.at(i))).store(place);
                }
                lane += V::LANES;
            }
        }
    }
}

/// The weights, or the biases, of all layers that are trained.
struct Tensors<'a, T: Real> {
    update: &'a TinyUpdate<'a, T>,
    biases: bool,
}

impl<T: Real> FormulaWork<T> for Tensors<'_, T> {
    #[inline(always)]
    fn run<S: Simd, F: Formula<T>>(self, formula: F) {
        let TinyUpdate { layers, parameters, gradient, moments, .. } = *self.update;
        let update = optimizer::Update { w: parameters, g: gradient, moments };
        for layer in layers.iter().filter(|layer| layer.trainable) {
            let rows = match self.biases {
                false => (layer.weight, layer.inputs),
                true if layer.has_bias => (layer.bias, 1),
                true => continue,
            };
            if layer.outputs <= FOUR {
                update.rows::<S::Four<T>, F>(formula, rows, layer.outputs);
            } else {
                update.rows::<S::Register<T>, F>(formula, rows, layer.outputs);
            }
        }
    }
}
