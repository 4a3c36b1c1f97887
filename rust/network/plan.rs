//! From a spec and a largest batch to ops on buffers.
//!
//! A plan is immutable and shared; the number of rows is an argument of each run. Its ops fall into
//! two phases with a barrier between: the row phase does everything that the rows of a batch do
//! independently (gather, forward pass, loss, all input gradients), the weight phase sums over the
//! rows (weight gradients) and updates.

use std::sync::Arc;

use super::image::{ImageBuilder, ImagePlan};
use super::memory::{BufferId, Buffers, State, Workspace};
use super::nodes::{Builder, Shape, Weighted};
use super::op::{Purpose, RowOp, WeightOp};
use super::rows::{RowBuilder, RowKernels};
use super::share::{Part, Parts};
use super::spec::{Reduction, Spec};
use super::tiny::{self, Tiny};
use super::traced::Traced;
use super::update::Updates;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::images::ImageShape;
use crate::kernels::loss::Loss;
use crate::kernels::reduce::BLOCK_ROWS;
use crate::kernels::weight::Block;
use crate::runtime::memory;
use crate::simd::Isa;

/// Rows that are in memory at a time; a larger batch goes through in slabs. 16 of N2's blocks of 256
/// rows: a whole slab is one node of the tree.
pub const SLAB_ROWS: usize = 4096;

/// Rows of a slab of images: one of N2's blocks. Each 16 rows leave gradients of their own for the
/// convolutions, which would be many in a larger slab.
const IMAGE_SLAB_ROWS: usize = BLOCK_ROWS;

/// Rows of the largest slab: the tree of a weight gradient has room for the sums of so many.
const MOST_SLAB_ROWS: usize = 1 << 24;

/// The ops of one kind of step of one network.
pub struct Plan<T: Elementary> {
    pub(super) isa: Isa,
    pub(super) row_kernels: RowKernels<T>,
    pub(super) loss: Option<(Loss, Reduction)>,
    /// What X is divided by.
    pub(super) scale: Option<T>,
    pub(super) updates: Updates,
    pub(super) buffers: Arc<Buffers>,
    /// Of the network: [`Spec::fingerprint`].
    fingerprint: u64,
    /// The layers before Flatten, of a network that takes images.
    pub(super) images: Option<ImagePlan>,
    pub(super) forward: Vec<RowOp>,
    pub(super) backward: Vec<RowOp>,
    /// All ops of the row phase, and how they fall into parts where threads share columns.
    pub(super) whole: Part,
    pub(super) parts: Parts,
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
    /// The names of the layers, for `Purpose::Trace`.
    pub(super) names: Vec<String>,
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
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for it; as [`Spec::check`] if the layers do not fit each other
    /// or the loss.
    pub fn new(spec: &Spec, purpose: Purpose, largest: usize, isa: Isa) -> Result<Self> {
        if purpose == Purpose::Train
            && let Some(plan) = Self::tiny(spec, largest, isa)?
        {
            return Ok(plan);
        }
        let slab_rows = if largest < SLAB_ROWS { largest } else { SLAB_ROWS };
        Self::with_slab(spec, purpose, slab_rows, isa)
    }

    /// A plan whose slabs have `slab_rows` rows: for tests that force slabs.
    ///
    /// Gradients need, by N2, slabs that hold the whole batch or are a power of two of at least 256 rows;
    /// [`Plan::gradients`] panics otherwise.
    ///
    /// # Errors
    /// As [`Self::new`].
    ///
    /// # Panics
    /// If `slab_rows` is more than 2^24.
    pub fn with_slab(spec: &Spec, purpose: Purpose, slab_rows: usize, isa: Isa) -> Result<Self> {
        Self::build(spec, None, purpose, slab_rows, isa)
    }

    /// As [`Self::new`], of a network that takes images, for images of one size.
    ///
    /// # Errors
    /// As [`Self::new`], and as [`Spec::shapes`] if the layers do not fit images of this size.
    pub fn of_images(
        spec: &Spec,
        image: ImageShape,
        purpose: Purpose,
        largest: usize,
        isa: Isa,
    ) -> Result<Self> {
        let slab_rows = if largest < IMAGE_SLAB_ROWS { largest } else { IMAGE_SLAB_ROWS };
        Self::of_images_with_slab(spec, image, purpose, slab_rows, isa)
    }

    /// As [`Self::of_images`], with slabs as those of [`Self::with_slab`].
    ///
    /// # Errors
    /// As [`Self::of_images`].
    ///
    /// # Panics
    /// As [`Self::with_slab`].
    pub fn of_images_with_slab(
        spec: &Spec,
        image: ImageShape,
        purpose: Purpose,
        slab_rows: usize,
        isa: Isa,
    ) -> Result<Self> {
        Self::build(spec, Some(image), purpose, slab_rows, isa)
    }

    fn build(
        spec: &Spec,
        image: Option<ImageShape>,
        purpose: Purpose,
        slab_rows: usize,
        isa: Isa,
    ) -> Result<Self> {
        assert!(slab_rows <= MOST_SLAB_ROWS, "a slab of {slab_rows} rows");
        memory::room(spec.layers.len())?;
        spec.check()?;
        let shapes = spec.shapes(image)?;
        let mut builder = RowBuilder::new::<T>(spec, purpose, slab_rows, tiny::fits(spec))?;
        let images = image.map(|image| {
            let batch = &mut builder.rows.buffers;
            ImageBuilder::new::<T>(spec, image, &shapes, (purpose, isa), slab_rows, batch)
        });
        let mut images = images.transpose()?;
        let input = match &mut images {
            Some(images) => {
                let flat = images.flatten::<T>(slab_rows, &mut builder.rows.buffers);
                builder.first = images.layers();
                builder.on_images = images.joins();
                builder.layer_outputs.append(&mut images.outputs);
                flat
            }
            None => builder.rows.buffer(spec.in_features()),
        };
        let output = builder.forward(input);
        let targets = builder.rows.buffer(spec.out_features());
        let output_grad = builder.rows.buffer(spec.out_features());
        let mut input_grad =
            if purpose == Purpose::Forward { None } else { builder.backward(output_grad) };
        builder.layer_grads.reverse();
        let images = images.map(|images| {
            let mut buffers = std::mem::take(&mut builder.rows.buffers);
            // Flatten's own gradient is at its features.
            let flat_grad = input_grad;
            let below = |layer| builder.wanted_below(layer);
            let (plan, mut grads, weights) =
                images.finish::<T>((input, flat_grad), &mut buffers, below);
            grads.extend(flat_grad.map(Traced::Rows));
            grads.append(&mut builder.layer_grads);
            builder.layer_grads = grads;
            builder.rows.weights.extend(weights);
            let features = image.map_or(0, ImageShape::features);
            input_grad = plan.input_grad.map(|_| buffers.add::<T>(slab_rows, features));
            builder.rows.buffers = buffers;
            plan
        });
        let blocks = builder.blocks::<T>()?;
        let (layer_outputs, layer_grads) = (builder.layer_outputs, builder.layer_grads);
        let Builder { buffers, forward, backward, weights, copies, .. } = builder.rows;
        let whole = Part::whole(images.is_none(), forward.len(), backward.len());
        let parts = Parts::new((&forward, &backward), &buffers, false);
        let loss = spec.loss.as_ref();
        let loss = loss.map(|(loss, reduction)| Ok((loss.duplicate()?, *reduction)));
        Ok(Self {
            isa,
            row_kernels: RowKernels::new(isa),
            loss: loss.transpose()?,
            scale: spec.input.scale.map(T::from_f64),
            updates: Updates::new(spec, isa)?,
            buffers: Arc::new(buffers),
            fingerprint: spec.fingerprint(),
            images,
            forward,
            backward,
            whole,
            parts,
            weights,
            blocks,
            copies,
            input,
            output,
            targets,
            output_grad,
            input_grad,
            names: if purpose == Purpose::Trace { spec.names() } else { Vec::new() },
            layer_outputs,
            layer_grads,
            slab_rows,
            fused: true,
            tiny: None,
            flops_per_row: 6.0 * multiply_adds(spec, &shapes),
        })
    }

    /// The plan of a network that fits into L1, if this one does. Its slab serves a loss of the caller's,
    /// and is the smallest that N2 allows.
    fn tiny(spec: &Spec, largest: usize, isa: Isa) -> Result<Option<Self>> {
        if !tiny::fits(spec) {
            return Ok(None);
        }
        let slab_rows = if largest < BLOCK_ROWS { largest } else { BLOCK_ROWS };
        let mut plan = Self::with_slab(spec, Purpose::Train, slab_rows, isa)?;
        plan.tiny = Tiny::new::<T>(spec, Arc::make_mut(&mut plan.buffers));
        Ok(Some(plan))
    }

    /// The same plan, in which a training step makes all gradients before it updates: for tests.
    #[must_use]
    pub fn unfused(self) -> Self {
        Self { fused: false, ..self }
    }

    /// The same plan, in which threads share all layers by columns, however small: for tests.
    #[must_use]
    pub fn by_columns(self) -> Self {
        let parts = Parts::new((&self.forward, &self.backward), &self.buffers, true);
        Self { parts, ..self }
    }

    /// The memory of one running step on up to `batch_rows` rows.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn workspace(&self, batch_rows: usize) -> Result<Workspace<T>> {
        Workspace::new(&self.buffers, batch_rows)
    }

    /// About how many bytes it takes: nearly all are tiles and ops.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&self.blocks[..])
            + size_of_val(&self.weights[..])
            + size_of_val(&self.forward[..])
            + size_of_val(&self.backward[..])
            + self.buffers.bytes()
    }

    /// Refuses a state of another network and a workspace of another plan: kernels rely on sizes.
    ///
    /// # Panics
    /// If there is one.
    #[inline]
    pub(super) fn check(&self, state: &State<T>, workspace: &Workspace<T>) {
        assert!(state.is_of(self.fingerprint), "the state is another network's");
        assert!(workspace.is_of(&self.buffers), "the workspace is another plan's");
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

/// Multiply-adds of one sample's forward pass.
fn multiply_adds(spec: &Spec, shapes: &[Shape]) -> f64 {
    let of = |layer: Weighted| {
        let places = match shapes[layer.layer] {
            Shape::Row(_) => 1,
            Shape::Image(shape) => shape.height * shape.width,
        };
        (layer.inputs * layer.outputs * places) as f64
    };
    spec.weighted().map(of).sum()
}
