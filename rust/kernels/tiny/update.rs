//! The weight phase of a step: sums over rows, updates.

use super::chains::{Left, Start};
use super::layers::{FOUR, ROOM, Step, TinyLayer};
use super::turn::turn;
use crate::kernels::optimizer::{MOMENTS, Rule, Rules, plain_sgd};
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
    pub(super) update: Option<TinyUpdate<'a, T>>,
}

impl<T: Real> Sums<'_, T> {
    #[inline(always)]
    pub(super) fn run<S: Simd>(self) {
        // From the last, whose gradient is there first, and whose input the first step on.
        for layer in self.layers.iter().rev().filter(|layer| layer.trainable) {
            self.sums::<S>(layer);
            if let Some(update) = &self.update {
                update.layer::<S>(layer);
            }
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
}

impl<T: Real> Kernel for TinyUpdate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for layer in self.layers.iter().filter(|layer| layer.trainable) {
            self.layer::<S>(layer);
        }
    }
}

impl<T: Real> TinyUpdate<'_, T> {
    #[inline(always)]
    fn layer<S: Simd>(&self, layer: &TinyLayer) {
        let TinyLayer { weight, inputs, bias, outputs, .. } = *layer;
        self.tensor::<S>(&self.rules.weight, (weight, inputs), outputs);
        if layer.has_bias {
            self.tensor::<S>(&self.rules.bias, (bias, 1), outputs);
        }
    }

    /// `rows` rows of 16 elements from `at` on, `live` of each.
    #[inline(always)]
    fn tensor<S: Simd>(&self, rule: &Rule<T>, (at, rows): (usize, usize), live: usize) {
        if let Some(lr) = rule.plain_sgd() {
            if live <= FOUR {
                self.plain_rows::<S::Four<T>>(lr, at, rows, live);
            } else {
                self.plain_rows::<S::Register<T>>(lr, at, rows, live);
            }
            return;
        }
        let end = at + rows * LANES;
        let mut moments = [Span::empty(); MOMENTS];
        for k in 0..MOMENTS {
            if !self.moments[k].is_empty() {
                moments[k] = self.moments[k].slice(at, end);
            }
        }
        let (w, g) = (self.parameters.slice(at, end), self.gradient.slice(at, end));
        rule.update::<S>(w, g, moments, live);
    }

    /// Plain SGD of `rows` rows of 16 elements from `at` on, as many registers of each as hold `live` of
    /// them.
    #[inline(always)]
    fn plain_rows<V: Vector<T>>(&self, lr: T, at: usize, rows: usize, live: usize) {
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
