//! Which ops on images go together, and in bands of how many rows.

use super::op::{ImageBuffer, ImageOp, Meeting, PoolGradientOp, PoolOp};
use super::program::Stage;
use crate::kernels::activation::Activation;
use crate::kernels::images::ImageShape;
use crate::kernels::pooling::Pool;
use crate::network::tuning::{BAND_BYTES, BAND_SUMS};
use crate::simd::LANES;

/// Stages in the making.
pub(super) struct Stages {
    list: Vec<Stage>,
    meetings: Vec<(usize, Meeting)>,
    /// Whether ops may go together; else each has a stage of its own, over all rows at once.
    joins: bool,
    /// Whether the next op may join the last stage.
    open: bool,
}

impl Stages {
    pub(super) fn new(joins: bool) -> Self {
        Self { list: Vec::new(), meetings: Vec::new(), joins, open: false }
    }

    /// The stages, and what meets before which of them.
    pub(super) fn finish(self) -> (Vec<Stage>, Vec<(usize, Meeting)>) {
        (self.list, self.meetings)
    }

    /// The sums of all blocks meet here.
    pub(super) fn meet(&mut self, meeting: Meeting) {
        self.meetings.push((self.list.len(), meeting));
        self.open = false;
    }

    /// One more op, in a stage with the one before or in its own; that then has bands of so many
    /// rows, if any. From a convolution on, elementwise ops and a pool go together; from a pool's
    /// gradient on, what makes gradients down to those of the convolution below.
    pub(super) fn push(&mut self, op: ImageOp, band: Option<usize>) {
        let (images, begins, ends) = match op {
            ImageOp::Convolution { output, .. } => (output, true, false),
            ImageOp::Activation { output, .. } => (output, false, false),
            ImageOp::Prelu { output, .. } => (output, false, false),
            ImageOp::SlopeGradient { grad, .. } => (grad, false, false),
            ImageOp::Pool(PoolOp { pool, input, .. }) => (input, !in_bands(pool), true),
            ImageOp::PoolGradient(PoolGradientOp { pool, target, .. }) => {
                (target, true, !in_bands(pool.pool))
            }
            ImageOp::ActivationGradient { target, .. } => (target, false, false),
            ImageOp::WeightGradient { grad, .. } => (grad, false, false),
            ImageOp::InputGradient { grad, .. } => (grad, false, true),
            ImageOp::ChannelSums { input, .. } => (input, true, true),
            ImageOp::Normalize { output, .. } => (output, true, true),
            ImageOp::ChannelGradientSums { grad, .. } => (grad, true, true),
            ImageOp::NormalizeGradient { target, .. } => (target, true, true),
            ImageOp::Dropout { output, .. } => (output, true, true),
            ImageOp::DropoutGradient { target, .. } => (target, true, true),
            ImageOp::ActivatedPool { pool, .. } => (pool.input, false, true),
            ImageOp::ActivatedPoolGradient { pool, .. } => (pool.target, true, false),
        };
        if !self.joins || !self.open || begins {
            let height = images.shape.height;
            let band = band.filter(|_| self.joins).unwrap_or(height);
            self.list.push(Stage { ops: Vec::new(), height, band, window: None });
        }
        if let Some(stage) = self.list.last_mut() {
            let last = stage.ops.last().filter(|_| self.joins);
            let both = last.and_then(|last| in_one(*last, op));
            if both.is_some() {
                stage.ops.pop();
            }
            stage.ops.push(both.unwrap_or(op));
        }
        self.open = !ends;
    }

    /// Says of which images the stage that the last op began has a window alone, and how many rows
    /// before a band that holds.
    pub(super) fn window(&mut self, images: ImageBuffer, before: usize) {
        if let Some(stage) = self.list.last_mut() {
            stage.window = Some((images, before));
        }
    }
}

/// Both ops as one, if there is such a one.
fn in_one(first: ImageOp, second: ImageOp) -> Option<ImageOp> {
    match (first, second) {
        (ImageOp::Activation { activation, input, output }, ImageOp::Pool(pool))
            if pool.input == output && pool.pool.is_two_by_two() =>
        {
            Some(ImageOp::ActivatedPool { activation, input, pool })
        }
        (
            ImageOp::PoolGradient(pool),
            ImageOp::ActivationGradient { activation, saved, target, .. },
        ) if pool.target == target
            && pool.pool.pool.is_two_by_two()
            && activation != Activation::Identity =>
        {
            Some(ImageOp::ActivatedPoolGradient { activation, saved, pool })
        }
        _ => None,
    }
}

/// Whether each band of whole windows can be pooled by itself.
pub(super) fn in_bands(pool: Pool) -> bool {
    pool.stride.0 == pool.kernel.0
}

/// Rows of the bands of a stage over images of this size, of elements of `size` bytes: whole windows
/// of a pool, and enough for a weight gradient with so many sums.
pub(super) fn band_rows(shape: ImageShape, size: usize, pool: Option<Pool>, sums: usize) -> usize {
    let unit = pool.map_or(1, |pool| pool.kernel.0);
    let bytes = BAND_BYTES.max(BAND_SUMS * sums * size);
    unit * (bytes / (unit * shape.row_stride() * LANES * size)).max(1)
}
