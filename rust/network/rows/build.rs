//! From the layers that work on rows to ops on buffers.

use std::collections::HashSet;

use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::weight::{Block, is_far};
use crate::network::memory::BufferId;
use crate::network::nodes::{Builder, Gradient, Place, Trail, Weighted};
use crate::network::op::{Task, Traced};
use crate::network::spec::Spec;
use crate::network::update::{blocks_of, count_blocks, keeps_backward};
use crate::runtime::memory;
use crate::simd::LANES;

/// Makes a plan's row ops: the forward pass, then the way back, then the weight phase.
pub(in crate::network) struct RowBuilder<'a> {
    spec: &'a Spec,
    task: Task,
    /// The layers with parameters.
    weighted: Vec<Weighted>,
    /// The first layer that works on rows.
    pub first: usize,
    /// Whether that layer is a Linear one and reads images.
    pub on_images: bool,
    /// Whether the network has a tiny plan, whose updates keep no second copies.
    tiny: bool,
    slab_rows: usize,
    /// The ops and buffers.
    pub rows: Builder,
    trails: Vec<Trail>,
    pub layer_outputs: Vec<Traced>,
    /// From the last layer back.
    pub layer_grads: Vec<Traced>,
}

impl<'a> RowBuilder<'a> {
    /// For slabs of so many rows.
    pub(in crate::network) fn new<T: Elementary>(
        spec: &'a Spec,
        task: Task,
        rows: usize,
        tiny: bool,
    ) -> Result<Self> {
        let mut weighted = memory::vector(spec.layers.len())?;
        weighted.extend(spec.weighted());
        Ok(Self {
            spec,
            task,
            weighted,
            first: 0,
            on_images: false,
            tiny,
            slab_rows: rows,
            rows: Builder::new(task, rows, size_of::<T>()),
            trails: Vec::new(),
            layer_outputs: Vec::new(),
            layer_grads: Vec::new(),
        })
    }

    /// The forward pass from the rows of X, or of what images have become, to the outputs.
    pub(in crate::network) fn forward(&mut self, input: BufferId) -> BufferId {
        let spec = self.spec;
        let mut at = input;
        for (node, layer) in spec.layers.iter().enumerate().skip(self.first) {
            for (sum, _) in spec.sums().filter(|&(_, from)| from == node) {
                self.rows.hold(sum, at);
            }
            let place = self.place(node);
            let trail = layer.node().forward(&mut self.rows, &place, at);
            at = trail.output;
            self.trails.push(trail);
            self.layer_outputs.push(Traced::Rows(at));
        }
        at
    }

    /// The way back; gives the gradient with respect to the input of the forward pass if it gets that far.
    pub(in crate::network) fn backward(&mut self, output_grad: BufferId) -> Option<BufferId> {
        let spec = self.spec;
        // The store of the loss's gradient flushes.
        let mut grad = Gradient { at: output_grad, flushed: true };
        for (node, layer) in spec.layers.iter().enumerate().skip(self.first).rev() {
            self.layer_grads.push(Traced::Rows(grad.at));
            let (place, trail) = (self.place(node), self.trails[node - self.first]);
            grad = layer.node().backward(&mut self.rows, &place, trail, grad)?;
            grad = self.rows.joined(node, grad);
        }
        Some(grad.at)
    }

    fn place(&self, node: usize) -> Place {
        let weighted = self.weighted.partition_point(|layer| layer.layer < node);
        let tracked = self.spec.tracked().filter(|tracked| tracked.layer < node).count();
        let own = self.weighted.get(weighted).filter(|layer| layer.layer == node);
        // Updates keep the copy where training reads it; what none changes is up to date.
        let kept = self.trainable_below(node) || own.is_some_and(|layer| !layer.trainable);
        Place {
            node,
            weighted,
            tracked,
            reads_images: self.on_images && node == self.first,
            wanted_below: self.wanted_below(node),
            second_copy: kept && self.spec.is_copied(node) && !self.tiny,
            keep_backward: own.is_some() && keeps_backward(self.spec, node),
        }
    }

    /// Whether some layer below `layer` wants the gradient.
    pub(in crate::network) fn wanted_below(&self, layer: usize) -> bool {
        match self.task {
            Task::Forward => false,
            Task::Gradients { input_grad: true } | Task::Trace => true,
            Task::Gradients { input_grad: false } => {
                self.weighted.first().is_some_and(|below| below.layer < layer)
            }
            Task::Train => self.trainable_below(layer),
        }
    }

    fn trainable_below(&self, layer: usize) -> bool {
        self.weighted.iter().any(|below| below.layer < layer && below.trainable)
    }

    /// The tiles of the weight phase.
    pub(in crate::network) fn blocks<T: Elementary>(&self) -> Result<Vec<(usize, Block)>> {
        let (layers, weights) = (&self.weighted, &self.rows.weights);
        let mut blocks = Vec::new();
        for (index, op) in weights.iter().enumerate() {
            let layer = &layers[op.index];
            memory::reserve(&mut blocks, count_blocks(layer.inputs, layer.outputs))?;
            blocks.extend(blocks_of(layer.inputs, layer.outputs).map(|block| (index, block)));
        }
        // A thread's share of the tiles then belongs to the same share of each layer's outputs as in
        // the row phase by columns (`segments.rs`). Inputs that no cache has kept come first instead: all
        // outputs of some after each other, so that memory is read once.
        let reader = layers.iter().find(|layer| self.on_images && layer.layer == self.first);
        let far = reader.is_some_and(|layer| is_far::<T>(layer.inputs, self.slab_rows));
        // Not a stable sort, which needs memory: the last comparison is their order.
        blocks.sort_unstable_by(|&(a, first), &(b, second)| {
            let outputs = |op: usize| layers[weights[op].index].outputs.div_ceil(LANES);
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
