//! What the layers before Flatten do in a step: ops on images, in stages.

use super::op::{ImageBuffer, ImageOp, Meeting, PoolOp};
use crate::error::Result;
use crate::kernels::convolution::{Axis, ConvolutionGradient, Stencil, TransposeChannels};
use crate::kernels::elementary::Elementary;
use crate::kernels::images::{ImageShape, PixelOrder};
use crate::network::memory::{BufferId, Buffers, State, Workspace};
use crate::network::nodes::Conv2d;
use crate::simd::Isa;

/// Ops that go over images together, a band of rows at a time.
#[derive(Debug)]
pub(super) struct Stage {
    pub ops: Vec<ImageOp>,
    /// Rows of the largest images among them, the convolution's result.
    pub height: usize,
    /// Rows of a band.
    pub band: usize,
    /// The images of which only a window exists, and the rows that it has before the band.
    pub window: Option<(ImageBuffer, usize)>,
}

/// A convolution for images of one size.
#[derive(Debug)]
pub(super) struct Convolution {
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
    pub(super) fn new<T: Elementary>(
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
    pub(super) fn input_rows(&self, known: usize) -> usize {
        let [all, outputs] = [&self.backward[0], &self.forward[0]].map(Axis::len);
        if known == outputs {
            return all;
        }
        // The next input row is the first that the first tap of output row `known` meets.
        (known * self.rows.stride).saturating_sub(self.rows.padding).min(all)
    }

    /// Rows of the output before those just known that the gradient of the next input rows reads.
    pub(super) fn rows_before(&self) -> usize {
        ((self.rows.kernel - 1) * self.rows.dilation).div_ceil(self.rows.stride)
    }
}

/// The ops before Flatten, and how images come in and go out.
#[derive(Debug)]
pub(in crate::network) struct ImageProgram {
    /// Blocks of 16 samples of a tile, at most.
    pub(super) blocks: usize,
    pub(super) order: PixelOrder,
    /// Memory of a tile.
    pub(super) tile: Buffers,
    /// A few columns of X as they are gathered, of one block.
    pub(super) gathered: BufferId,
    pub(super) input: ImageBuffer,
    pub(super) forward: Vec<Stage>,
    /// What meets before a stage.
    pub(super) forward_meetings: Vec<(usize, Meeting)>,
    pub(super) output: ImageBuffer,
    pub(super) output_grad: ImageBuffer,
    /// Rows of features in the workspace, and of gradients at them, unless a Linear layer takes the images
    /// as they are.
    pub(super) flat: Option<(BufferId, BufferId)>,
    pub(super) backward: Vec<Stage>,
    /// As on the way forward.
    pub(super) backward_meetings: Vec<(usize, Meeting)>,
    /// The gradient with respect to X, if it is wanted, as images and as rows in the workspace.
    pub(super) input_grad: Option<(ImageBuffer, BufferId)>,
    pub(super) convolutions: Vec<Convolution>,
    /// Where the sums of a weight gradient's lanes lie in a tile's memory, and how many there are.
    pub(super) scratch: (usize, usize),
}

impl ImageProgram {
    /// Blocks of 16 samples of a tile, at most.
    pub(in crate::network) fn tile_blocks(&self) -> usize {
        self.blocks
    }

    /// The gradient with respect to X as rows in the workspace, if it is wanted.
    pub(in crate::network) fn input_grad(&self) -> Option<BufferId> {
        self.input_grad.map(|(_, rows)| rows)
    }

    /// The memory of a tile.
    pub(in crate::network) fn tile(&self) -> &Buffers {
        &self.tile
    }

    /// Elements of one sample in all buffers.
    pub(in crate::network) fn features(&self) -> usize {
        let of = |op: &ImageOp| match op {
            ImageOp::Convolution { output, .. }
            | ImageOp::Activation { output, .. }
            | ImageOp::Prelu { output, .. }
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
