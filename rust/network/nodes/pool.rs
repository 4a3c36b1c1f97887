//! One number for each window of an image.

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::{Node, unchanged};
use super::shape::{PartialShape, Shape, last, no_rows, too_small};
use crate::error::Result;
use crate::kernels::pooling::Pool;
use crate::network::memory::BufferId;

impl Node for Pool {
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        match last(inputs) {
            PartialShape::Unknown => Ok(PartialShape::Image(None)),
            PartialShape::Image(channels) => Ok(PartialShape::Image(channels)),
            PartialShape::Row(_) => Err(no_rows(name, "a pool")),
        }
    }

    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        match last(inputs) {
            Shape::Image(input) => match self.output(input) {
                Some(output) => Ok(Shape::Image(output)),
                None => Err(too_small(name, "a pool", input)),
            },
            row => Ok(row),
        }
    }

    /// No pool works on rows.
    fn forward(&self, _: &mut Builder, _: &Place, input: BufferId) -> Trail {
        unchanged(input)
    }

    fn backward(&self, _: &mut Builder, _: &Place, _: Trail, grad: Gradient) -> Option<Gradient> {
        Some(grad)
    }
}
