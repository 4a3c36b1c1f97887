//! What a kind of layer knows of itself.

use super::builder::{Builder, Gradient, Place, Trail};
use super::parameters::Weighted;
use super::shape::{PartialShape, Shape};
use super::tracked::Tracked;
use crate::error::Result;
use crate::network::memory::BufferId;

/// A kind of layer: what it makes of a sample, its parameters, and its ops on rows.
pub(in crate::network) trait Node {
    /// What it makes of its input, as far as that is known before any images are there: `inputs` are
    /// those of all nodes up to this one, whose own is the last.
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape>;

    /// The same of samples of one size, which [`Self::kind`] has not refused.
    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        let _ = name;
        Ok(inputs[inputs.len() - 1])
    }

    /// Its parameters, if it has any; `layer` is its number.
    fn weighted(&self, layer: usize) -> Option<Weighted> {
        let _ = layer;
        None
    }

    /// The statistics of batches that it keeps, if it does; `layer` is its number.
    fn tracked(&self, layer: usize) -> Option<Tracked> {
        let _ = layer;
        None
    }

    /// The features of the rows that it takes, if it takes no others.
    fn in_features(&self) -> Option<usize> {
        None
    }

    /// The forward pass: puts ops and buffers into the builder, and says where its output is and what it
    /// keeps for the way back.
    fn forward(&self, rows: &mut Builder, place: &Place, input: BufferId) -> Trail;

    /// The way back from the gradient at its output: gives that at its input, or none where nothing below
    /// wants it.
    fn backward(
        &self,
        rows: &mut Builder,
        place: &Place,
        trail: Trail,
        grad: Gradient,
    ) -> Option<Gradient>;
}

/// A node that gives rows as they are.
pub(super) fn unchanged(input: BufferId) -> Trail {
    Trail { input, output: input, own: [None; 2] }
}
