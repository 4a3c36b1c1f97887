//! The part of a network before Flatten: ops on the images of 16 samples.
//!
//! A tile of the row phase takes one block of 16 samples, or a few, through the whole network while
//! they are in cache. Images live in memory of the tile's own, which the next tile uses again, so that
//! a batch needs no room for the activations of all its images. What sums over the batch are the
//! convolutions' weight gradients: each block leaves its own, and the weight phase adds them
//! (`kernels/convolution/gradient.rs` has the order).

use super::batch::Batch;
use super::op::{BufferId, RowKernels, whole};
use super::plan::Plan;
use super::state::State;
use super::workspace::{Buffers, Workspace};
use crate::kernels::activation::{Activation, ActivationBackward, ActivationForward, Multiply};
use crate::kernels::convolution::{
    Axis, ConvolutionGradient, Correlate, Stencil, TransposeChannels,
};
use crate::kernels::elementary::Elementary;
use crate::kernels::flatten::{Flatten, Unflatten};
use crate::kernels::images::{ImageShape, Images, PixelOrder, block_rows};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::pooling::{Pool, PoolBackward, PoolForward};
use crate::kernels::random::DropoutMask;
use crate::runtime::Arena;
use crate::simd::{Isa, LANES};

/// Images of a tile, or of the batch where a trace keeps all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ImageBuffer {
    pub home: Home,
    pub shape: ImageShape,
}

/// Where images live.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Home {
    /// In the workspace, for all blocks of the slab.
    Batch(BufferId),
    /// In the tile's memory, for so many blocks; the next ones use it again.
    Tile(BufferId, usize),
}

/// One op on the images of a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum ImageOp {
    Convolution {
        conv: usize,
        input: ImageBuffer,
        output: ImageBuffer,
    },
    Activation {
        activation: Activation,
        input: ImageBuffer,
        output: ImageBuffer,
    },
    Dropout {
        layer: usize,
        p: f64,
        input: ImageBuffer,
        output: ImageBuffer,
        mask: Mask,
    },
    Pool {
        pool: Pool,
        input: ImageBuffer,
        output: ImageBuffer,
    },
    InputGradient {
        conv: usize,
        grad: ImageBuffer,
        target: ImageBuffer,
    },
    WeightGradient {
        conv: usize,
        input: ImageBuffer,
        grad: ImageBuffer,
    },
    /// The identity only flushes subnormals (N5).
    ActivationGradient {
        activation: Activation,
        saved: ImageBuffer,
        grad: ImageBuffer,
        target: ImageBuffer,
    },
    DropoutGradient {
        mask: ImageBuffer,
        grad: ImageBuffer,
        target: ImageBuffer,
    },
    PoolGradient {
        pool: Pool,
        input: ImageBuffer,
        output: ImageBuffer,
        grad: ImageBuffer,
        target: ImageBuffer,
    },
}

/// A dropout mask, drawn by rows and used as images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    pub rows: BufferId,
    pub images: ImageBuffer,
}

/// A convolution for images of one size.
#[derive(Debug)]
pub(super) struct Convolution {
    /// Which of the layers with parameters.
    pub index: usize,
    pub groups: usize,
    pub rows: Stencil,
    pub cols: Stencil,
    pub forward: [Axis; 2],
    pub backward: [Axis; 2],
    /// The weight as the input gradient reads it, if something does.
    pub transposed: Option<BufferId>,
}

/// The ops before Flatten, and how images come in and go out.
#[derive(Debug)]
pub(super) struct ImagePlan {
    /// Blocks of 16 samples of a tile.
    pub blocks: usize,
    pub order: PixelOrder,
    /// Memory of a tile.
    pub tile: Buffers,
    /// Rows of X as they are gathered, of one block.
    pub gathered: BufferId,
    pub input: ImageBuffer,
    pub forward: Vec<ImageOp>,
    pub output: ImageBuffer,
    /// Rows of features, in the workspace.
    pub flat: BufferId,
    pub flat_grad: BufferId,
    pub output_grad: ImageBuffer,
    pub backward: Vec<ImageOp>,
    /// The gradient with respect to X, if it is wanted.
    pub input_grad: Option<ImageBuffer>,
    pub convolutions: Vec<Convolution>,
    /// Where the sums of a weight gradient's lanes lie in a tile's memory, and how many there are.
    pub scratch: (usize, usize),
}

impl ImagePlan {
    /// Rows of a tile.
    pub(super) fn tile_rows(&self) -> usize {
        self.blocks * LANES
    }

    /// Elements of one sample in all buffers.
    pub(super) fn features(&self) -> usize {
        let of = |op: &ImageOp| match op {
            ImageOp::Convolution { output, .. }
            | ImageOp::Activation { output, .. }
            | ImageOp::Dropout { output, .. }
            | ImageOp::Pool { output, .. } => output.shape.features(),
            _ => 0,
        };
        self.forward.iter().map(of).sum()
    }

    /// Makes the copies of weights that input gradients read.
    pub(super) fn transpose_weights<T: Elementary>(
        &self,
        isa: Isa,
        state: &State<T>,
        workspace: &Workspace<T>,
    ) {
        for conv in &self.convolutions {
            let Some(transposed) = conv.transposed else { continue };
            isa.run(TransposeChannels {
                weight: state.layout.layers[conv.index].weight(&state.parameters),
                target: workspace.buffer(transposed),
                groups: conv.groups,
                taps: conv.rows.kernel * conv.cols.kernel,
            });
        }
    }
}

/// What an op on a block of images needs besides its own data.
pub(super) struct ImageContext<'a, T: Elementary> {
    pub plan: &'a ImagePlan,
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
    fn rows(&self) -> usize {
        block_rows(self.block, self.end)
    }

    fn images(&self, buffer: ImageBuffer) -> Images<T> {
        match buffer.home {
            Home::Batch(id) => Images::new(self.workspace.buffer(id), self.block, buffer.shape),
            Home::Tile(id, blocks) => {
                let panels = self.plan.tile.view(self.memory, id);
                Images::new(panels, self.position % blocks, buffer.shape)
            }
        }
    }

    /// All of the images, for what works element by element.
    fn elements(&self, buffer: ImageBuffer) -> Panels<T> {
        self.images(buffer).rows(0, buffer.shape.height)
    }

    /// This block's rows of a buffer of the tile.
    fn tile_rows(&self, buffer: BufferId) -> Panels<T> {
        self.plan.tile.view(self.memory, buffer).slice(0, self.rows())
    }

    /// This block's rows of a buffer of the workspace.
    fn batch_rows(&self, buffer: BufferId) -> Panels<T> {
        self.workspace.buffer(buffer).slice(self.first(), self.first() + self.rows())
    }

    /// From rows of X to rows of features.
    pub(super) fn forward(&self, plan: &Plan<T>, batch: &Batch<'_, T>) {
        let rows = self.tile_rows(self.plan.gathered);
        plan.gather(batch, self.slab + self.first(), rows);
        let order = self.plan.order;
        self.isa.run(Unflatten { rows, images: self.images(self.plan.input), order });
        for op in &self.plan.forward {
            self.run(op);
        }
        let (images, rows) = (self.images(self.plan.output), self.batch_rows(self.plan.flat));
        self.isa.run(Flatten { images, rows, order: PixelOrder::ChannelsFirst });
    }

    /// From the gradient at rows of features to the convolutions' weight gradients, and to the
    /// gradient at X.
    pub(super) fn backward(&self, plan: &Plan<T>) {
        if self.plan.backward.is_empty() && self.plan.input_grad.is_none() {
            return;
        }
        let rows = self.batch_rows(self.plan.flat_grad);
        let images = self.images(self.plan.output_grad);
        self.isa.run(Unflatten { rows, images, order: PixelOrder::ChannelsFirst });
        for op in &self.plan.backward {
            self.run(op);
        }
        if let (Some(images), Some(rows)) = (self.plan.input_grad, plan.input_grad) {
            let (images, order) = (self.images(images), self.plan.order);
            self.isa.run(Flatten { images, rows: self.batch_rows(rows), order });
        }
    }

    fn run(&self, op: &ImageOp) {
        match *op {
            ImageOp::Convolution { conv, input, output } => {
                let conv = &self.plan.convolutions[conv];
                let layout = &self.state.layout.layers[conv.index];
                let weight = layout.weight(&self.state.parameters);
                let bias = layout.bias(&self.state.parameters).flat();
                self.correlate(conv, &conv.forward, (input, output), weight, bias);
            }
            ImageOp::InputGradient { conv, grad, target } => {
                let conv = &self.plan.convolutions[conv];
                let Some(transposed) = conv.transposed else { return };
                let weight = self.workspace.buffer(transposed);
                self.correlate(conv, &conv.backward, (grad, target), weight, Span::empty());
            }
            ImageOp::WeightGradient { conv, input, grad } => {
                let conv = &self.plan.convolutions[conv];
                let layout = &self.state.layout.layers[conv.index];
                let sums = &self.workspace.image_gradients[self.block];
                let (at, len) = self.plan.scratch;
                self.isa.run(ConvolutionGradient {
                    input: self.images(input),
                    grad: self.images(grad),
                    rows: conv.rows,
                    cols: conv.cols,
                    groups: conv.groups,
                    scratch: whole(self.memory).slice(at, at + len),
                    weight: layout.weight(sums),
                    bias: layout.bias.then(|| layout.bias(sums)),
                });
            }
            ImageOp::Activation { activation, input, output } => {
                let (input, output) = (self.elements(input), self.elements(output));
                self.kernels.activation.call(ActivationForward { activation, input, output });
            }
            ImageOp::ActivationGradient { activation, saved, grad, target } => {
                self.copy(grad, target);
                let (saved, grad) = (self.elements(saved), self.elements(target));
                self.kernels.activation_gradient.call(ActivationBackward {
                    activation,
                    saved,
                    grad,
                });
            }
            ImageOp::Dropout { layer, p, input, output, mask } => {
                self.copy(input, output);
                if self.training {
                    let rows = self.tile_rows(mask.rows);
                    self.kernels.dropout_mask.call(DropoutMask {
                        seed: self.state.seed,
                        layer: layer as u32,
                        step: self.state.steps,
                        first_row: self.slab + self.first(),
                        p,
                        mask: rows,
                    });
                    let images = self.images(mask.images);
                    self.isa.run(Unflatten { rows, images, order: PixelOrder::ChannelsFirst });
                    self.multiply(output, mask.images);
                }
            }
            ImageOp::DropoutGradient { mask, grad, target } => {
                self.copy(grad, target);
                if self.training {
                    self.multiply(target, mask);
                }
            }
            ImageOp::Pool { pool, input, output } => {
                self.isa.run(PoolForward {
                    pool,
                    input: self.images(input),
                    output: self.images(output),
                    start: 0,
                    end: output.shape.height,
                });
            }
            ImageOp::PoolGradient { pool, input, output, grad, target } => {
                self.isa.run(PoolBackward {
                    pool,
                    input: self.images(input),
                    output: self.images(output),
                    grad: self.images(grad),
                    target: self.images(target),
                });
            }
        }
    }

    fn correlate(
        &self,
        conv: &Convolution,
        [rows, cols]: &[Axis; 2],
        (source, result): (ImageBuffer, ImageBuffer),
        weight: Panels<T>,
        bias: Span<T>,
    ) {
        self.isa.run(Correlate {
            source: self.images(source),
            result: self.images(result),
            weight,
            bias,
            groups: conv.groups,
            kernel: (conv.rows.kernel, conv.cols.kernel),
            rows,
            cols,
            range: 0..result.shape.height,
        });
    }

    fn multiply(&self, x: ImageBuffer, mask: ImageBuffer) {
        self.kernels.multiply.call(Multiply { x: self.elements(x), mask: self.elements(mask) });
    }

    /// Copies images, unless they are the same.
    fn copy(&self, from: ImageBuffer, to: ImageBuffer) {
        if from != to {
            let (input, output) = (self.elements(from), self.elements(to));
            let activation = Activation::Identity;
            self.kernels.activation.call(ActivationForward { activation, input, output });
        }
    }
}
