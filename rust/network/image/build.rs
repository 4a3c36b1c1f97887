//! From the layers before Flatten to ops on images.

use super::memory::ImageMemory;
use super::norm::NormTrail;
use super::op::{Home, ImageBuffer, ImageMask, ImageOp, PoolGradientOp, PoolOp};
use super::program::{Convolution, ImageProgram};
use super::stages::{Stages, band_rows, in_bands};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::elementary::Elementary;
use crate::kernels::images::ImageShape;
use crate::kernels::pooling::{ActivatedPoolBackward, Pool, PoolKind};
use crate::kernels::reduce::BLOCK_ROWS;
use crate::network::memory::{BufferId, Buffers};
use crate::network::nodes::{Dropout, Layer, Shape};
use crate::network::op::{Task, Traced, WeightOp, WeightSource};
use crate::network::spec::Spec;
use crate::network::tuning::{CACHED_WEIGHTS, GATHERED, TILE_BLOCKS};
use crate::simd::{Isa, LANES};

/// How the gradient goes back through a layer of images.
#[derive(Clone, Copy)]
enum ImageTrail {
    Convolution { conv: usize, input: ImageBuffer },
    Activation { activation: Activation, saved: ImageBuffer },
    Dropout { mask: ImageBuffer },
    Pool(PoolOp),
    BatchNorm(NormTrail),
    Nothing,
}

/// Makes an [`ImageProgram`]: the forward pass, then, when the rows' way back is known, the way back.
pub(in crate::network) struct ImageBuilder<'a> {
    spec: &'a Spec,
    task: Task,
    isa: Isa,
    slab_rows: usize,
    tile_blocks: usize,
    /// The last pool, whose images a Linear layer takes as they are.
    last_pool: Option<usize>,
    memory: ImageMemory,
    gathered: BufferId,
    input: ImageBuffer,
    output: ImageBuffer,
    forward: Stages,
    backward: Stages,
    convolutions: Vec<Convolution>,
    trails: Vec<ImageTrail>,
    scratch_len: usize,
    pub outputs: Vec<Traced>,
    pub grads: Vec<Traced>,
    pub weights: Vec<WeightOp>,
}

impl<'a> ImageBuilder<'a> {
    /// The forward pass through the layers before Flatten.
    pub(in crate::network) fn new<T: Elementary>(
        spec: &'a Spec,
        image: ImageShape,
        shapes: &[Shape],
        (task, isa): (Task, Isa),
        slab_rows: usize,
        batch: &mut Buffers,
    ) -> Result<Self> {
        let linear = spec.weighted().filter(|layer| layer.shape.len() == 2);
        let weights: usize = linear.map(|layer| layer.inputs * layer.outputs).sum();
        let slab_blocks = slab_rows.div_ceil(LANES);
        let cached = weights * size_of::<T>() <= CACHED_WEIGHTS;
        // Where blocks meet, the images of each stay on the way back too.
        let most = if cached || spec.tracks_images() { 1 } else { TILE_BLOCKS };
        let tile_blocks = most.min(slab_blocks.max(1));
        let keeps_all = task == Task::Trace;
        let mut memory = ImageMemory { keeps_all, slab_blocks, tile: Buffers::default() };
        let gathered = memory.tile.add::<T>(LANES, image.features().min(GATHERED));
        let input = memory.images::<T>(image, tile_blocks, batch);
        // A trace shows rows of features. The weight gradient is one chain, and not a tree of them.
        let joins = !keeps_all && slab_rows <= BLOCK_ROWS;
        let last_pool = spec.linear_on_images().filter(|_| joins).map(|linear| linear - 2);
        let mut builder = Self {
            spec,
            task,
            isa,
            slab_rows,
            tile_blocks,
            last_pool,
            memory,
            gathered,
            input,
            // What no layer has changed yet.
            output: input,
            forward: Stages::new(!keeps_all),
            backward: Stages::new(!keeps_all),
            convolutions: Vec::new(),
            trails: Vec::new(),
            scratch_len: 0,
            outputs: Vec::new(),
            grads: Vec::new(),
            weights: Vec::new(),
        };
        builder.forward_pass::<T>(shapes, batch)?;
        Ok(builder)
    }

    /// Flatten: features in the workspace.
    pub(in crate::network) fn flatten<T: Elementary>(&mut self, batch: &mut Buffers) -> BufferId {
        let flat = match self.output.home {
            Home::Features(id) => id,
            _ => batch.add::<T>(self.slab_rows, self.output.shape.features()),
        };
        self.outputs.push(Traced::Rows(flat));
        flat
    }

    /// Whether the features are images, which a Linear layer takes as they are.
    pub(in crate::network) fn joins(&self) -> bool {
        matches!(self.output.home, Home::Features(_))
    }

    /// Layers that belong to images, Flatten included.
    pub(in crate::network) fn layers(&self) -> usize {
        self.trails.len() + 1
    }

    fn forward_pass<T: Elementary>(&mut self, shapes: &[Shape], batch: &mut Buffers) -> Result<()> {
        let (spec, blocks) = (self.spec, self.tile_blocks);
        let training = self.task != Task::Forward;
        let mut at = self.input;
        // Whether the way back reads what is in `at` now.
        let mut needed = false;
        for (layer, kind) in spec.layers.iter().enumerate() {
            let Shape::Image(shape) = shapes[layer] else { break };
            let trail = match *kind {
                Layer::Conv2d(ref conv) => {
                    let (pool, size) = (self.pool_above(layer), size_of::<T>());
                    let band = band_rows(shape, size, pool, 0);
                    let index = self.convolutions.len();
                    let weighted = self.weighted_below(layer);
                    // The way back reads all of it, or of what activations make of it in place.
                    let whole = training || pool.is_none();
                    let output = if whole {
                        self.memory.images::<T>(shape, blocks, batch)
                    } else {
                        self.memory.window::<T>(shape, band)
                    };
                    let op = ImageOp::Convolution { conv: index, input: at, output };
                    self.forward.push(op, Some(band));
                    if !whole {
                        self.forward.window(output, 0);
                    }
                    self.convolutions.push(Convolution::new::<T>(
                        conv,
                        (layer, weighted),
                        at.shape,
                        shape,
                    )?);
                    let trail = ImageTrail::Convolution { conv: index, input: at };
                    (at, needed) = (output, false);
                    trail
                }
                Layer::Pool(pool) => {
                    let output = if self.last_pool == Some(layer) {
                        let lanes = self.memory.slab_blocks * LANES;
                        let home = Home::Features(batch.add::<T>(shape.features(), lanes));
                        ImageBuffer { home, shape }
                    } else {
                        self.memory.images::<T>(shape, blocks, batch)
                    };
                    let op = PoolOp { pool, input: at, output };
                    self.forward.push(ImageOp::Pool(op), None);
                    let trail = ImageTrail::Pool(op);
                    (at, needed) = (output, training && pool.kind == PoolKind::Max);
                    trail
                }
                Layer::Activation(Activation::Identity) => ImageTrail::Nothing,
                Layer::Activation(activation) => {
                    let from_input = activation.needs_input() && training;
                    let output = self.memory.place::<T>(at, needed || from_input, blocks, batch);
                    let op = ImageOp::Activation { activation, input: at, output };
                    self.forward.push(op, None);
                    let saved = if activation.needs_input() { at } else { output };
                    (at, needed) = (output, training && !from_input);
                    ImageTrail::Activation { activation, saved }
                }
                Layer::Dropout(Dropout { p }) => {
                    let output = self.memory.place::<T>(at, needed, blocks, batch);
                    let rows = self.memory.tile.add::<T>(LANES, shape.features());
                    let images = self.memory.images::<T>(shape, blocks, batch);
                    let mask = ImageMask { rows, images };
                    let op = ImageOp::Dropout { layer, p, input: at, output, mask };
                    self.forward.push(op, None);
                    (at, needed) = (output, false);
                    ImageTrail::Dropout { mask: images }
                }
                Layer::BatchNorm(ref norm) => {
                    let trail = NormTrail::forward::<T>(
                        norm,
                        (self.tracked_below(layer), self.weighted_below(layer)),
                        self.task,
                        (at, needed),
                        &mut self.forward,
                        (&mut self.memory, batch),
                    );
                    at = trail.output;
                    // Without w and b these are xhat.
                    needed = training && !norm.affine;
                    ImageTrail::BatchNorm(trail)
                }
                Layer::Flatten | Layer::Linear(_) | Layer::LayerNorm(_) | Layer::Sum(_) => break,
            };
            self.trails.push(trail);
            self.outputs.push(Traced::Images(at));
        }
        self.output = at;
        Ok(())
    }

    /// The way back from the gradient at the features, if it is wanted there.
    pub(in crate::network) fn finish<T: Elementary>(
        mut self,
        (flat, flat_grad): (BufferId, Option<BufferId>),
        batch: &mut Buffers,
        wanted_below: impl Fn(usize) -> bool,
    ) -> (ImageProgram, Vec<Traced>, Vec<WeightOp>) {
        let shape = self.output.shape;
        let joins = self.joins();
        let (mut output_grad, mut input_grad) = (self.output, None);
        if let Some(flat_grad) = flat_grad {
            output_grad = if joins {
                ImageBuffer { home: Home::Features(flat_grad), shape }
            } else {
                self.memory.images::<T>(shape, 1, batch)
            };
            input_grad = self.backward_pass::<T>(output_grad, batch, wanted_below);
        }
        let features = self.input.shape.features();
        let input_grad =
            input_grad.map(|images| (images, batch.add::<T>(self.slab_rows, features)));
        let scratch = (self.memory.tile.reserve(self.scratch_len), self.scratch_len);
        let (forward, forward_meetings) = self.forward.finish();
        let (backward, backward_meetings) = self.backward.finish();
        let plan = ImageProgram {
            blocks: self.tile_blocks,
            order: self.spec.input.order,
            tile: self.memory.tile,
            gathered: self.gathered,
            input: self.input,
            forward,
            forward_meetings,
            output: self.output,
            output_grad,
            flat: (!joins).then(|| (flat, flat_grad.unwrap_or(flat))),
            backward,
            backward_meetings,
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
        for layer in (0..self.trails.len()).rev() {
            self.grads.push(Traced::Images(at));
            match self.trails[layer] {
                ImageTrail::Nothing => {}
                ImageTrail::Activation { activation, saved } => {
                    let target = self.memory.place::<T>(at, false, 1, batch);
                    self.flush_through::<T>(layer, activation, saved, at, target);
                    (at, flushed) = (target, true);
                }
                ImageTrail::Dropout { mask } => {
                    let target = self.memory.place::<T>(at, false, 1, batch);
                    self.backward.push(ImageOp::DropoutGradient { mask, grad: at, target }, None);
                    (at, flushed) = (target, false);
                }
                ImageTrail::Pool(op) => {
                    let PoolOp { pool, input, .. } = op;
                    let grad = at;
                    let below = self.conv_below(layer).filter(|_| in_bands(pool));
                    let band = below.map(|conv| self.gradient_band::<T>(conv, Some(pool)));
                    let before = below.map(|conv| {
                        let wanted = wanted_below(self.convolutions[conv].layer);
                        if wanted { self.convolutions[conv].rows_before() } else { 0 }
                    });
                    let in_place = self.is_in_place::<T>(layer, op);
                    let window = band.zip(before).filter(|_| !in_place);
                    let target = match window {
                        _ if in_place => input,
                        Some((band, before)) => self.memory.window::<T>(input.shape, before + band),
                        None => self.memory.images::<T>(input.shape, 1, batch),
                    };
                    let op = PoolGradientOp { pool: op, grad, target };
                    self.backward.push(ImageOp::PoolGradient(op), band);
                    if let Some((_, before)) = window {
                        self.backward.window(target, before);
                    }
                    (at, flushed) = (target, false);
                }
                ImageTrail::BatchNorm(trail) => {
                    at = trail.backward::<T>(
                        self.task,
                        (at, wanted_below(layer)),
                        (&mut self.backward, &mut self.weights),
                        (&mut self.memory, batch),
                    )?;
                    flushed = true;
                }
                ImageTrail::Convolution { conv, input } => {
                    let Layer::Conv2d(data) = &spec.layers[layer] else { continue };
                    if !flushed {
                        self.flush_through::<T>(layer, Activation::Identity, at, at, at);
                    }
                    if data.trainable || self.task != Task::Train {
                        let op = ImageOp::WeightGradient { conv, input, grad: at };
                        self.backward.push(op, None);
                        self.weights.push(WeightOp {
                            index: self.convolutions[conv].index,
                            source: WeightSource::Images,
                            keep_backward: false,
                        });
                        self.scratch_len = self.scratch_len.max(self.convolutions[conv].sums);
                    }
                    if !wanted_below(layer) {
                        return None;
                    }
                    let rows = data.out_channels / data.groups * data.taps();
                    self.convolutions[conv].transposed =
                        Some(batch.add::<T>(rows, data.in_channels));
                    let target = self.memory.images::<T>(input.shape, 1, batch);
                    let op = ImageOp::InputGradient { conv, grad: at, target };
                    self.backward.push(op, None);
                    (at, flushed) = (target, false);
                }
            }
        }
        Some(at)
    }

    /// How many layers before this one have parameters.
    fn weighted_below(&self, layer: usize) -> usize {
        self.spec.weighted().take_while(|weighted| weighted.layer < layer).count()
    }

    /// The same of those that keep statistics of their batches.
    fn tracked_below(&self, layer: usize) -> usize {
        self.spec.tracked().take_while(|tracked| tracked.layer < layer).count()
    }

    /// The pool that a convolution's stage ends with.
    fn pool_above(&self, conv: usize) -> Option<Pool> {
        let mut above = self.spec.layers[conv + 1..].iter();
        match above.find(|layer| !matches!(layer, Layer::Activation(_))) {
            Some(&Layer::Pool(pool)) if in_bands(pool) && !self.memory.keeps_all => Some(pool),
            _ => None,
        }
    }

    /// Whether the gradient at the input of pool `layer` takes the place of the activated images there,
    /// which it is the last to read: what it writes is in the caches then, and nothing else is displaced
    /// (LeNet-5 at 28 x 28 1.01x, at 227 x 227 1.02x, 24 channels 1.03x).
    fn is_in_place<T: Elementary>(&self, layer: usize, PoolOp { pool, input, .. }: PoolOp) -> bool {
        match self.trails[..layer] {
            [.., ImageTrail::Activation { activation, saved }] => {
                saved == input
                    && !self.memory.keeps_all
                    && pool.is_two_by_two()
                    && ActivatedPoolBackward::<T>::is_in_place(activation, self.isa)
            }
            _ => false,
        }
    }

    /// Which convolution's gradients follow those of a layer, if there are only activations between.
    fn conv_below(&self, layer: usize) -> Option<usize> {
        let mut below = self.trails[..layer].iter().rev();
        match below.find(|way| !matches!(way, ImageTrail::Activation { .. } | ImageTrail::Nothing))
        {
            Some(&ImageTrail::Convolution { conv, .. }) if !self.memory.keeps_all => Some(conv),
            _ => None,
        }
    }

    /// Rows of the bands in which a convolution's gradients are made.
    fn gradient_band<T: Elementary>(&self, conv: usize, pool: Option<Pool>) -> usize {
        let Convolution { sums, output, .. } = self.convolutions[conv];
        band_rows(output, size_of::<T>(), pool, sums)
    }

    /// The gradient through an activation of layer `layer` or above it.
    fn flush_through<T: Elementary>(
        &mut self,
        layer: usize,
        activation: Activation,
        saved: ImageBuffer,
        grad: ImageBuffer,
        target: ImageBuffer,
    ) {
        let conv = self.conv_below(layer + 1);
        let band = conv.map(|conv| self.gradient_band::<T>(conv, None));
        let op = ImageOp::ActivationGradient { activation, saved, grad, target };
        self.backward.push(op, band);
    }
}
