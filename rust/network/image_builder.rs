//! From the layers before Flatten to ops on images.

use super::images::{Convolution, Home, ImageBuffer, ImageOp, ImagePlan, Mask};
use super::op::BufferId;
use super::plan::{Purpose, Traced, WeightOp, WeightSource};
use super::shape::Shape;
use super::spec::{Conv2d, Layer, Spec};
use super::workspace::Buffers;
use crate::kernels::activation::Activation;
use crate::kernels::convolution::{Axis, ConvolutionGradient};
use crate::kernels::elementary::Elementary;
use crate::kernels::images::ImageShape;
use crate::kernels::pooling::{Pool, PoolKind};
use crate::simd::LANES;

/// Bytes of a network's Linear weights up to which a tile has one block of 16 samples: they are in a
/// cache when the next tile reads them. Of more, what comes from memory serves 32 samples.
const CACHED_WEIGHTS: usize = 1 << 20;

/// How the gradient goes back through a layer of images.
#[derive(Clone, Copy)]
enum Way {
    Convolution { conv: usize, input: ImageBuffer },
    Activation { activation: Activation, saved: ImageBuffer },
    Dropout { mask: ImageBuffer },
    Pool { pool: Pool, input: ImageBuffer, output: ImageBuffer },
    Nothing,
}

/// Where images get their memory.
struct Memory {
    /// Whether those of all blocks are kept, each in its own.
    keeps_all: bool,
    /// Blocks of 16 samples of a slab.
    slab_blocks: usize,
    tile: Buffers,
}

impl Memory {
    fn images<T: Elementary>(
        &mut self,
        shape: ImageShape,
        blocks: usize,
        batch: &mut Buffers,
    ) -> ImageBuffer {
        let rows = shape.panel_rows();
        let home = if self.keeps_all {
            Home::Batch(batch.add::<T>(rows, self.slab_blocks * LANES))
        } else {
            Home::Tile(self.tile.add::<T>(rows, blocks * LANES), blocks)
        };
        ImageBuffer { home, shape }
    }

    /// Images for what is computed from `from`: the same unless their content is still `needed`.
    fn place<T: Elementary>(
        &mut self,
        from: ImageBuffer,
        needed: bool,
        blocks: usize,
        batch: &mut Buffers,
    ) -> ImageBuffer {
        if needed || self.keeps_all { self.images::<T>(from.shape, blocks, batch) } else { from }
    }
}

/// Makes an [`ImagePlan`]: the forward pass, then, when the rows' way back is known, the way back.
pub(super) struct ImageBuilder<'a> {
    spec: &'a Spec,
    purpose: Purpose,
    tile_blocks: usize,
    memory: Memory,
    gathered: BufferId,
    input: ImageBuffer,
    output: ImageBuffer,
    forward: Vec<ImageOp>,
    backward: Vec<ImageOp>,
    convolutions: Vec<Convolution>,
    ways: Vec<Way>,
    scratch_len: usize,
    pub outputs: Vec<Traced>,
    pub grads: Vec<Traced>,
    pub weights: Vec<WeightOp>,
}

impl<'a> ImageBuilder<'a> {
    /// The forward pass through the layers before Flatten.
    pub(super) fn new<T: Elementary>(
        spec: &'a Spec,
        image: ImageShape,
        shapes: &[Shape],
        purpose: Purpose,
        slab_rows: usize,
        batch: &mut Buffers,
    ) -> Self {
        let linear = spec.weighted().filter(|layer| layer.shape.len() == 2);
        let weights: usize = linear.map(|layer| layer.inputs * layer.outputs).sum();
        let tile_blocks = if weights * size_of::<T>() <= CACHED_WEIGHTS { 1 } else { 2 };
        let mut memory = Memory {
            keeps_all: purpose == Purpose::Trace,
            slab_blocks: slab_rows.div_ceil(LANES),
            tile: Buffers::default(),
        };
        let gathered = memory.tile.add::<T>(LANES, image.features());
        let input = memory.images::<T>(image, tile_blocks, batch);
        let mut builder = Self {
            spec,
            purpose,
            tile_blocks,
            memory,
            gathered,
            input,
            // What no layer has changed yet.
            output: input,
            forward: Vec::new(),
            backward: Vec::new(),
            convolutions: Vec::new(),
            ways: Vec::new(),
            scratch_len: 0,
            outputs: Vec::new(),
            grads: Vec::new(),
            weights: Vec::new(),
        };
        builder.forward_pass::<T>(shapes, batch);
        builder
    }

    /// Flatten: rows of features in the workspace, and how many convolutions come before them.
    pub(super) fn flatten<T: Elementary>(
        &mut self,
        slab_rows: usize,
        batch: &mut Buffers,
    ) -> (BufferId, usize) {
        let flat = batch.add::<T>(slab_rows, self.output.shape.features());
        self.outputs.push(Traced::Rows(flat));
        (flat, self.convolutions.len())
    }

    /// Layers that belong to images, Flatten included.
    pub(super) fn layers(&self) -> usize {
        self.ways.len() + 1
    }

    fn forward_pass<T: Elementary>(&mut self, shapes: &[Shape], batch: &mut Buffers) {
        let (spec, blocks) = (self.spec, self.tile_blocks);
        let training = self.purpose != Purpose::Forward;
        let mut at = self.input;
        // Whether the way back reads what is in `at` now.
        let mut needed = false;
        for (layer, kind) in spec.layers.iter().enumerate() {
            let Shape::Image(shape) = shapes[layer] else { break };
            let way = match *kind {
                Layer::Conv2d(ref conv) => {
                    let output = self.memory.images::<T>(shape, blocks, batch);
                    let index = self.convolutions.len();
                    self.forward.push(ImageOp::Convolution { conv: index, input: at, output });
                    self.convolutions.push(convolution(conv, index, at.shape, shape));
                    let way = Way::Convolution { conv: index, input: at };
                    (at, needed) = (output, false);
                    way
                }
                Layer::Pool(pool) => {
                    let output = self.memory.images::<T>(shape, blocks, batch);
                    self.forward.push(ImageOp::Pool { pool, input: at, output });
                    let way = Way::Pool { pool, input: at, output };
                    (at, needed) = (output, training && pool.kind == PoolKind::Max);
                    way
                }
                Layer::Activation(Activation::Identity) => Way::Nothing,
                Layer::Activation(activation) => {
                    let from_input = activation.needs_input() && training;
                    let output = self.memory.place::<T>(at, needed || from_input, blocks, batch);
                    self.forward.push(ImageOp::Activation { activation, input: at, output });
                    let saved = if activation.needs_input() { at } else { output };
                    (at, needed) = (output, training && !from_input);
                    Way::Activation { activation, saved }
                }
                Layer::Dropout { p } => {
                    let output = self.memory.place::<T>(at, needed, blocks, batch);
                    let rows = self.memory.tile.add::<T>(LANES, shape.features());
                    let images = self.memory.images::<T>(shape, blocks, batch);
                    let mask = Mask { rows, images };
                    self.forward.push(ImageOp::Dropout { layer, p, input: at, output, mask });
                    (at, needed) = (output, false);
                    Way::Dropout { mask: images }
                }
                Layer::Flatten | Layer::Linear(_) => break,
            };
            self.ways.push(way);
            self.outputs.push(Traced::Images(at));
        }
        self.output = at;
    }

    /// The way back from the gradient at the rows of features, if it is wanted there.
    pub(super) fn finish<T: Elementary>(
        mut self,
        (flat, flat_grad): (BufferId, Option<BufferId>),
        batch: &mut Buffers,
        wanted_below: impl Fn(usize) -> bool,
    ) -> (ImagePlan, Vec<Traced>, Vec<WeightOp>) {
        let shape = self.output.shape;
        let (mut output_grad, mut input_grad) = (self.output, None);
        if flat_grad.is_some() {
            output_grad = self.memory.images::<T>(shape, 1, batch);
            input_grad = self.backward_pass::<T>(output_grad, batch, wanted_below);
        }
        let scratch = (self.memory.tile.reserve(self.scratch_len), self.scratch_len);
        let plan = ImagePlan {
            blocks: self.tile_blocks,
            order: self.spec.input.order,
            tile: self.memory.tile,
            gathered: self.gathered,
            input: self.input,
            forward: self.forward,
            output: self.output,
            flat,
            flat_grad: flat_grad.unwrap_or(flat),
            output_grad,
            backward: self.backward,
            input_grad,
            convolutions: self.convolutions,
            scratch,
        };
        self.grads.reverse();
        (plan, self.grads, self.weights)
    }

    fn backward_pass<T: Elementary>(
        &mut self,
        output_grad: ImageBuffer,
        batch: &mut Buffers,
        wanted_below: impl Fn(usize) -> bool,
    ) -> Option<ImageBuffer> {
        let spec = self.spec;
        let mut at = output_grad;
        // Whether the store of what is in `at` has flushed subnormals (N5).
        let mut flushed = false;
        for layer in (0..self.ways.len()).rev() {
            self.grads.push(Traced::Images(at));
            match self.ways[layer] {
                Way::Nothing => {}
                Way::Activation { activation, saved } => {
                    let target = self.memory.place::<T>(at, false, 1, batch);
                    self.flush_through(activation, saved, at, target);
                    (at, flushed) = (target, true);
                }
                Way::Dropout { mask } => {
                    let target = self.memory.place::<T>(at, false, 1, batch);
                    self.backward.push(ImageOp::DropoutGradient { mask, grad: at, target });
                    (at, flushed) = (target, false);
                }
                Way::Pool { pool, input, output } => {
                    let target = self.memory.images::<T>(input.shape, 1, batch);
                    let grad = at;
                    self.backward.push(ImageOp::PoolGradient { pool, input, output, grad, target });
                    (at, flushed) = (target, false);
                }
                Way::Convolution { conv, input } => {
                    let Layer::Conv2d(data) = &spec.layers[layer] else { continue };
                    if !flushed {
                        self.flush_through(Activation::Identity, at, at, at);
                    }
                    if data.trainable || self.purpose != Purpose::Train {
                        let op = ImageOp::WeightGradient { conv, input, grad: at };
                        self.backward.push(op);
                        self.weights.push(WeightOp {
                            index: conv,
                            source: WeightSource::Images,
                            keep_backward: false,
                        });
                        let inputs = data.in_channels / data.groups * taps(data);
                        let len = ConvolutionGradient::<T>::scratch_len(inputs, data.out_channels);
                        self.scratch_len = self.scratch_len.max(len);
                    }
                    if !wanted_below(layer) {
                        return None;
                    }
                    let rows = data.out_channels / data.groups * taps(data);
                    self.convolutions[conv].transposed =
                        Some(batch.add::<T>(rows, data.in_channels));
                    let target = self.memory.images::<T>(input.shape, 1, batch);
                    self.backward.push(ImageOp::InputGradient { conv, grad: at, target });
                    (at, flushed) = (target, false);
                }
            }
        }
        Some(at)
    }

    fn flush_through(
        &mut self,
        activation: Activation,
        saved: ImageBuffer,
        grad: ImageBuffer,
        target: ImageBuffer,
    ) {
        self.backward.push(ImageOp::ActivationGradient { activation, saved, grad, target });
    }
}

fn taps(conv: &Conv2d) -> usize {
    conv.rows.kernel * conv.cols.kernel
}

fn convolution(conv: &Conv2d, index: usize, input: ImageShape, output: ImageShape) -> Convolution {
    let axes = |make: fn(_, _, _) -> Axis| {
        [make(conv.rows, input.height, output.height), make(conv.cols, input.width, output.width)]
    };
    Convolution {
        index,
        groups: conv.groups,
        rows: conv.rows,
        cols: conv.cols,
        forward: axes(Axis::forward),
        backward: axes(Axis::backward),
        transposed: None,
    }
}
