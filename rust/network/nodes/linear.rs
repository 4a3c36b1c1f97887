//! A fully connected layer.

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::Node;
use super::parameters::{Init, Weighted};
use super::shape::{PartialShape, Shape, check_features, check_row, last};
use crate::error::{Error, Result};
use crate::network::memory::BufferId;
use crate::network::op::{BackwardWeight, RowOp, WeightSource};

/// y = x W^T + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Width of the input.
    pub in_features: usize,
    /// Width of the output.
    pub out_features: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Initial values.
    pub init: Init,
    /// Whether updates change it.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

impl Node for Linear {
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        if self.in_features == 0 || self.out_features == 0 {
            return Err(Error::Value(format!(
                "layer {name}: Linear has {} inputs and {} outputs, both must be at least 1",
                self.in_features, self.out_features
            )));
        }
        check_row(name, "Linear", self.in_features, last(inputs))?;
        Ok(PartialShape::Row(Some(self.out_features)))
    }

    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        check_features(name, "Linear", self.in_features, inputs)?;
        Ok(Shape::Row(self.out_features))
    }

    fn weighted(&self, layer: usize) -> Option<Weighted> {
        Some(Weighted {
            layer,
            inputs: self.in_features,
            outputs: self.out_features,
            fan_out: self.out_features,
            shape: vec![self.out_features, self.in_features],
            bias: self.bias,
            init: self.init,
            trainable: self.trainable,
            lr_scale: self.lr_scale,
        })
    }

    fn in_features(&self) -> Option<usize> {
        Some(self.in_features)
    }

    fn forward(&self, rows: &mut Builder, place: &Place, input: BufferId) -> Trail {
        let (linear, output) = (place.weighted, rows.buffer(self.out_features));
        rows.forward.push(if place.reads_images {
            RowOp::ImageLinear { linear, input, output }
        } else {
            RowOp::Linear { linear, input, output }
        });
        rows.save(input);
        Trail { input, output, own: [None; 2] }
    }

    fn backward(
        &self,
        rows: &mut Builder,
        place: &Place,
        Trail { input, .. }: Trail,
        grad: Gradient,
    ) -> Option<Gradient> {
        let grad = rows.flushed(grad).at;
        rows.weigh(place, self.trainable, grad, || match place.reads_images {
            true => WeightSource::Lanes { input, grad },
            false => WeightSource::Rows { input, grad },
        });
        if !place.wanted_below {
            return None;
        }
        let linear = place.weighted;
        let at = if place.reads_images {
            let (turned, target) = (rows.lanes(self.out_features), rows.lanes(self.in_features));
            rows.backward.push(RowOp::ImageGradient { linear, grad, turned, target });
            target
        } else {
            let weight = if place.second_copy {
                BackwardWeight::State
            } else {
                let copy = rows.matrix(self.out_features, self.in_features);
                rows.copies.push((linear, copy));
                BackwardWeight::Copy(copy)
            };
            let target = rows.buffer(self.in_features);
            rows.backward.push(RowOp::InputGradient { linear, grad, target, weight });
            target
        };
        Some(Gradient { at, flushed: false })
    }
}
