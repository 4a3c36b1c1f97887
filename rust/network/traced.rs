//! Tensors that a trace shows.

use super::image::ImageBuffer;
use super::memory::BufferId;

/// A tensor between two layers, for `Purpose::Trace`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Traced {
    Rows(BufferId),
    Images(ImageBuffer),
}
