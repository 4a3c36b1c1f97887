//! The ops before Flatten at work on one block of 16 samples.

use super::op::{Home, ImageBuffer, ImageOp, PoolGradientOp, PoolOp};
use super::program::{ImageProgram, Stage};
use crate::kernels::activation::{Activation, ActivationBackward, ActivationForward};
use crate::kernels::convolution::{ConvolutionGradient, Correlate};
use crate::kernels::elementary::Elementary;
use crate::kernels::elementwise::Multiply;
use crate::kernels::fetch::Fetch;
use crate::kernels::flatten::{FlattenImages, Unflatten};
use crate::kernels::images::{Images, PixelOrder, block_rows};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::pooling::{
    ActivatedPoolBackward, ActivatedPoolForward, PoolBackward, PoolForward,
};
use crate::kernels::prelu::{ImageSlopeGradient, Prelu, Slopes};
use crate::kernels::random::DropoutMask;
use crate::network::batch::Batch;
use crate::network::memory::{BufferId, State, Workspace, whole};
use crate::network::rows::RowKernels;
use crate::runtime::Arena;
use crate::simd::{Isa, LANES};

/// Rows of a stage's largest images.
#[derive(Clone, Copy)]
struct Band {
    start: usize,
    end: usize,
    /// First row that is in the stage's window.
    origin: usize,
}

impl Band {
    /// All of so many rows.
    fn of(rows: usize) -> Self {
        Self { start: 0, end: rows, origin: 0 }
    }
}

/// What an op on a block of images needs besides its own data.
pub(in crate::network) struct ImageContext<'a, T: Elementary> {
    pub program: &'a ImageProgram,
    pub isa: Isa,
    pub kernels: &'a RowKernels<T>,
    pub state: &'a State<T>,
    pub workspace: &'a Workspace<T>,
    /// The tile's memory.
    pub memory: &'a Arena<T>,
    /// The block, of the slab.
    pub block: usize,
    /// The block, of the tile.
    pub position: usize,
    /// One past the last row of the slab.
    pub end: usize,
    /// Position of the slab's first row in its batch.
    pub slab: usize,
    /// Whether dropout drops.
    pub training: bool,
}

impl<T: Elementary> ImageContext<'_, T> {
    fn first(&self) -> usize {
        self.block * LANES
    }

    /// Samples of the block.
    pub(super) fn rows(&self) -> usize {
        block_rows(self.block, self.end)
    }

    fn images(&self, buffer: ImageBuffer, band: Band) -> Images<T> {
        match buffer.home {
            Home::Batch(id) => Images::new(self.workspace.buffer(id), self.block, buffer.shape),
            Home::Features(id) => {
                Images::of_features(self.workspace.buffer(id), self.block, buffer.shape)
            }
            Home::Tile(id, blocks) => {
                let panels = self.program.tile.view(self.memory, id);
                Images::new(panels, self.position % blocks, buffer.shape)
            }
            Home::Window(id) => {
                let panels = self.program.tile.view(self.memory, id);
                Images::window(panels, buffer.shape, band.origin)
            }
        }
    }

    /// Images that exist as a whole.
    pub(super) fn all(&self, buffer: ImageBuffer) -> Images<T> {
        self.images(buffer, Band::of(buffer.shape.height))
    }

    /// The rows of a band, for what works element by element.
    fn elements(&self, buffer: ImageBuffer, band: Band) -> Panels<T> {
        self.images(buffer, band).rows(band.start, band.end)
    }

    /// This block's rows of a buffer of the tile.
    fn tile_rows(&self, buffer: BufferId) -> Panels<T> {
        self.program.tile.view(self.memory, buffer).slice(0, self.rows())
    }

    /// This block's rows of a buffer of the workspace.
    fn batch_rows(&self, buffer: BufferId) -> Panels<T> {
        self.workspace.buffer(buffer).slice(self.first(), self.first() + self.rows())
    }

    /// From rows of X, which are divided by `scale`, to features; these stages of it, the first and one past
    /// the last.
    pub(in crate::network) fn forward(
        &self,
        batch: &Batch<'_, T>,
        scale: Option<T>,
        (start, end): (usize, usize),
    ) {
        let end = end.min(self.program.forward.len());
        if start == 0 {
            self.gather(batch, scale);
        }
        for stage in &self.program.forward[start..end] {
            self.stage(stage);
        }
        if end == self.program.forward.len()
            && let Some((flat, _)) = self.program.flat
        {
            let (images, rows) = (self.all(self.program.output), self.batch_rows(flat));
            self.isa.run(FlattenImages { images, rows, order: PixelOrder::ChannelsFirst });
        }
    }

    /// From rows of X to images.
    fn gather(&self, batch: &Batch<'_, T>, scale: Option<T>) {
        let (images, order) = (self.all(self.program.input), self.program.order);
        let (features, gathered) =
            (images.shape().features(), self.tile_rows(self.program.gathered));
        assert!(batch.source.cols() == features);
        for first in (0..features).step_by(gathered.cols()) {
            let rows = gathered.first_columns(features - first);
            batch.gather(self.isa, scale, (self.slab + self.first(), first), rows);
            self.isa.run(Unflatten { rows, images, order, first });
        }
    }

    /// From the gradient at features to the convolutions' weight gradients, and to the
    /// gradient at X; these stages of it.
    pub(in crate::network) fn backward(&self, (start, end): (usize, usize)) {
        if self.program.backward.is_empty() && self.program.input_grad.is_none() {
            return;
        }
        let end = end.min(self.program.backward.len());
        if start == 0
            && let Some((_, flat_grad)) = self.program.flat
        {
            let (rows, images) = (self.batch_rows(flat_grad), self.all(self.program.output_grad));
            self.isa.run(Unflatten { rows, images, order: PixelOrder::ChannelsFirst, first: 0 });
        }
        for stage in &self.program.backward[start..end] {
            self.stage(stage);
        }
        if end == self.program.backward.len()
            && let Some((images, rows)) = self.program.input_grad
        {
            let (images, order) = (self.all(images), self.program.order);
            self.isa.run(FlattenImages { images, rows: self.batch_rows(rows), order });
        }
    }

    /// All ops of a stage, band after band.
    fn stage(&self, stage: &Stage) {
        let mut band = Band::of(0);
        while band.end < stage.height {
            let start = band.end;
            band = Band { start, end: stage.height.min(start + stage.band), ..band };
            if let Some((images, before)) = stage.window {
                let origin = start.saturating_sub(before);
                let rows =
                    |at| self.images(images, Band { origin: at, ..band }).rows(origin, start);
                self.copy(rows(band.origin), rows(origin));
                band.origin = origin;
            }
            let ahead = Fetch::new(self.read_next(stage, band));
            for op in &stage.ops {
                self.run(op, band, &ahead);
            }
        }
    }

    /// What the way back through an activation reads for the next band: it was made long ago.
    fn read_next(&self, stage: &Stage, band: Band) -> Span<T> {
        match stage.ops[0] {
            ImageOp::ActivatedPoolGradient { saved, .. }
            | ImageOp::ActivationGradient { saved, .. }
                if matches!(saved.home, Home::Tile(..)) =>
            {
                let end = stage.height.min(band.end + stage.band);
                let next = self.elements(saved, Band { start: band.end, end, ..band });
                next.span(0, 0, next.rows())
            }
            _ => Span::empty(),
        }
    }

    fn run(&self, op: &ImageOp, band: Band, ahead: &Fetch<T>) {
        let Band { start, end, .. } = band;
        match *op {
            ImageOp::Convolution { conv, input, output } => {
                let conv = &self.program.convolutions[conv];
                let layout = &self.state.layout.layers[conv.index];
                self.isa.run(Correlate {
                    source: self.images(input, band),
                    result: self.images(output, band),
                    weight: layout.weight(&self.state.parameters),
                    bias: layout.bias(&self.state.parameters).flat(),
                    groups: conv.groups,
                    kernel: (conv.rows.kernel, conv.cols.kernel),
                    rows: &conv.forward[0],
                    cols: &conv.forward[1],
                    range: start..end,
                });
            }
            ImageOp::InputGradient { conv, grad, target } => {
                let conv = &self.program.convolutions[conv];
                let Some(transposed) = conv.transposed else { return };
                self.isa.run(Correlate {
                    source: self.images(grad, band),
                    result: self.images(target, band),
                    weight: self.workspace.buffer(transposed),
                    bias: Span::empty(),
                    groups: conv.groups,
                    kernel: (conv.rows.kernel, conv.cols.kernel),
                    rows: &conv.backward[0],
                    cols: &conv.backward[1],
                    range: conv.input_rows(start)..conv.input_rows(end),
                });
            }
            ImageOp::WeightGradient { conv, input, grad } => {
                let conv = &self.program.convolutions[conv];
                let layout = &self.state.layout.layers[conv.index];
                let sums = self.workspace.image_gradient(self.block);
                let (at, len) = self.program.scratch;
                self.isa.run(ConvolutionGradient {
                    input: self.images(input, band),
                    grad: self.images(grad, band),
                    rows: conv.rows,
                    cols: conv.cols,
                    groups: conv.groups,
                    samples: self.rows(),
                    start,
                    end,
                    scratch: whole(self.memory).slice(at, at + len),
                    weight: layout.weight(sums),
                    bias: layout.bias.then(|| layout.bias(sums)),
                    ahead,
                });
            }
            ImageOp::Activation { activation, input, output } => {
                let (input, output) = (self.elements(input, band), self.elements(output, band));
                self.kernels.activation.call(ActivationForward { activation, input, output });
            }
            ImageOp::ActivationGradient { activation, saved, grad, target } => {
                let (saved, grad) = (self.elements(saved, band), self.elements(grad, band));
                let target = self.elements(target, band);
                self.copy(grad, target);
                self.kernels.activation_gradient.call(ActivationBackward {
                    activation,
                    saved,
                    grad: target,
                });
            }
            ImageOp::Prelu { layer, z, x, output, flush } => {
                self.prelu(layer, [z, x, output], band, flush);
            }
            ImageOp::SlopeGradient { layer, z, grad, scratch: (at, len) } => {
                let sums = self.workspace.image_gradient(self.block);
                self.isa.run(ImageSlopeGradient {
                    z: self.images(z, band),
                    grad: self.images(grad, band),
                    samples: self.rows(),
                    start,
                    end,
                    scratch: whole(self.memory).slice(at, at + len),
                    slopes: self.state.layout.layers[layer].weight(sums),
                });
            }
            ImageOp::Dropout { layer, p, input, output, mask } => {
                let (input, output) = (self.elements(input, band), self.elements(output, band));
                self.copy(input, output);
                if self.training {
                    let rows = self.tile_rows(mask.rows);
                    self.kernels.dropout_mask.call(DropoutMask {
                        seed: self.state.seed,
                        layer: layer as u32,
                        step: self.state.clock.steps,
                        first_row: self.slab + self.first(),
                        p,
                        mask: rows,
                    });
                    let images = self.all(mask.images);
                    self.isa.run(Unflatten {
                        rows,
                        images,
                        order: PixelOrder::ChannelsFirst,
                        first: 0,
                    });
                    let mask = self.elements(mask.images, band);
                    self.kernels.multiply.call(Multiply { x: output, mask });
                }
            }
            ImageOp::DropoutGradient { mask, grad, target } => {
                let (grad, target) = (self.elements(grad, band), self.elements(target, band));
                self.copy(grad, target);
                if self.training {
                    let mask = self.elements(mask, band);
                    self.kernels.multiply.call(Multiply { x: target, mask });
                }
            }
            ImageOp::ChannelSums { .. }
            | ImageOp::Normalize { .. }
            | ImageOp::ChannelGradientSums { .. }
            | ImageOp::NormalizeGradient { .. } => self.normalize(op),
            ImageOp::Pool(pool) => self.isa.run(self.pool(pool, band)),
            ImageOp::ActivatedPool { activation, input, pool } => {
                self.isa.run(ActivatedPoolForward {
                    activation,
                    input: self.images(input, band),
                    rows: start..end,
                    pool: self.pool(pool, band),
                });
            }
            ImageOp::PoolGradient(pool) => self.isa.run(self.pool_gradient(pool, band)),
            ImageOp::ActivatedPoolGradient { activation, saved, pool } => {
                self.isa.run(ActivatedPoolBackward {
                    activation,
                    saved: self.images(saved, band),
                    pool: self.pool_gradient(pool, band),
                });
            }
        }
    }

    /// A band passes where z > 0, else times its channel's slope.
    fn prelu(&self, layer: usize, images: [ImageBuffer; 3], band: Band, flush: bool) {
        let weight = self.state.layout.layers[layer].weight(&self.state.parameters);
        let call = |slope: usize, [z, x, output]: [Panels<T>; 3]| {
            let slopes = Slopes::One(weight.flat().get(slope));
            self.kernels.prelu.call(Prelu { z, x, slopes, output, flush });
        };
        if weight.cols() == 1 {
            return call(0, images.map(|images| self.elements(images, band)));
        }
        let channels = images[0].shape.channels;
        let images = images.map(|images| self.images(images, band));
        for row in band.start..band.end {
            for channel in 0..channels {
                call(channel, images.map(|images| images.line(row, channel)));
            }
        }
    }

    fn pool(&self, PoolOp { pool, input, output }: PoolOp, band: Band) -> PoolForward<T> {
        let row = |row| pool.output_row(row, input.shape.height, output.shape.height);
        PoolForward {
            pool,
            input: self.images(input, band),
            output: self.images(output, band),
            start: row(band.start),
            end: row(band.end),
        }
    }

    fn pool_gradient(&self, op: PoolGradientOp, band: Band) -> PoolBackward<T> {
        let PoolGradientOp { pool: PoolOp { pool, input, output }, grad, target } = op;
        PoolBackward {
            pool,
            input: self.images(input, band),
            output: self.images(output, band),
            grad: self.images(grad, band),
            target: self.images(target, band),
            start: band.start,
            end: band.end,
        }
    }

    /// Copies elements, unless they are the same.
    fn copy(&self, input: Panels<T>, output: Panels<T>) {
        if !input.is_same(output) {
            let activation = Activation::Identity;
            self.kernels.activation.call(ActivationForward { activation, input, output });
        }
    }
}
