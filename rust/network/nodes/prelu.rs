//! An activation with trained slopes (He et al., 2015).

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::Node;
use super::parameters::Weighted;
use super::shape::{PartialShape, Shape, last};
use crate::error::{Error, Result};
use crate::network::memory::BufferId;
use crate::network::op::{RowOp, WeightSource};

/// y = x where x > 0, else a x.
#[derive(Clone, Debug, PartialEq)]
pub struct Prelu {
    /// Slopes: one for all, or one for each feature, of images for each channel.
    pub slopes: usize,
    /// What they begin as.
    pub init: f64,
    /// Whether updates change them.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

impl Prelu {
    fn check(&self, name: &str, count: usize, what: &str) -> Result<()> {
        match self.slopes {
            0 => Err(Error::Value(format!(
                "layer {name}: PReLU has 0 parameters, it must have at least 1"
            ))),
            1 => Ok(()),
            slopes if slopes == count => Ok(()),
            slopes => Err(Error::Shape(format!(
                "layer {name}: PReLU takes {slopes} {what}, gets {count}"
            ))),
        }
    }
}

impl Node for Prelu {
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        let input = last(inputs);
        match input {
            PartialShape::Row(Some(width)) => self.check(name, width, "features")?,
            PartialShape::Image(Some(channels)) => self.check(name, channels, "channels")?,
            PartialShape::Unknown | PartialShape::Row(None) | PartialShape::Image(None) => {
                self.check(name, self.slopes, "")?;
            }
        }
        Ok(input)
    }

    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        let input = last(inputs);
        match input {
            Shape::Row(width) => self.check(name, width, "features")?,
            Shape::Image(image) => self.check(name, image.channels, "channels")?,
        }
        Ok(input)
    }

    fn weighted(&self, layer: usize) -> Option<Weighted> {
        let updates = (self.trainable, self.lr_scale);
        Some(Weighted::by_feature(layer, self.slopes, (self.init, false), updates))
    }

    fn forward(&self, rows: &mut Builder, place: &Place, input: BufferId) -> Trail {
        // A slope may be negative, and the output then not tell which side the input was on.
        rows.save(input);
        let output = rows.place(place, input);
        let layer = place.weighted;
        rows.forward.push(RowOp::Prelu { layer, z: input, x: input, output, flush: false });
        Trail { input, output, own: [None; 2] }
    }

    fn backward(
        &self,
        rows: &mut Builder,
        place: &Place,
        Trail { input, .. }: Trail,
        grad: Gradient,
    ) -> Option<Gradient> {
        let (layer, grad) = (place.weighted, grad.at);
        let source = || WeightSource::Slopes { z: input, grad };
        rows.weigh(place, self.trainable, grad, source);
        if !place.wanted_below {
            return None;
        }
        let output = rows.place_gradient(grad);
        rows.backward.push(RowOp::Prelu { layer, z: input, x: grad, output, flush: true });
        Some(Gradient { at: output, flushed: true })
    }
}
