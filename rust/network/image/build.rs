//! From the layers before Flatten to ops on images: the forward pass.

use super::memory::ImageMemory;
use super::norm::NormTrail;
use super::op::{Home, ImageBuffer, ImageMask, ImageOp, PoolOp};
use super::program::Convolution;
use super::stages::{Stages, band_rows, in_bands};
use super::trail::ImageTrail;
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::elementary::Elementary;
use crate::kernels::images::ImageShape;
use crate::kernels::pooling::{Pool, PoolKind};
use crate::kernels::reduce::BLOCK_ROWS;
use crate::network::memory::{BufferId, Buffers};
use crate::network::nodes::{Dropout, Layer, Shape};
use crate::network::op::{Task, Traced, WeightOp};
use crate::network::spec::Spec;
use crate::network::tuning::{CACHED_WEIGHTS, GATHERED, TILE_BLOCKS};
use crate::simd::{Isa, LANES};

/// Makes an [`ImageProgram`](super::ImageProgram): the forward pass, then, when the rows' way back is
/// known, the way back.
pub(in crate::network) struct ImageBuilder<'a> {
    pub(super) spec: &'a Spec,
    pub(super) task: Task,
    pub(super) isa: Isa,
    pub(super) slab_rows: usize,
    pub(super) tile_blocks: usize,
    /// The last pool, whose images a Linear layer takes as they are.
    pub(super) last_pool: Option<usize>,
    pub(super) memory: ImageMemory,
    pub(super) gathered: BufferId,
    pub(super) input: ImageBuffer,
    pub(super) output: ImageBuffer,
    pub(super) forward: Stages,
    pub(super) backward: Stages,
    pub(super) convolutions: Vec<Convolution>,
    pub(super) trails: Vec<ImageTrail>,
    pub(super) scratch_len: usize,
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
                Layer::Prelu(ref prelu) => {
                    let output = self.memory.place::<T>(at, needed || training, blocks, batch);
                    let (index, z) = (self.weighted_below(layer), at);
                    let op = ImageOp::Prelu { layer: index, z, x: z, output, flush: false };
                    self.forward.push(op, None);
                    (at, needed) = (output, false);
                    ImageTrail::Prelu { index, trainable: prelu.trainable, z }
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

    /// How many layers before this one have parameters.
    pub(super) fn weighted_below(&self, layer: usize) -> usize {
        self.spec.weighted().take_while(|weighted| weighted.layer < layer).count()
    }

    /// The same of those that keep statistics of their batches.
    pub(super) fn tracked_below(&self, layer: usize) -> usize {
        self.spec.tracked().take_while(|tracked| tracked.layer < layer).count()
    }

    /// The pool that a convolution's stage ends with.
    fn pool_above(&self, conv: usize) -> Option<Pool> {
        let mut above = self.spec.layers[conv + 1..].iter();
        match above.find(|layer| !matches!(layer, Layer::Activation(_) | Layer::Prelu(_))) {
            Some(&Layer::Pool(pool)) if in_bands(pool) && !self.memory.keeps_all => Some(pool),
            _ => None,
        }
    }
}
