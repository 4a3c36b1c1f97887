//! The part of a network before Flatten: ops on the images of 16 samples.
//!
//! A tile of the row phase takes one block of 16 samples, or a few, through the whole network while
//! they are in cache. Images live in memory of the tile's own, which the next tile uses again, so that
//! a batch needs no room for the activations of all its images. What sums over the batch are the
//! convolutions' weight gradients: each block leaves its own, and the weight phase adds them
//! (`kernels/convolution/gradient.rs` has the order).
//!
//! Even a block's images may be larger than any cache: 20 MB behind the first convolution at
//! 227 x 227. So the ops from a convolution to its pool form a [`Stage`], which goes over the images in
//! bands of rows, each through all ops before the next; and so do the ops back from the pool. The
//! gradient between pool and convolution takes the place of what the forward pass has kept there, or
//! exists as a window of rows alone.
//!
//! This file has the ops and plans, `run.rs` runs them.

use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::convolution::{Axis, ConvolutionGradient, Stencil, TransposeChannels};
use crate::kernels::elementary::Elementary;
use crate::kernels::images::{ImageShape, PixelOrder};
use crate::kernels::pooling::Pool;
use crate::network::memory::{BufferId, Buffers, State, Workspace};
use crate::network::nodes::Conv2d;
use crate::simd::Isa;

/// Images of a tile, or of the batch where a trace keeps all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::network) struct ImageBuffer {
    pub home: Home,
    pub shape: ImageShape,
}

/// Where images live.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::network) enum Home {
    /// In the workspace, for all blocks of the slab.
    Batch(BufferId),
    /// In the workspace, for all blocks of the slab, as features: what a Linear layer takes as they are.
    Features(BufferId),
    /// In the tile's memory, for so many blocks; the next ones use it again.
    Tile(BufferId, usize),
    /// In the tile's memory, a band and some rows before it.
    Window(BufferId),
}

/// One op on the images of a block.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) enum ImageOp {
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
    Pool(PoolOp),
    /// An activation and the pool of its result.
    ActivatedPool {
        activation: Activation,
        input: ImageBuffer,
        /// Whether what is activated goes past the caches.
        streams: bool,
        pool: PoolOp,
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
    PoolGradient(PoolGradientOp),
    /// A pool's gradient and that of the activation before it.
    ActivatedPoolGradient {
        activation: Activation,
        saved: ImageBuffer,
        pool: PoolGradientOp,
    },
}

/// A pool of images.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct PoolOp {
    pub pool: Pool,
    pub input: ImageBuffer,
    pub output: ImageBuffer,
}

/// The gradient of a pool, from its output to its input.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct PoolGradientOp {
    pub pool: PoolOp,
    pub grad: ImageBuffer,
    pub target: ImageBuffer,
}

/// Ops that go over images together, a band of rows at a time.
#[derive(Debug)]
pub(in crate::network) struct Stage {
    pub ops: Vec<ImageOp>,
    /// Rows of the largest images among them, the convolution's result.
    pub height: usize,
    /// Rows of a band.
    pub band: usize,
    /// The images of which only a window exists, and the rows that it has before the band.
    pub window: Option<(ImageBuffer, usize)>,
}

/// A dropout mask, drawn by rows and used as images.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct Mask {
    pub rows: BufferId,
    pub images: ImageBuffer,
}

/// A convolution for images of one size.
#[derive(Debug)]
pub(in crate::network) struct Convolution {
    /// Index in the network's layers.
    pub layer: usize,
    /// Which of the layers with parameters.
    pub index: usize,
    pub output: ImageShape,
    /// Elements of the sums of its weight gradient's lanes.
    pub sums: usize,
    pub groups: usize,
    pub rows: Stencil,
    pub cols: Stencil,
    pub forward: [Axis; 2],
    pub backward: [Axis; 2],
    /// The weight as the input gradient reads it, if something does.
    pub transposed: Option<BufferId>,
}

impl Convolution {
    /// Of layer `layer`, the `index`-th with parameters.
    pub(in crate::network) fn new<T: Elementary>(
        conv: &Conv2d,
        (layer, index): (usize, usize),
        input: ImageShape,
        output: ImageShape,
    ) -> Result<Self> {
        let Conv2d { rows, cols, groups, .. } = *conv;
        let inputs = conv.in_channels / groups * conv.taps();
        let axes = |make: fn(_, _, _) -> Result<Axis>| {
            Ok([make(rows, input.height, output.height)?, make(cols, input.width, output.width)?])
        };
        Ok(Self {
            layer,
            index,
            output,
            sums: ConvolutionGradient::<T>::scratch_len(inputs, conv.out_channels),
            groups,
            rows,
            cols,
            forward: axes(Axis::forward)?,
            backward: axes(Axis::backward)?,
            transposed: None,
        })
    }

    /// The rows of the input whose gradient is complete when that of so many rows of the output is
    /// known.
    pub(in crate::network) fn input_rows(&self, known: usize) -> usize {
        let [all, outputs] = [&self.backward[0], &self.forward[0]].map(Axis::len);
        if known == outputs {
            return all;
        }
        // The next input row is the first that the first tap of output row `known` meets.
        (known * self.rows.stride).saturating_sub(self.rows.padding).min(all)
    }

    /// Rows of the output before those just known that the gradient of the next input rows reads.
    pub(in crate::network) fn rows_before(&self) -> usize {
        ((self.rows.kernel - 1) * self.rows.dilation).div_ceil(self.rows.stride)
    }
}

/// The ops before Flatten, and how images come in and go out.
#[derive(Debug)]
pub(in crate::network) struct ImagePlan {
    /// Blocks of 16 samples of a tile, at most.
    pub blocks: usize,
    pub order: PixelOrder,
    /// Memory of a tile.
    pub tile: Buffers,
    /// A few columns of X as they are gathered, of one block.
    pub gathered: BufferId,
    pub input: ImageBuffer,
    pub forward: Vec<Stage>,
    pub output: ImageBuffer,
    pub output_grad: ImageBuffer,
    /// Rows of features in the workspace, and of gradients at them, unless a Linear layer takes the images
    /// as they are.
    pub flat: Option<(BufferId, BufferId)>,
    pub backward: Vec<Stage>,
    /// The gradient with respect to X, if it is wanted.
    pub input_grad: Option<ImageBuffer>,
    pub convolutions: Vec<Convolution>,
    /// Where the sums of a weight gradient's lanes lie in a tile's memory, and how many there are.
    pub scratch: (usize, usize),
}

impl ImagePlan {
    /// Elements of one sample in all buffers.
    pub(in crate::network) fn features(&self) -> usize {
        let of = |op: &ImageOp| match op {
            ImageOp::Convolution { output, .. }
            | ImageOp::Activation { output, .. }
            | ImageOp::Dropout { output, .. }
            | ImageOp::Pool(PoolOp { output, .. }) => output.shape.features(),
            ImageOp::ActivatedPool { pool: PoolOp { input, output, .. }, .. } => {
                input.shape.features() + output.shape.features()
            }
            _ => 0,
        };
        self.forward.iter().flat_map(|stage| &stage.ops).map(of).sum()
    }

    /// Makes the copies of weights that input gradients read.
    pub(in crate::network) fn transpose_weights<T: Elementary>(
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
