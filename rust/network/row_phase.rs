//! The row phase of a step: gather, forward pass, loss, input gradients.

use std::ops::Range;

use super::batch::{Batch, Head, Reach, StepLoss};
use super::image::{ImageContext, ImageProgram};
use super::loss::LossHead;
use super::memory::{BufferId, Buffers, State, Workspace};
use super::rows::{RowContext, RowKernels, RowProgram};
use super::segments::{ALL, Segment, Segments};
use super::share::{Tiles, team};
use super::spec::Spec;
use super::tuning::{KEPT_IMAGES, TILE_ROWS};
use crate::error::{Error, Result};
use crate::kernels::activation::{Activation, ActivationBackward};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{Gather, RowOrder, Source};
use crate::kernels::loss::{Divisor, Divisors};
use crate::runtime::{Arena, Team, watch};
use crate::simd::{Isa, LANES};

/// One pass of the row phase over a slab.
pub(super) struct Pass<'a, T: Elementary> {
    pub state: &'a State<T>,
    pub workspace: &'a Workspace<T>,
    pub batch: &'a Batch<'a, T>,
    pub head: Head<'a, T>,
    pub reach: Reach,
    pub training: bool,
    pub divisor: Divisor,
}

/// What a tile of images does.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// Everything, the rows that they become included.
    All,
    /// Some stages of the way to the rows; what they leave then meets that of other tiles.
    Forward((usize, usize)),
    /// The same of the way back.
    Backward((usize, usize)),
}

/// What the row phase of a plan does.
pub(super) struct RowPhase<T: Elementary> {
    isa: Isa,
    kernels: RowKernels<T>,
    /// What X is divided by, unless it is standardized, which does that too.
    scale: Option<T>,
    /// The layers before Flatten, of a network that takes images.
    images: Option<ImageProgram>,
    program: RowProgram,
    segments: Segments,
    loss: LossHead,
    /// The layers that keep statistics of their batches, and how many values a sample has in each of their
    /// channels.
    tracked: Vec<(String, usize)>,
    /// Columns of all matrices between ops.
    cols: usize,
    /// An estimate of a training step's floating-point operations, for each row.
    flops_per_row: f64,
}

impl<T: Elementary> RowPhase<T> {
    pub(super) fn new(
        spec: &Spec,
        isa: Isa,
        program: RowProgram,
        images: Option<ImageProgram>,
        buffers: &Buffers,
        (tracked, flops_per_row): (Vec<(String, usize)>, f64),
    ) -> Result<Self> {
        Ok(Self {
            isa,
            kernels: RowKernels::new(isa),
            scale: spec.input.scale.filter(|_| !spec.input.standardize.0).map(T::from_f64),
            segments: program.segments(images.is_none(), buffers, false),
            images,
            program,
            loss: LossHead::new(spec)?,
            tracked,
            cols: buffers.all_cols(),
            flops_per_row,
        })
    }

    /// The same, in which threads share all layers by columns, however small.
    pub(super) fn by_columns(self, buffers: &Buffers) -> Self {
        let segments = self.program.segments(self.images.is_none(), buffers, true);
        Self { segments, ..self }
    }

    /// Bytes of its lists.
    pub(super) fn bytes(&self) -> usize {
        self.program.bytes()
    }

    /// What X is divided by.
    pub(super) fn scale(&self) -> Option<T> {
        self.scale
    }

    pub(super) fn loss(&self) -> &LossHead {
        &self.loss
    }

    /// The loss of a batch whose rows' losses are known, if that is the head.
    pub(super) fn total(
        &self,
        workspace: &Workspace<T>,
        rows: usize,
        head: Head<'_, T>,
        divisors: &Divisors,
    ) -> StepLoss {
        match head {
            Head::Loss => self.loss.total(workspace, rows, divisors),
            Head::Nothing | Head::Gradient(_) | Head::Kept(_) => StepLoss::NONE,
        }
    }

    /// Whether the network takes images.
    pub(super) fn takes_images(&self) -> bool {
        self.images.is_some()
    }

    /// Where the outputs of a slab are.
    pub(super) fn output(&self) -> BufferId {
        self.program.output
    }

    /// Where the gradient with respect to a slab's rows of X is, if it is computed.
    pub(super) fn input_grad(&self) -> Option<BufferId> {
        self.program.input_grad
    }

    /// An estimate of a training step's floating-point operations.
    pub(super) fn step_flops(&self, rows: usize) -> f64 {
        self.flops_per_row * rows as f64
    }

    /// The threads of a pass.
    pub(super) fn team(&self, threads: usize, reach: Reach, rows: usize) -> Team {
        let passes = if reach == Reach::Gradients { 2.0 } else { 1.0 };
        let multiply_adds = passes * self.step_flops(rows) / 6.0;
        let images = self.images.as_ref().map_or(0, ImageProgram::features);
        let elements = (rows * (self.cols + images)) as f64;
        team::<T>(threads, multiply_adds, elements)
    }

    /// Refuses a batch in training of so few rows that a channel has one value, of which there is no variance.
    ///
    /// # Errors
    /// `Error::Value` names the layer.
    pub(super) fn check_values(&self, rows: usize) -> Result<()> {
        match self.tracked.iter().find(|(_, pixels)| rows.saturating_mul(*pixels) < 2) {
            None => Ok(()),
            Some((name, _)) => Err(Error::Value(format!(
                "layer {name}: a batch of {rows} row gives each channel one value, training needs at \
                 least 2: take another batch_size, or leave the row out"
            ))),
        }
    }

    /// Makes sure of memory for the images of a slab's `rows` rows, and for the statistics of these.
    pub(super) fn reserve(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        (reach, training): (Reach, bool),
        rows: usize,
    ) -> Result<()> {
        workspace.reserve_statistics(
            &state.layout,
            self.tracked.iter().map(|(_, pixels)| pixels * rows),
        )?;
        let Some(images) = &self.images else { return Ok(()) };
        let team = self.team(threads, reach, rows);
        let tiles = if self.keeps_images(reach, training) {
            self.image_tiles(images, team, rows).count()
        } else {
            team.threads()
        };
        let blocks = rows.div_ceil(LANES);
        if images.meets() && (training || reach.is_backward()) {
            workspace.reserve_block_sums(&state.layout, blocks)?;
        }
        let blocks = if reach.is_backward() { blocks } else { 0 };
        workspace.reserve_images(images.tile(), tiles, &state.layout, blocks)
    }

    /// Whether a slab's activations may stay in memory from a pass to the outputs to one back: images, whose
    /// tiles else share the memory of a few, up to a limit.
    pub(super) fn can_keep(&self, threads: usize, rows: usize) -> bool {
        let Some(images) = &self.images else { return true };
        let tiles = self.image_tiles(images, self.team(threads, Reach::Kept, rows), rows);
        images.tile().elements().saturating_mul(tiles.count() * size_of::<T>()) <= KEPT_IMAGES
    }

    /// Whether samples meet in training: on images, or in the rows behind them.
    fn meets(&self, images: &ImageProgram) -> bool {
        images.meets() || !self.segments.by_rows().is_empty()
    }

    /// Whether each tile of images has memory of its own, in which they stay until the next part.
    fn keeps_images(&self, reach: Reach, training: bool) -> bool {
        let meets = self.images.as_ref().is_some_and(|images| self.meets(images));
        reach.is_half() || training && meets
    }

    fn image_tiles(&self, images: &ImageProgram, team: Team, rows: usize) -> Tiles {
        Tiles::of_images(team, rows, images.tile_blocks())
    }

    /// Makes the copies of weights that the way back reads and the state does not keep.
    pub(super) fn copy_weights(&self, state: &State<T>, workspace: &Workspace<T>) {
        if let Some(images) = &self.images {
            images.transpose_weights(self.isa, state, workspace);
        }
        self.program.copy_weights(self.isa, state, workspace);
    }

    /// All tiles of a slab; memory for images is reserved. They write to the workspace alone, so some may
    /// be left out when the call is to end early.
    pub(super) fn run(
        &self,
        threads: usize,
        pass: &Pass<'_, T>,
        slab: usize,
        rows: usize,
    ) -> Result<()> {
        if slab > 0 {
            watch::check()?;
        }
        let in_slabs = pass.batch.rows > rows && !self.tracked.is_empty();
        assert!(!(pass.training && in_slabs), "statistics of a batch that has several slabs");
        let team = self.team(threads, pass.reach, rows);
        let Some(images) = &self.images else {
            let tiles = Tiles::of_rows(team, rows);
            let choice = (tiles, pass.training);
            let segments = self.segments.for_team(team, rows * self.cols, choice);
            return self.run_segments(team, segments, pass, slab, (rows, tiles));
        };
        let tiles = self.image_tiles(images, team, rows);
        let own = self.keeps_images(pass.reach, pass.training);
        let run = |part: Part| {
            watch::run(team, tiles.count(), &|tile| {
                let memory = pass.workspace.take_tile(own.then_some(tile));
                let rows = (tiles.range(tile), rows);
                self.image_tile(images, pass, slab, rows, part, memory.memory());
            })
        };
        if !pass.training || !self.meets(images) {
            return run(Part::All);
        }
        let Pass { state, workspace, reach, .. } = *pass;
        let parts = |backward: bool, part: fn((usize, usize)) -> Part| {
            for (stages, meeting) in images.parts(backward) {
                run(part(stages))?;
                if let Some(meeting) = meeting {
                    images.meet(meeting, state, workspace, rows);
                }
            }
            Ok(())
        };
        if reach.is_forward() {
            parts(false, Part::Forward)?;
        }
        let segments = match self.segments.by_rows() {
            [] => std::slice::from_ref(self.segments.whole()),
            segments => segments,
        };
        // Whole blocks of 16: rows of images may be in the lanes.
        let by_rows = Tiles::of_images(team, rows, TILE_ROWS / LANES);
        self.run_segments(team, segments, pass, slab, (rows, by_rows))?;
        if reach.is_backward() { parts(true, Part::Backward) } else { Ok(()) }
    }

    /// The tiles of these segments; `tiles` are those of one by rows.
    fn run_segments(
        &self,
        team: Team,
        segments: &[Segment],
        pass: &Pass<'_, T>,
        slab: usize,
        (rows, tiles): (usize, Tiles),
    ) -> Result<()> {
        for segment in segments.iter().filter(|segment| segment.is_reached(pass.reach)) {
            let grid = self.segments.grid(team, segment, rows, tiles);
            watch::run(team, grid.count(), &|tile| {
                let (rows, columns) = grid.tile(tile);
                self.row_tile(pass, segment, slab, rows, columns);
            })?;
        }
        Ok(())
    }

    /// As `row_tile`, of a network that takes images; the slab has `rows` rows.
    fn image_tile(
        &self,
        images: &ImageProgram,
        pass: &Pass<'_, T>,
        slab: usize,
        ((start, end), rows): ((usize, usize), usize),
        part: Part,
        memory: &Arena<T>,
    ) {
        let Pass { state, workspace, batch, reach, training, .. } = *pass;
        let first = start / LANES;
        let blocks = first..end.div_ceil(LANES);
        let context = |block: usize| ImageContext {
            program: images,
            isa: self.isa,
            kernels: &self.kernels,
            state,
            workspace,
            memory,
            block,
            position: block - first,
            end: rows,
            slab,
            training,
        };
        let all = (0, usize::MAX);
        let (forward, backward) = match part {
            Part::All => (Some(all), Some(all)),
            Part::Forward(stages) => (Some(stages), None),
            Part::Backward(stages) => (None, Some(stages)),
        };
        if let Some(stages) = forward.filter(|_| reach.is_forward()) {
            for block in blocks.clone() {
                context(block).forward(batch, self.scale, stages);
            }
        }
        if part == Part::All {
            self.row_tile(pass, self.segments.whole(), slab, (start, end), ALL);
        }
        if let Some(stages) = backward.filter(|_| reach.is_backward()) {
            for block in blocks {
                context(block).backward(stages);
            }
        }
    }

    /// A segment of the row phase: panels `columns` of rows `start..end` of the slab that begins at row
    /// `slab` of the batch.
    fn row_tile(
        &self,
        pass: &Pass<'_, T>,
        segment: &Segment,
        slab: usize,
        (start, end): (usize, usize),
        columns: Range<usize>,
    ) {
        let Pass { state, workspace, reach, training, .. } = *pass;
        let kernels = &self.kernels;
        let context = RowContext { kernels, state, workspace, start, end, columns, slab, training };
        if reach.is_forward() {
            if segment.gather {
                let rows = context.rows(self.program.input);
                assert!(pass.batch.source.cols() == rows.cols());
                pass.batch.gather(self.isa, self.scale, (slab + start, 0), rows);
            }
            for op in &self.program.forward[segment.forward.clone()] {
                context.run(op);
            }
        }
        if segment.loss && (reach == Reach::Loss || reach.is_backward()) {
            self.head(pass, &context);
        }
        if reach.is_backward() {
            for op in &self.program.backward[segment.backward.clone()] {
                context.run(op);
            }
        }
    }

    /// The loss of some rows, and what else begins the way back.
    fn head(&self, pass: &Pass<'_, T>, context: &RowContext<'_, T>) {
        let Pass { workspace, batch, .. } = *pass;
        let RowContext { start, end, slab, .. } = *context;
        let first = slab + start;
        match pass.head {
            Head::Nothing => {}
            Head::Loss => {
                let gradients = pass.reach == Reach::Gradients;
                let RowProgram { output, targets, output_grad, .. } = self.program;
                let matrices = (
                    context.rows(output),
                    context.rows(targets),
                    gradients.then(|| context.rows(output_grad)),
                );
                let rows = (first, slab + end);
                let losses = self.loss.of_rows(workspace, batch, rows, matrices, pass.divisor);
                let Some((losses, values)) = losses else { return };
                if let Some(values) = values {
                    self.isa.run(values);
                }
                self.isa.run(losses);
            }
            Head::Gradient(values) | Head::Kept(values) => {
                let source = Source::of_slice(values, self.loss.outputs());
                let target = context.rows(self.program.output_grad);
                self.isa.run(Gather { source, rows: RowOrder::From(first), target });
                self.isa.run(ActivationBackward {
                    activation: Activation::Identity,
                    saved: target,
                    grad: target,
                });
            }
        }
    }
}
