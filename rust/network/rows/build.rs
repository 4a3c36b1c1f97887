//! From the layers that work on rows to ops on buffers.

use std::collections::HashSet;

use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::elementary::Elementary;
use crate::kernels::weight::{Block, is_far};
use crate::network::memory::{BufferId, Buffers};
use crate::network::op::{BackwardWeight, Purpose, RowOp, Traced, WeightOp, WeightSource};
use crate::network::spec::{Layer, Linear, Spec};
use crate::network::update::{blocks_of, count_blocks, keeps_backward};
use crate::runtime::memory;
use crate::simd::LANES;

/// How the gradient goes back through a layer.
#[derive(Clone, Copy)]
pub(in crate::network) enum Way {
    Linear { linear: usize, input: BufferId },
    Activation { activation: Activation, saved: BufferId },
    Dropout { mask: BufferId },
    Nothing,
}

/// Makes a plan's row ops: the forward pass, then the way back, then the weight phase.
pub(in crate::network) struct RowBuilder<'a> {
    pub spec: &'a Spec,
    pub purpose: Purpose,
    pub rows: usize,
    /// The first layer that works on rows, and the convolutions before it.
    pub first: usize,
    pub convolutions: usize,
    /// Whether that layer is a Linear one and reads images.
    pub on_images: bool,
    pub buffers: Buffers,
    pub forward: Vec<RowOp>,
    pub backward: Vec<RowOp>,
    pub weights: Vec<WeightOp>,
    pub copies: Vec<(usize, BufferId)>,
    pub ways: Vec<Way>,
    pub layer_outputs: Vec<Traced>,
    /// From the last layer back.
    pub layer_grads: Vec<Traced>,
    /// Whether the network has a tiny plan, whose updates keep no second copies.
    pub tiny: bool,
}

impl RowBuilder<'_> {
    pub(in crate::network) fn buffer<T: Elementary>(&mut self, cols: usize) -> BufferId {
        self.buffers.add::<T>(self.rows, cols)
    }

    /// A buffer with a row of the batch in each lane.
    fn lanes<T: Elementary>(&mut self, rows: usize) -> BufferId {
        self.buffers.add::<T>(rows, self.rows.next_multiple_of(LANES))
    }

    /// Whether a layer takes images as they are.
    fn reads_images(&self, layer: usize) -> bool {
        self.on_images && layer == self.first
    }

    /// A buffer for what is computed from `from`: the same one unless its content is still `needed`.
    fn place<T: Elementary>(&mut self, from: BufferId, needed: bool) -> BufferId {
        if needed || self.purpose == Purpose::Trace {
            let cols = self.buffers.cols(from);
            self.buffer::<T>(cols)
        } else {
            from
        }
    }

    pub(in crate::network) fn forward<T: Elementary>(&mut self, input: BufferId) -> BufferId {
        let spec = self.spec;
        let mut at = input;
        // Whether the way back reads what is in `at` now.
        let mut needed = false;
        let mut linears = self.convolutions;
        for (layer, kind) in spec.layers.iter().enumerate().skip(self.first) {
            let way = match *kind {
                Layer::Linear(ref data) => {
                    let (linear, input) = (linears, at);
                    let output = self.buffer::<T>(data.out_features);
                    self.forward.push(if self.reads_images(layer) {
                        RowOp::ImageLinear { linear, input, output }
                    } else {
                        RowOp::Linear { linear, input, output }
                    });
                    linears += 1;
                    (at, needed) = (output, false);
                    Way::Linear { linear, input }
                }
                Layer::Activation(Activation::Identity)
                | Layer::Flatten
                | Layer::Conv2d(_)
                | Layer::Pool(_) => Way::Nothing,
                Layer::Activation(activation) => {
                    let training = self.purpose != Purpose::Forward;
                    let from_input = activation.needs_input() && training;
                    let output = self.place::<T>(at, needed || from_input);
                    self.forward.push(RowOp::Activation { activation, input: at, output });
                    let saved = if activation.needs_input() { at } else { output };
                    (at, needed) = (output, training && !from_input);
                    Way::Activation { activation, saved }
                }
                Layer::Dropout { p } => {
                    let output = self.place::<T>(at, needed);
                    let mask = self.buffer::<T>(self.buffers.cols(at));
                    self.forward.push(RowOp::Dropout { layer, p, input: at, output, mask });
                    (at, needed) = (output, false);
                    Way::Dropout { mask }
                }
            };
            self.ways.push(way);
            self.layer_outputs.push(Traced::Rows(at));
        }
        at
    }

    /// Whether some layer below `layer` wants the gradient.
    pub(in crate::network) fn wanted_below(&self, layer: usize) -> bool {
        match self.purpose {
            Purpose::Forward => false,
            Purpose::Gradients { input_grad: true } | Purpose::Trace => true,
            Purpose::Gradients { input_grad: false } => {
                self.spec.weighted().any(|below| below.layer < layer)
            }
            Purpose::Train => self.trainable_below(layer),
        }
    }

    fn trainable_below(&self, layer: usize) -> bool {
        self.spec.weighted().any(|below| below.layer < layer && below.trainable)
    }

    /// The way back; gives the gradient with respect to X if it gets that far.
    pub(in crate::network) fn backward<T: Elementary>(
        &mut self,
        output_grad: BufferId,
    ) -> Option<BufferId> {
        let spec = self.spec;
        let mut at = output_grad;
        // Whether the store of what is in `at` has flushed subnormals (N5): the loss does.
        let mut flushed = true;
        for (layer, kind) in spec.layers.iter().enumerate().skip(self.first).rev() {
            self.layer_grads.push(Traced::Rows(at));
            match self.ways[layer - self.first] {
                Way::Nothing => {}
                Way::Activation { activation, saved } => {
                    let target = self.place::<T>(at, false);
                    self.backward.push(RowOp::ActivationGradient {
                        activation,
                        saved,
                        grad: at,
                        target,
                    });
                    (at, flushed) = (target, true);
                }
                Way::Dropout { mask } => {
                    let target = self.place::<T>(at, false);
                    self.backward.push(RowOp::DropoutGradient { mask, grad: at, target });
                    (at, flushed) = (target, false);
                }
                Way::Linear { linear, input } => {
                    let Layer::Linear(data) = kind else { continue };
                    if !flushed {
                        let activation = Activation::Identity;
                        self.backward.push(RowOp::ActivationGradient {
                            activation,
                            saved: at,
                            grad: at,
                            target: at,
                        });
                    }
                    let lanes = self.reads_images(layer);
                    if data.trainable || self.purpose != Purpose::Train {
                        self.weights.push(WeightOp {
                            index: linear,
                            source: if lanes {
                                WeightSource::Lanes { input, grad: at }
                            } else {
                                WeightSource::Rows { input, grad: at }
                            },
                            keep_backward: keeps_backward(spec, layer),
                        });
                    }
                    if !self.wanted_below(layer) {
                        return None;
                    }
                    let grad = at;
                    (at, flushed) = if lanes {
                        let turned = self.lanes::<T>(data.out_features);
                        let target = self.lanes::<T>(data.in_features);
                        let op = RowOp::ImageGradient { linear, grad, turned, target };
                        self.backward.push(op);
                        (target, false)
                    } else {
                        let weight = self.backward_weight::<T>((layer, linear), data);
                        let target = self.buffer::<T>(data.in_features);
                        self.backward.push(RowOp::InputGradient { linear, grad, target, weight });
                        (target, false)
                    };
                }
            }
        }
        Some(at)
    }

    /// Where the input gradient of a layer finds its weight.
    fn backward_weight<T: Elementary>(
        &mut self,
        (layer, linear): (usize, usize),
        data: &Linear,
    ) -> BackwardWeight {
        // Updates keep the copy where training reads it; what none changes is up to date.
        let kept = self.trainable_below(layer) || !data.trainable;
        if kept && self.spec.is_copied(layer) && !self.tiny {
            return BackwardWeight::State;
        }
        let copy = self.buffers.add::<T>(data.out_features, data.in_features);
        self.copies.push((linear, copy));
        BackwardWeight::Copy(copy)
    }

    /// The tiles of the weight phase.
    pub(in crate::network) fn blocks<T: Elementary>(&self) -> Result<Vec<(usize, Block)>> {
        let layers: Vec<_> = self.spec.weighted().collect();
        let mut blocks = Vec::new();
        for (index, op) in self.weights.iter().enumerate() {
            let layer = &layers[op.index];
            memory::reserve(&mut blocks, count_blocks(layer.inputs, layer.outputs))?;
            blocks.extend(blocks_of(layer.inputs, layer.outputs).map(|block| (index, block)));
        }
        // A thread's share of the tiles then belongs to the same share of each layer's outputs as in
        // the row phase by columns (`share.rs`). Inputs that no cache has kept come first instead: all
        // outputs of some after each other, so that memory is read once.
        let far = self.on_images && is_far::<T>(layers[self.convolutions].inputs, self.rows);
        // Not a stable sort, which needs memory: the last comparison is their order.
        blocks.sort_unstable_by(|&(a, first), &(b, second)| {
            let outputs = |op: usize| layers[self.weights[op].index].outputs.div_ceil(LANES);
            let order = if far {
                (a, first.input).cmp(&(b, second.input))
            } else {
                (first.output * outputs(b)).cmp(&(second.output * outputs(a)))
            };
            order.then((a, first.output, first.input).cmp(&(b, second.output, second.input)))
        });
        debug_assert!(disjoint(&blocks), "two tiles of the weight phase write the same elements");
        Ok(blocks)
    }
}

/// Whether no two tiles of the weight phase write the same 16 x 16 elements; those of the row phase
/// write different rows by construction.
fn disjoint(blocks: &[(usize, Block)]) -> bool {
    let mut written = HashSet::new();
    if written.try_reserve(2 * blocks.len()).is_err() {
        return true;
    }
    blocks.iter().all(|&(layer, Block { input, output, outputs })| {
        (output..output + outputs).all(|output| written.insert((layer, input, output)))
    })
}

#[cfg(test)]
mod tests {
    use super::{Block, disjoint};

    #[test]
    fn tiles_that_write_the_same_elements_are_seen() {
        let block = |input, output, outputs| Block { input, output, outputs };
        let tiles = [(0, block(0, 0, 2)), (0, block(1, 0, 2)), (0, block(0, 2, 1))];
        assert!(disjoint(&tiles));
        assert!(disjoint(&[tiles[0], (1, block(0, 0, 2))]));
        assert!(!disjoint(&[tiles[0], tiles[2], (0, block(0, 1, 1))]));
        assert!(!disjoint(&[tiles[0], tiles[0]]));
    }
}
