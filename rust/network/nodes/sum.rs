//! The end of a residual connection (He et al., 2016): what its layers give, and what they took.

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::Node;
use super::shape::{PartialShape, Shape, last, no_images};
use crate::error::{Error, Result};
use crate::network::memory::BufferId;
use crate::network::op::RowOp;

/// The sum of its input and of what node `from` takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum {
    /// The first of the layers in between.
    pub from: usize,
}

impl Node for Sum {
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        match (inputs[self.from], last(inputs)) {
            (PartialShape::Row(takes), PartialShape::Row(gives)) => match (takes, gives) {
                (Some(takes), Some(gives)) if takes != gives => Err(unequal(name, takes, gives)),
                _ => Ok(PartialShape::Row(gives.or(takes))),
            },
            _ => Err(no_images(name, "Residual")),
        }
    }

    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        let (takes, gives) = (inputs[self.from].features(), last(inputs).features());
        if takes != gives {
            return Err(unequal(name, takes, gives));
        }
        Ok(Shape::Row(gives))
    }

    fn forward(&self, rows: &mut Builder, place: &Place, input: BufferId) -> Trail {
        let skipped = rows.skipped(place.node);
        let output = rows.place(place, input);
        rows.forward.push(RowOp::Add { a: input, b: skipped, sum: output, flush: false });
        Trail { input, output, own: [None; 2] }
    }

    fn backward(
        &self,
        rows: &mut Builder,
        _: &Place,
        _: Trail,
        grad: Gradient,
    ) -> Option<Gradient> {
        // It goes through the layers, and where these begin it comes back to be added.
        let grad = rows.flushed(grad);
        rows.skip(self.from, grad.at);
        Some(grad)
    }
}

#[cold]
fn unequal(name: &str, takes: usize, gives: usize) -> Error {
    Error::Shape(format!("layer {name}: Residual takes {takes} features, its layers give {gives}"))
}
