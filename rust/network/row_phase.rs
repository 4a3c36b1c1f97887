//! The row phase of a step: gather, forward pass, loss, input gradients.

use std::ops::Range;

use super::batch::{Batch, Head, Reach, StepLoss};
use super::cost::{LABEL_ROWS, label_team};
use super::image::{ImageContext, ImagePlan};
use super::memory::{State, Workspace};
use super::plan::Plan;
use super::rows::RowContext;
use super::share::{ALL, Grid, Part};
use super::spec::Reduction;
use crate::error::Result;
use crate::kernels::activation::{Activation, ActivationBackward};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{Divide, Gather, Rows, Source};
use crate::kernels::loss::{Divisor, Divisors, LossRows, Targets};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::sum_rows;
use crate::runtime::watch;
use crate::simd::LANES;

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

impl<T: Elementary> Plan<T> {
    /// Gathers classes and weights of a batch, and gives the divisors of its loss.
    pub(super) fn prepare(
        &self,
        threads: usize,
        workspace: &Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<Divisors> {
        let rows = batch.rows;
        assert!(rows <= workspace.batch_rows());
        let outputs = self.outputs();
        watch::run(label_team(threads, rows), rows.div_ceil(LABEL_ROWS), &|tile| {
            let (start, end) = (tile * LABEL_ROWS, rows.min((tile + 1) * LABEL_ROWS));
            batch.gather_labels(start..end, outputs, workspace.classes(), workspace.weights());
        })?;
        Ok(self.divisors(workspace, batch))
    }

    /// The divisors of a batch's loss; its classes and weights are gathered.
    pub(super) fn divisors(&self, workspace: &Workspace<T>, batch: &Batch<'_, T>) -> Divisors {
        let Some((loss, _)) = &self.loss else { return Divisors::NONE };
        let outputs = self.buffers.cols(self.output);
        let classes = batch.classes_of(workspace);
        Divisors::new(loss, classes, batch.weights_of(workspace), batch.rows, outputs)
    }

    /// What the loss and its gradient are divided by.
    pub(super) fn reduction(&self, divisors: &Divisors) -> Divisor {
        match self.loss {
            Some((_, Reduction::Mean)) => divisors.mean,
            _ => divisors.sum,
        }
    }

    /// The loss of a batch from those of its rows.
    pub(super) fn total(
        &self,
        workspace: &Workspace<T>,
        rows: usize,
        divisors: &Divisors,
    ) -> StepLoss {
        let sum = sum_rows(workspace.row_loss().slice(0, rows));
        StepLoss {
            mean: divisors.mean.of(sum),
            weight: divisors.weight,
            reduced: self.reduction(divisors).of(sum),
        }
    }

    /// Makes sure of memory for the images of a slab's `rows` rows.
    pub(super) fn reserve(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        reach: Reach,
        rows: usize,
    ) -> Result<()> {
        let Some(images) = &self.images else { return Ok(()) };
        let tiles = self.row_team(threads, reach, rows).threads();
        let blocks = if reach == Reach::Gradients { rows.div_ceil(LANES) } else { 0 };
        workspace.reserve_images(&images.tile, tiles, &state.layout, blocks)
    }

    /// All tiles of a slab; memory for images is reserved. They write to the workspace alone, so some may
    /// be left out when the call is to end early.
    pub(super) fn row_phase(
        &self,
        threads: usize,
        pass: &Pass<'_, T>,
        slab: usize,
        rows: usize,
    ) -> Result<()> {
        if slab > 0 {
            watch::check()?;
        }
        let team = self.row_team(threads, pass.reach, rows);
        let tiles = self.row_tiles(team, rows);
        if let Some(images) = &self.images {
            return watch::run(team, tiles.count, &|tile| {
                self.image_tile(images, pass, slab, tiles.range(tile), rows);
            });
        }
        let elements = rows * self.buffers.all_cols();
        let parts = match self.parts.for_team(team, elements) {
            Some(parts) => parts,
            None => std::slice::from_ref(&self.whole),
        };
        for part in parts.iter().filter(|part| part.is_reached(pass.reach)) {
            let grid = match part.panels {
                0 => Grid::by_rows(tiles),
                panels => self.parts.grid(team, panels, rows),
            };
            watch::run(team, grid.count(), &|tile| {
                let (rows, columns) = grid.tile(tile);
                self.row_tile(pass, part, slab, rows, columns);
            })?;
        }
        Ok(())
    }

    /// As `row_tile`, of a network that takes images; the slab has `rows` rows.
    fn image_tile(
        &self,
        images: &ImagePlan,
        pass: &Pass<'_, T>,
        slab: usize,
        (start, end): (usize, usize),
        rows: usize,
    ) {
        let Pass { state, workspace, batch, training, .. } = *pass;
        let tile = workspace.take_tile();
        let first = start / LANES;
        let blocks = first..end.div_ceil(LANES);
        let context = |block: usize| ImageContext {
            plan: images,
            isa: self.isa,
            kernels: &self.row_kernels,
            state,
            workspace,
            memory: tile.memory(),
            block,
            position: block - first,
            end: rows,
            slab,
            training,
        };
        for block in blocks.clone() {
            context(block).forward(self, batch);
        }
        self.row_tile(pass, &self.whole, slab, (start, end), ALL);
        if pass.reach == Reach::Gradients {
            for block in blocks {
                context(block).backward(self);
            }
        }
    }

    /// A part of the row phase: panels `columns` of rows `start..end` of the slab that begins at row
    /// `slab` of the batch.
    fn row_tile(
        &self,
        pass: &Pass<'_, T>,
        part: &Part,
        slab: usize,
        (start, end): (usize, usize),
        columns: Range<usize>,
    ) {
        let Pass { state, workspace, training, .. } = *pass;
        let kernels = &self.row_kernels;
        let context = RowContext { kernels, state, workspace, start, end, columns, slab, training };
        if part.gather {
            let rows = context.rows(self.input);
            assert!(pass.batch.source.cols() == rows.cols());
            self.gather(pass.batch, (slab + start, 0), rows);
        }
        for op in &self.forward[part.forward.clone()] {
            context.run(op);
        }
        if part.loss && pass.reach != Reach::Outputs {
            self.head(pass, &context);
        }
        if pass.reach == Reach::Gradients {
            for op in &self.backward[part.backward.clone()] {
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
                self.loss_rows(
                    workspace,
                    batch,
                    (first, slab + end),
                    context.rows(self.output),
                    context.rows(self.targets),
                    gradients.then(|| context.rows(self.output_grad)),
                    pass.divisor,
                );
            }
            Head::Gradient(values) => {
                let source = Source::of_slice(values, self.buffers.cols(self.output));
                let target = context.rows(self.output_grad);
                self.isa.run(Gather { source, rows: Rows::From(first), target });
                self.isa.run(ActivationBackward {
                    activation: Activation::Identity,
                    saved: target,
                    grad: target,
                });
            }
        }
    }

    /// Rows of X from row `first` of the batch on, and columns from `col` on, as many as the target has.
    pub(super) fn gather(
        &self,
        batch: &Batch<'_, T>,
        (first, col): (usize, usize),
        target: Panels<T>,
    ) {
        let source = batch.source.columns(col, col + target.cols());
        let rows = batch.order.range(first, first + target.rows());
        self.isa.run(Gather { source, rows, target });
        if let Some(divisor) = self.scale {
            self.isa.run(Divide { target, divisor });
        }
    }

    /// Losses of rows `first..last` of the batch, and their gradient if there is room for it.
    #[allow(clippy::too_many_arguments, reason = "five matrices and where they are from")]
    fn loss_rows(
        &self,
        workspace: &Workspace<T>,
        batch: &Batch<'_, T>,
        (first, last): (usize, usize),
        outputs: Panels<T>,
        targets: Panels<T>,
        grad: Option<Panels<T>>,
        divisor: Divisor,
    ) {
        let rows = (first, last);
        let Some((loss, values)) =
            self.row_losses(workspace, batch, rows, (outputs, targets, grad), divisor)
        else {
            return;
        };
        if let Some(values) = values {
            self.isa.run(values);
        }
        self.isa.run(loss);
    }

    /// The losses of rows `first..last` of the batch, and how to get their targets if those are
    /// numbers.
    pub(super) fn row_losses<'a>(
        &'a self,
        workspace: &Workspace<T>,
        batch: &Batch<'a, T>,
        (first, last): (usize, usize),
        (outputs, target, grad): (Panels<T>, Panels<T>, Option<Panels<T>>),
        divisor: Divisor,
    ) -> Option<(LossRows<'a, T>, Option<Gather<'a, T>>)> {
        let (loss, _) = self.loss.as_ref()?;
        let rows = batch.order.range(first, last);
        let values = batch.values(outputs.cols()).map(|source| Gather { source, rows, target });
        let targets = match values {
            Some(_) => Targets::Values(target),
            None => Targets::Classes(workspace.classes().slice(first, last)),
        };
        let weights = match batch.weights {
            Some(_) => workspace.weights().slice(first, last),
            None => Span::empty(),
        };
        let row_loss = workspace.row_loss().slice(first, last);
        Some((LossRows { loss, outputs, targets, weights, divisor, row_loss, grad }, values))
    }
}
