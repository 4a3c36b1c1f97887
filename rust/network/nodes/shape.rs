//! What is between two nodes.

use crate::error::{Error, Result};
use crate::kernels::images::ImageShape;

/// One sample between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many features.
    Row(usize),
    /// An image.
    Image(ImageShape),
}

impl Shape {
    /// Numbers of one sample.
    #[must_use]
    pub fn features(self) -> usize {
        match self {
            Self::Row(width) => width,
            Self::Image(shape) => shape.features(),
        }
    }
}

/// As [`Shape`], as far as it is known before any images are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::network) enum PartialShape {
    Unknown,
    Row(Option<usize>),
    Image(Option<usize>),
}

/// The own input of a node, from those of all nodes up to it.
pub(super) fn last<T: Copy>(inputs: &[T]) -> T {
    inputs[inputs.len() - 1]
}

/// Refuses images, and rows of another width than a layer takes.
pub(super) fn check_row(name: &str, what: &str, takes: usize, input: PartialShape) -> Result<()> {
    match input {
        PartialShape::Unknown | PartialShape::Row(None) => Ok(()),
        PartialShape::Row(Some(width)) if width == takes => Ok(()),
        PartialShape::Row(Some(width)) => {
            Err(Error::Shape(format!("layer {name}: {what} takes {takes} features, gets {width}")))
        }
        PartialShape::Image(_) => Err(no_images(name, what)),
    }
}

/// The same once it is known how many features the images have that the rows come from.
pub(super) fn check_features(name: &str, what: &str, takes: usize, inputs: &[Shape]) -> Result<()> {
    let width = last(inputs).features();
    match inputs[0] {
        _ if width == takes => Ok(()),
        Shape::Row(_) => {
            Err(Error::Shape(format!("layer {name}: {what} takes {takes} features, gets {width}")))
        }
        Shape::Image(x) => Err(Error::Shape(format!(
            "layer {name}: {what} takes {takes} features, gets {width} from images of {} x {}",
            x.height, x.width
        ))),
    }
}

#[cold]
pub(super) fn no_images(name: &str, what: &str) -> Error {
    Error::Shape(format!("layer {name}: {what} takes rows, gets images: put Flatten() before it"))
}

#[cold]
pub(super) fn no_rows(name: &str, what: &str) -> Error {
    Error::Shape(format!("layer {name}: {what} takes images, gets rows"))
}

#[cold]
pub(super) fn too_small(name: &str, what: &str, input: ImageShape) -> Error {
    Error::Shape(format!(
        "layer {name}: the kernel of {what} is larger than its input of {} x {}",
        input.height, input.width
    ))
}
