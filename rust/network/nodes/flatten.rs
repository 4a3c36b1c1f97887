//! Images become rows.

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::{Node, unchanged};
use super::shape::{PartialShape, Shape, last};
use crate::error::Result;
use crate::network::memory::BufferId;

/// Images (C, H, W) become rows of C H W features; rows stay.
pub(super) struct Flatten;

impl Node for Flatten {
    fn kind(&self, _: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        Ok(match last(inputs) {
            PartialShape::Image(_) => PartialShape::Row(None),
            kind => kind,
        })
    }

    fn shape(&self, _: &str, inputs: &[Shape]) -> Result<Shape> {
        Ok(Shape::Row(last(inputs).features()))
    }

    fn forward(&self, _: &mut Builder, _: &Place, input: BufferId) -> Trail {
        unchanged(input)
    }

    fn backward(&self, _: &mut Builder, _: &Place, _: Trail, grad: Gradient) -> Option<Gradient> {
        Some(grad)
    }
}
