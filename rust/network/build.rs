//! From a spec and a largest batch to a plan.

use std::sync::Arc;

use super::image::ImageBuilder;
use super::nodes::{Builder, Shape, Tracked, Weighted};
use super::op::{Task, Traced};
use super::plan::Plan;
use super::row_phase::RowPhase;
use super::rows::{RowBuilder, RowProgram};
use super::spec::Spec;
use super::tiny::{self, Tiny};
use super::trace::Traces;
use super::tuning::{IMAGE_SLAB_ROWS, SLAB_ROWS};
use super::update::Updates;
use super::weight_phase::WeightPhase;
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::images::ImageShape;
use crate::kernels::reduce::BLOCK_ROWS;
use crate::runtime::memory;
use crate::simd::Isa;

/// Rows of the largest slab: the tree of a weight gradient has room for the sums of so many.
const MOST_SLAB_ROWS: usize = 1 << 24;

impl<T: Elementary> Plan<T> {
    /// A plan for batches of any size, the fastest; `largest` rows or fewer fit into its slab. Where a layer
    /// takes statistics of a batch that trains, `largest` is the largest of those.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for it; as [`Spec::check`] if the layers do not fit each other
    /// or the loss.
    pub fn new(spec: &Spec, task: Task, largest: usize, isa: Isa) -> Result<Self> {
        if task == Task::Train
            && let Some(plan) = Self::tiny(spec, largest, isa)?
        {
            return Ok(plan);
        }
        Self::with_slab(spec, task, slab_of(spec, largest, SLAB_ROWS), isa)
    }

    /// A plan whose slabs have `slab_rows` rows: for tests that force slabs.
    ///
    /// Gradients need, by N2, slabs that hold the whole batch or are a power of two of at least 256 rows, and
    /// the whole batch where a layer takes statistics of it in training; [`Plan::gradients`] panics otherwise.
    ///
    /// # Errors
    /// As [`Self::new`].
    ///
    /// # Panics
    /// If `slab_rows` is more than 2^24; with statistics of batches that is an `Error::Value`.
    pub fn with_slab(spec: &Spec, task: Task, slab_rows: usize, isa: Isa) -> Result<Self> {
        Self::build(spec, None, task, slab_rows, isa)
    }

    /// As [`Self::new`], of a network that takes images, for images of one size.
    ///
    /// # Errors
    /// As [`Self::new`], and as [`Spec::shapes`] if the layers do not fit images of this size.
    pub fn of_images(
        spec: &Spec,
        image: ImageShape,
        task: Task,
        largest: usize,
        isa: Isa,
    ) -> Result<Self> {
        let slab_rows = slab_of(spec, largest, IMAGE_SLAB_ROWS);
        Self::of_images_with_slab(spec, image, task, slab_rows, isa)
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
        task: Task,
        slab_rows: usize,
        isa: Isa,
    ) -> Result<Self> {
        Self::build(spec, Some(image), task, slab_rows, isa)
    }

    fn build(
        spec: &Spec,
        image: Option<ImageShape>,
        task: Task,
        slab_rows: usize,
        isa: Isa,
    ) -> Result<Self> {
        if slab_rows > MOST_SLAB_ROWS && spec.tracked().next().is_some() {
            return Err(Error::Value(format!(
                "a batch of {slab_rows} rows, the statistics of one take at most {MOST_SLAB_ROWS}"
            )));
        }
        assert!(slab_rows <= MOST_SLAB_ROWS, "a slab of {slab_rows} rows");
        memory::room(spec.layers.len())?;
        spec.check()?;
        let shapes = spec.shapes(image)?;
        let mut builder = RowBuilder::new::<T>(spec, task, slab_rows, tiny::fits(spec))?;
        let images = image.map(|image| {
            let batch = &mut builder.rows.buffers;
            ImageBuilder::new::<T>(spec, image, &shapes, (task, isa), slab_rows, batch)
        });
        let mut images = images.transpose()?;
        let input = match &mut images {
            Some(images) => {
                let flat = images.flatten::<T>(&mut builder.rows.buffers);
                builder.first = images.layers();
                builder.on_images = images.joins();
                builder.layer_outputs.append(&mut images.outputs);
                flat
            }
            None => builder.rows.buffer(spec.in_features()),
        };
        let output = builder.forward(input);
        let targets = builder.rows.buffer(spec.targets());
        let output_grad = builder.rows.buffer(spec.out_features());
        let mut input_grad =
            if task == Task::Forward { None } else { builder.backward(output_grad) };
        builder.layer_grads.reverse();
        let images = images.map(|images| {
            let mut buffers = std::mem::take(&mut builder.rows.buffers);
            // Flatten's own gradient is at its features.
            let flat_grad = input_grad;
            let below = |layer| builder.wanted_below(layer);
            let (program, mut grads, weights) =
                images.finish::<T>((input, flat_grad), &mut buffers, below);
            grads.extend(flat_grad.map(Traced::Rows));
            grads.append(&mut builder.layer_grads);
            builder.layer_grads = grads;
            builder.rows.weights.extend(weights);
            input_grad = program.input_grad();
            builder.rows.buffers = buffers;
            program
        });
        let blocks = builder.blocks::<T>()?;
        let (outputs, grads) = (builder.layer_outputs, builder.layer_grads);
        let Builder { buffers, forward, backward, weights, copies, .. } = builder.rows;
        let names = if task == Task::Trace { spec.names() } else { Vec::new() };
        let program = RowProgram {
            forward,
            backward,
            copies,
            input,
            output,
            targets,
            output_grad,
            input_grad,
        };
        let flops_per_row = 6.0 * multiply_adds(spec, &shapes);
        let mut tracked = Vec::new();
        tracked.extend(
            spec.tracked()
                .map(|Tracked { layer, .. }| (spec.names()[layer].clone(), places(shapes[layer]))),
        );
        Ok(Self {
            isa,
            fingerprint: spec.fingerprint(),
            slab_rows,
            row_phase: RowPhase::new(
                spec,
                isa,
                program,
                images,
                &buffers,
                (tracked, flops_per_row),
            )?,
            weight_phase: WeightPhase::new(isa, weights, blocks),
            buffers: Arc::new(buffers),
            fused: true,
            updates: Updates::new(spec, isa)?,
            tiny: None,
            traces: Traces { names, outputs, grads },
        })
    }

    /// The plan of a network that fits into L1, if this one does. Its slab serves a loss of the caller's,
    /// and is the smallest that N2 allows.
    fn tiny(spec: &Spec, largest: usize, isa: Isa) -> Result<Option<Self>> {
        if !tiny::fits(spec) {
            return Ok(None);
        }
        let slab_rows = if largest < BLOCK_ROWS { largest } else { BLOCK_ROWS };
        let mut plan = Self::with_slab(spec, Task::Train, slab_rows, isa)?;
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
        Self { row_phase: self.row_phase.by_columns(&self.buffers), ..self }
    }
}

/// Rows of a slab for batches of up to `largest` rows, of which `most` are in memory at a time unless a layer
/// needs all.
fn slab_of(spec: &Spec, largest: usize, most: usize) -> usize {
    if largest < most || spec.tracked().next().is_some() { largest } else { most }
}

/// Multiply-adds of one sample's forward pass.
fn multiply_adds(spec: &Spec, shapes: &[Shape]) -> f64 {
    let of = |layer: Weighted| (layer.inputs * layer.outputs * places(shapes[layer.layer])) as f64;
    spec.weighted().map(of).sum()
}

/// Pixels of an image, or 1 of a row.
fn places(shape: Shape) -> usize {
    match shape {
        Shape::Row(_) => 1,
        Shape::Image(shape) => shape.height * shape.width,
    }
}
