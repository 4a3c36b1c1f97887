//! The ops on the images of 16 samples, as data.

use crate::kernels::activation::Activation;
use crate::kernels::images::ImageShape;
use crate::kernels::pooling::Pool;
use crate::network::memory::BufferId;

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
    /// output = x where z > 0, else a x: forward with x = z, back with the gradient as x.
    Prelu {
        /// Which of the layers with parameters has the slopes a.
        layer: usize,
        z: ImageBuffer,
        x: ImageBuffer,
        output: ImageBuffer,
        /// Whether subnormals are flushed (N5).
        flush: bool,
    },
    /// What the block leaves of the gradient of slopes.
    SlopeGradient {
        layer: usize,
        z: ImageBuffer,
        grad: ImageBuffer,
        /// Where the sums of its lanes lie in a tile's memory, and how many there are.
        scratch: (usize, usize),
    },
    Dropout {
        layer: usize,
        p: f64,
        input: ImageBuffer,
        output: ImageBuffer,
        mask: ImageMask,
    },
    Pool(PoolOp),
    /// An activation and the pool of its result.
    ActivatedPool {
        activation: Activation,
        input: ImageBuffer,
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
    /// A block's sums over the pixels of channels, or of the squares of deviations from the batch's means.
    ChannelSums {
        tracked: usize,
        input: ImageBuffer,
        squares: bool,
    },
    /// output = fma(xhat, w, b), by the statistics of the batch in training, else by the running ones.
    Normalize {
        tracked: usize,
        affine: Option<usize>,
        eps: f64,
        input: ImageBuffer,
        normalized: ImageBuffer,
        output: ImageBuffer,
    },
    /// A block's sums for the way back through it, and for the gradients of the parameters of `affine`.
    ChannelGradientSums {
        tracked: usize,
        affine: Option<usize>,
        normalized: ImageBuffer,
        grad: ImageBuffer,
    },
    NormalizeGradient {
        tracked: usize,
        affine: Option<usize>,
        eps: f64,
        normalized: ImageBuffer,
        grad: ImageBuffer,
        target: ImageBuffer,
    },
    /// A pool's gradient and that of the activation before it.
    ActivatedPoolGradient {
        activation: Activation,
        saved: ImageBuffer,
        pool: PoolGradientOp,
    },
}

/// What the sums of all blocks become where they meet: the means and variances of a node that keeps
/// statistics, or what the way back through it needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::network) enum Meeting {
    Means(usize),
    Variances(usize),
    Gradients(usize),
}

/// A pool of images.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolOp {
    pub pool: Pool,
    pub input: ImageBuffer,
    pub output: ImageBuffer,
}

/// The gradient of a pool, from its output to its input.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolGradientOp {
    pub pool: PoolOp,
    pub grad: ImageBuffer,
    pub target: ImageBuffer,
}

/// A dropout mask, drawn by rows and used as images.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImageMask {
    pub rows: BufferId,
    pub images: ImageBuffer,
}
