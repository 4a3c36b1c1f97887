//! Batch normalization (Ioffe and Szegedy, 2015).

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::Node;
use super::parameters::Weighted;
use super::shape::{PartialShape, Shape, check_features, check_row, last, no_rows};
use super::tracked::Tracked;
use crate::error::{Error, Result};
use crate::network::memory::BufferId;
use crate::network::op::{RowOp, WeightSource};

/// y = w xhat + b with xhat = (x - mean) / sqrt(variance + eps), of each feature over the rows of a batch, or
/// of each channel of images over their pixels too; in predictions over those of past batches.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Width of input and output, or their channels.
    pub features: usize,
    /// At least 0.
    pub eps: f64,
    /// The share of the newest batch in the running statistics, from 0 to 1; of none all have the same.
    pub momentum: Option<f64>,
    /// Whether there are w and b.
    pub affine: bool,
    /// Whether it takes images, and no rows.
    pub images: bool,
    /// Whether updates change w and b.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

impl BatchNorm {
    /// What it is called in messages.
    fn name(&self) -> &'static str {
        if self.images { "BatchNorm2d" } else { "BatchNorm1d" }
    }

    fn check_channels(&self, name: &str, channels: usize) -> Result<()> {
        if channels == self.features {
            return Ok(());
        }
        let (what, takes) = (self.name(), self.features);
        Err(Error::Shape(format!("layer {name}: {what} takes {takes} channels, gets {channels}")))
    }
}

impl Node for BatchNorm {
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        let what = self.name();
        if self.features == 0 {
            let text = format!("layer {name}: {what} has 0 features, it must have at least 1");
            return Err(Error::Value(text));
        }
        match last(inputs) {
            PartialShape::Row(_) if self.images => return Err(no_rows(name, what)),
            PartialShape::Image(Some(channels)) if self.images => {
                self.check_channels(name, channels)?;
            }
            _ if self.images => {}
            row => {
                check_row(name, what, self.features, row)?;
                return Ok(PartialShape::Row(Some(self.features)));
            }
        }
        Ok(PartialShape::Image(Some(self.features)))
    }

    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        match last(inputs) {
            Shape::Image(image) if self.images => {
                self.check_channels(name, image.channels)?;
                Ok(Shape::Image(image))
            }
            _ => {
                check_features(name, self.name(), self.features, inputs)?;
                Ok(Shape::Row(self.features))
            }
        }
    }

    fn weighted(&self, layer: usize) -> Option<Weighted> {
        let updates = (self.trainable, self.lr_scale);
        self.affine.then(|| Weighted::by_feature(layer, self.features, (1.0, true), updates))
    }

    fn tracked(&self, layer: usize) -> Option<Tracked> {
        Some(Tracked { layer, channels: self.features, momentum: self.momentum })
    }

    fn in_features(&self) -> Option<usize> {
        (!self.images).then_some(self.features)
    }

    /// On rows; on images it is known to `image/norm.rs`.
    fn forward(&self, rows: &mut Builder, place: &Place, input: BufferId) -> Trail {
        let normalized = rows.place(place, input);
        // The way back reads xhat, so that y needs a place of its own if it is another.
        rows.save(normalized);
        let output = if self.affine { rows.place(place, normalized) } else { normalized };
        let (tracked, eps) = (place.tracked, self.eps);
        let affine = self.affine.then_some(place.weighted);
        rows.forward.push(RowOp::BatchNormalize {
            tracked,
            affine,
            eps,
            input,
            normalized,
            output,
        });
        Trail { input, output, own: [Some(normalized), None] }
    }

    fn backward(
        &self,
        rows: &mut Builder,
        place: &Place,
        Trail { own, .. }: Trail,
        grad: Gradient,
    ) -> Option<Gradient> {
        let [Some(normalized), _] = own else { return Some(grad) };
        let grad = grad.at;
        if self.affine {
            let source = || WeightSource::Normalized { normalized, grad };
            rows.weigh(place, self.trainable, grad, source);
        }
        if !place.wanted_below {
            return None;
        }
        let target = rows.place_gradient(grad);
        rows.backward.push(RowOp::BatchNormalizeGradient {
            tracked: place.tracked,
            affine: self.affine.then_some(place.weighted),
            eps: self.eps,
            normalized,
            grad,
            target,
        });
        Some(Gradient { at: target, flushed: true })
    }
}
