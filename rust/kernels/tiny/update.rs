//! The weight phase of a step: sums over rows, updates.

use super::chains::{Left, Start};
use super::layers::{FOUR, Layer, ROOM, Step};
use super::turn::turn;
use crate::kernels::optimizer::{Rule, plain_sgd, update_lanes};
use crate::kernels::panels::Span;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// The gradients of layers, from those that [`super::Rows`] left.
pub(super) struct Sums<'a, T> {
    /// Memory; all layers.
    pub(super) step: Step<'a, T>,
    /// Which of the layers; those that are not trainable have no gradient.
    pub(super) layers: &'a [Layer],
    /// Takes the gradients, in the layout of the parameters.
    pub(super) gradient: Span<T>,
    /// Whether the sums over rows begin at +0, or go on from what `gradient` holds.
    pub(super) fresh: bool,
    /// The update, if these are the last rows.
    pub(super) update: Option<Update<'a, T>>,
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
    fn sums<S: Simd>(&self, layer: &Layer) {
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

/// The update of layers that share a rule.
#[derive(Clone, Copy)]
pub struct Update<'a, T> {
    /// Which layers; those that are not trainable stay.
    pub layers: &'a [Layer],
    /// The formula.
    pub rule: Rule<T>,
    /// Parameters.
    pub parameters: Span<T>,
    /// Their gradients.
    pub gradient: Span<T>,
    /// The optimizer's moments; empty where it keeps fewer.
    pub moments: [Span<T>; 2],
}

impl<T: Real> Kernel for Update<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for layer in self.layers.iter().filter(|layer| layer.trainable) {
            self.layer::<S>(layer);
        }
    }
}

impl<T: Real> Update<'_, T> {
    #[inline(always)]
    fn layer<S: Simd>(&self, layer: &Layer) {
        if layer.outputs <= FOUR {
            self.tensors::<S::Four<T>>(layer);
        } else {
            self.tensors::<S::Register<T>>(layer);
        }
    }

    #[inline(always)]
    fn tensors<V: Vector<T>>(&self, layer: &Layer) {
        if let Some(lr) = self.rule.plain_sgd() {
            self.plain_rows::<V>(lr, layer.weight, layer.inputs, layer.outputs);
            if layer.has_bias {
                self.plain_rows::<V>(lr, layer.bias, 1, layer.outputs);
            }
            return;
        }
        self.rows::<V>(layer.weight, layer.inputs, layer.outputs);
        if layer.has_bias {
            self.rows::<V>(layer.bias, 1, layer.outputs);
        }
    }

    /// As `rows`, by SGD without moments.
    #[inline(always)]
    fn plain_rows<V: Vector<T>>(&self, lr: T, at: usize, rows: usize, live: usize) {
        let lr = V::splat(lr);
        for row in 0..rows {
            let mut lane = 0;
            while lane < live {
                let i = at + row * LANES + lane;
                let place = self.parameters.at(i);
                // SAFETY: as in `rows`.
                unsafe {
                    plain_sgd(lr, V::load(place), V::load(self.gradient.at(i))).store(place);
                }
                lane += V::LANES;
            }
        }
    }

    /// `rows` rows of 16 elements from `at` on, as many registers of each as hold `live` of them.
    #[inline(always)]
    fn rows<V: Vector<T>>(&self, at: usize, rows: usize, live: usize) {
        let [m, v] = self.moments;
        let (uses_m, uses_v) = (self.rule.uses_m(), self.rule.uses_v());
        for row in 0..rows {
            let mut lane = 0;
            while lane < live {
                let i = at + row * LANES + lane;
                // SAFETY: the layer's places lie in buffers of parameters, whose makers vouch for
                // them; a rule that uses a moment comes with its buffer.
                unsafe {
                    let mut first = V::zero();
                    let mut second = V::zero();
                    if uses_m {
                        first = V::load(m.at(i));
                    }
                    if uses_v {
                        second = V::load(v.at(i));
                    }
                    let w = V::load(self.parameters.at(i));
                    let g = V::load(self.gradient.at(i));
                    update_lanes(&self.rule, w, g, &mut first, &mut second)
                        .store(self.parameters.at(i));
                    if uses_m {
                        first.store(m.at(i));
                    }
                    if uses_v {
                        second.store(v.at(i));
                    }
                }
                lane += V::LANES;
            }
        }
    }
}
