//! From a spec and a largest batch to ops on buffers.
//!
//! A plan is immutable and shared; the number of rows is an argument of each run. Its ops fall into
//! two phases with a barrier between: the row phase does everything that the rows of a batch do
//! independently (gather, forward pass, loss, all input gradients), the weight phase sums over the
//! rows (weight gradients) and updates.

use std::collections::HashSet;

use super::image_builder::ImageBuilder;
use super::images::{ImageBuffer, ImagePlan};
use super::op::{BackwardWeight, BufferId, RowKernels, RowOp};
use super::shape::Shape;
use super::spec::{Layer, Reduction, Spec};
use super::tiny::{self, Tiny};
use super::update::{Updates, blocks_of, keeps_backward};
use super::workspace::{Buffers, Workspace};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::elementary::Elementary;
use crate::kernels::images::ImageShape;
use crate::kernels::loss::Loss;
use crate::kernels::weight::Block;
use crate::simd::{Isa, LANES};

/// Rows that are in memory at a time; a larger batch goes through in slabs. 16 of N2's blocks of 256
/// rows: a whole slab is one node of the tree.
pub const SLAB_ROWS: usize = 4096;

/// Rows of a slab of images: one of N2's blocks. Each 16 rows leave gradients of their own for the
/// convolutions, which would be many in a larger slab.
const IMAGE_SLAB_ROWS: usize = 256;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Outputs alone.
    Forward,
    /// Updates of the trainable layers, straight from their gradients.
    Train,
    /// The gradients of all layers, kept.
    Gradients {
        /// The gradient with respect to X, too.
        input_grad: bool,
    },
    /// As `Gradients`, with a buffer of its own for each tensor, to look at.
    Trace,
}

/// One layer in the weight phase.
#[derive(Clone, Debug)]
pub(super) struct WeightOp {
    /// Which of the layers with parameters.
    pub index: usize,
    pub source: WeightSource,
    /// Whether updates keep the second copy of the weight.
    pub keep_backward: bool,
}

/// What a weight's gradient is made from.
#[derive(Clone, Copy, Debug)]
pub(super) enum WeightSource {
    /// The layer's input, and the gradient with respect to its output.
    Rows { input: BufferId, grad: BufferId },
    /// What blocks of images have left.
    Images,
}

/// A tensor between two layers, for `Purpose::Trace`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Traced {
    Rows(BufferId),
    Images(ImageBuffer),
}

/// The ops of one kind of step of one network.
pub struct Plan<T: Elementary> {
    pub(super) isa: Isa,
    pub(super) row_kernels: RowKernels<T>,
    pub(super) loss: Option<(Loss, Reduction)>,
    /// What X is divided by.
    pub(super) scale: Option<T>,
    pub(super) updates: Updates,
    pub(super) buffers: Buffers,
    /// The layers before Flatten, of a network that takes images.
    pub(super) images: Option<ImagePlan>,
    pub(super) forward: Vec<RowOp>,
    pub(super) backward: Vec<RowOp>,
    pub(super) weights: Vec<WeightOp>,
    /// Tiles of the weight phase: an index into `weights` and a block of that layer.
    pub(super) blocks: Vec<(usize, Block)>,
    /// Copies of weights to make before a backward pass: Linear layer and buffer.
    pub(super) copies: Vec<(usize, BufferId)>,
    pub(super) input: BufferId,
    pub(super) output: BufferId,
    pub(super) targets: BufferId,
    pub(super) output_grad: BufferId,
    pub(super) input_grad: Option<BufferId>,
    /// The output of each layer, for `Purpose::Trace`.
    pub(super) layer_outputs: Vec<Traced>,
    /// The gradient with respect to the output of each layer, for `Purpose::Trace`.
    pub(super) layer_grads: Vec<Traced>,
    pub(super) slab_rows: usize,
    pub(super) fused: bool,
    /// How a network that fits into L1 trains.
    pub(super) tiny: Option<Tiny>,
    flops_per_row: f64,
}

impl<T: Elementary> Plan<T> {
    /// A plan for batches of any size, the fastest; `largest` rows or fewer fit into its slab.
    #[must_use]
    pub fn new(spec: &Spec, purpose: Purpose, largest: usize, isa: Isa) -> Self {
        if purpose == Purpose::Train
            && let Some(plan) = Self::tiny(spec, isa)
        {
            return plan;
        }
        let slab_rows = if largest < SLAB_ROWS { largest } else { SLAB_ROWS };
        Self::with_slab(spec, purpose, slab_rows, isa)
    }

    /// A plan whose slabs have `slab_rows` rows: for tests that force slabs.
    ///
    /// # Panics
    /// If `slab_rows` is neither the whole batch nor a power of two of at least 256, as N2 needs.
    #[must_use]
    pub fn with_slab(spec: &Spec, purpose: Purpose, slab_rows: usize, isa: Isa) -> Self {
        Self::build(spec, None, purpose, slab_rows, isa)
    }

    /// A plan of a network that takes images, for images of one size.
    ///
    /// # Panics
    /// If the layers do not fit images of this size, which [`Spec::shapes`] tells.
    #[must_use]
    pub fn of_images(
        spec: &Spec,
        image: ImageShape,
        purpose: Purpose,
        slab_rows: usize,
        isa: Isa,
    ) -> Self {
        let whole = matches!(purpose, Purpose::Trace | Purpose::Gradients { input_grad: true });
        let large = slab_rows > IMAGE_SLAB_ROWS && !whole;
        let slab_rows = if large { IMAGE_SLAB_ROWS } else { slab_rows };
        Self::build(spec, Some(image), purpose, slab_rows, isa)
    }

    fn build(
        spec: &Spec,
        image: Option<ImageShape>,
        purpose: Purpose,
        slab_rows: usize,
        isa: Isa,
    ) -> Self {
        let shapes = spec.shapes(image).expect("layers that fit");
        let mut builder = Builder {
            spec,
            purpose,
            rows: slab_rows,
            first: 0,
            convolutions: 0,
            buffers: Buffers::default(),
            forward: Vec::new(),
            backward: Vec::new(),
            weights: Vec::new(),
            copies: Vec::new(),
            ways: Vec::new(),
            layer_outputs: Vec::new(),
            layer_grads: Vec::new(),
            tiny: tiny::fits(spec),
        };
        let mut images = image.map(|image| {
            let batch = &mut builder.buffers;
            ImageBuilder::new::<T>(spec, image, &shapes, purpose, slab_rows, batch)
        });
        let input = match &mut images {
            Some(images) => {
                let (flat, convolutions) = images.flat();
                builder.first = images.layers();
                builder.convolutions = convolutions;
                builder.layer_outputs.append(&mut images.outputs);
                flat
            }
            None => builder.buffer::<T>(spec.in_features()),
        };
        let output = builder.forward::<T>(input);
        let targets = builder.buffer::<T>(spec.out_features());
        let output_grad = builder.buffer::<T>(spec.out_features());
        let mut input_grad =
            if purpose == Purpose::Forward { None } else { builder.backward::<T>(output_grad) };
        builder.layer_grads.reverse();
        let images = images.map(|images| {
            let mut buffers = std::mem::take(&mut builder.buffers);
            // Flatten's own gradient is at the rows of features.
            let flat_grad = input_grad;
            let below = |layer| builder.wanted_below(layer);
            let (plan, mut grads, weights) = images.finish::<T>(flat_grad, &mut buffers, below);
            grads.extend(flat_grad.map(Traced::Rows));
            grads.append(&mut builder.layer_grads);
            builder.layer_grads = grads;
            builder.weights.extend(weights);
            let features = image.map_or(0, ImageShape::features);
            input_grad = plan.input_grad.map(|_| buffers.add::<T>(slab_rows, features));
            builder.buffers = buffers;
            plan
        });
        let blocks = builder.blocks();
        let Builder { buffers, forward, backward, weights, copies, .. } = builder;
        Self {
            isa,
            row_kernels: RowKernels::new(isa),
            loss: spec.loss.clone(),
            scale: spec.input.scale.map(T::from_f64),
            updates: Updates::new(spec, isa),
            buffers,
            images,
            forward,
            backward,
            weights,
            blocks,
            copies,
            input,
            output,
            targets,
            output_grad,
            input_grad,
            layer_outputs: builder.layer_outputs,
            layer_grads: builder.layer_grads,
            slab_rows,
            fused: true,
            tiny: None,
            flops_per_row: 6.0 * multiply_adds(spec, &shapes),
        }
    }

    /// The plan of a network that fits into L1, if this one does.
    fn tiny(spec: &Spec, isa: Isa) -> Option<Self> {
        let mut plan = Self::with_slab(spec, Purpose::Train, LANES, isa);
        plan.tiny = Some(Tiny::new::<T>(spec, &mut plan.buffers)?);
        Some(plan)
    }

    /// The same plan, in which a training step makes all gradients before it updates: for tests.
    #[must_use]
    pub fn unfused(self) -> Self {
        Self { fused: false, ..self }
    }

    /// The memory of one running step on up to `batch_rows` rows.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn workspace(&self, batch_rows: usize) -> Result<Workspace<T>> {
        Workspace::new(&self.buffers, batch_rows)
    }

    /// Columns of the network's output.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.buffers.cols(self.output)
    }

    /// An estimate of a training step's floating-point operations.
    #[must_use]
    pub fn step_flops(&self, rows: usize) -> f64 {
        self.flops_per_row * rows as f64
    }
}

/// How the gradient goes back through a layer.
#[derive(Clone, Copy)]
enum Way {
    Linear { linear: usize, input: BufferId },
    Activation { activation: Activation, saved: BufferId },
    Dropout { mask: BufferId },
    Nothing,
}

/// Multiply-adds of one sample's forward pass.
fn multiply_adds(spec: &Spec, shapes: &[Shape]) -> f64 {
    let of = |layer: super::spec::Weighted| {
        let places = match shapes[layer.layer] {
            Shape::Row(_) => 1,
            Shape::Image(shape) => shape.height * shape.width,
        };
        (layer.inputs * layer.outputs * places) as f64
    };
    spec.weighted().map(of).sum()
}

struct Builder<'a> {
    spec: &'a Spec,
    purpose: Purpose,
    rows: usize,
    /// The first layer that works on rows, and the convolutions before it.
    first: usize,
    convolutions: usize,
    buffers: Buffers,
    forward: Vec<RowOp>,
    backward: Vec<RowOp>,
    weights: Vec<WeightOp>,
    copies: Vec<(usize, BufferId)>,
    ways: Vec<Way>,
    layer_outputs: Vec<Traced>,
    /// From the last layer back.
    layer_grads: Vec<Traced>,
    /// Whether the network has a tiny plan, whose updates keep no second copies.
    tiny: bool,
}

impl Builder<'_> {
    fn buffer<T: Elementary>(&mut self, cols: usize) -> BufferId {
        self.buffers.add::<T>(self.rows, cols)
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

    fn forward<T: Elementary>(&mut self, input: BufferId) -> BufferId {
        let spec = self.spec;
        let mut at = input;
        // Whether the way back reads what is in `at` now.
        let mut needed = false;
        let mut linears = self.convolutions;
        for (layer, kind) in spec.layers.iter().enumerate().skip(self.first) {
            let way = match *kind {
                Layer::Linear(ref linear) => {
                    let output = self.buffer::<T>(linear.out_features);
                    self.forward.push(RowOp::Linear { linear: linears, input: at, output });
                    let way = Way::Linear { linear: linears, input: at };
                    linears += 1;
                    (at, needed) = (output, false);
                    way
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
    fn wanted_below(&self, layer: usize) -> bool {
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
    fn backward<T: Elementary>(&mut self, output_grad: BufferId) -> Option<BufferId> {
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
                    let below = self.trainable_below(layer);
                    if data.trainable || self.purpose != Purpose::Train {
                        self.weights.push(WeightOp {
                            index: linear,
                            source: WeightSource::Rows { input, grad: at },
                            keep_backward: keeps_backward(spec, linear),
                        });
                    }
                    if !self.wanted_below(layer) {
                        return None;
                    }
                    // Updates keep the second copy only where training reads it.
                    let kept = below || !data.trainable;
                    let weight = if kept && !self.tiny {
                        BackwardWeight::State
                    } else {
                        let copy = self.buffers.add::<T>(data.out_features, data.in_features);
                        self.copies.push((linear, copy));
                        BackwardWeight::Copy(copy)
                    };
                    let target = self.buffer::<T>(data.in_features);
                    self.backward.push(RowOp::InputGradient { linear, grad: at, target, weight });
                    (at, flushed) = (target, false);
                }
            }
        }
        Some(at)
    }

    /// The tiles of the weight phase.
    fn blocks(&self) -> Vec<(usize, Block)> {
        let layers: Vec<_> = self.spec.weighted().collect();
        let mut blocks = Vec::new();
        for (index, op) in self.weights.iter().enumerate() {
            let layer = &layers[op.index];
            blocks.extend(blocks_of(layer.inputs, layer.outputs).map(|block| (index, block)));
        }
        debug_assert!(disjoint(&blocks), "two tiles of the weight phase write the same elements");
        blocks
    }
}

/// Whether no two tiles of the weight phase write the same 16 x 16 elements; those of the row phase
/// write different rows by construction.
fn disjoint(blocks: &[(usize, Block)]) -> bool {
    let mut written = HashSet::new();
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
