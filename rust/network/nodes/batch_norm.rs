//! Batch normalization (Ioffe and Szegedy, 2015).

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::Node;
use super::parameters::{Init, Weighted};
use super::shape::{PartialShape, Shape, check_features, check_row, last};
use super::tracked::Tracked;
use crate::error::{Error, Result};
use crate::network::memory::BufferId;
use crate::network::op::{RowOp, WeightSource};

/// y = w xhat + b with xhat = (x - mean) / sqrt(variance + eps), of each feature over the rows of a batch; in
/// predictions over those of past batches.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Width of input and output.
    pub features: usize,
    /// At least 0.
    pub eps: f64,
    /// The share of the newest batch in the running statistics, from 0 to 1; of none all have the same.
    pub momentum: Option<f64>,
    /// Whether there are w and b.
    pub affine: bool,
    /// Whether updates change them.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

/// What it is called in messages.
const NAME: &str = "BatchNorm1d";

impl Node for BatchNorm {
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        if self.features == 0 {
            let text = format!("layer {name}: {NAME} has 0 features, it must have at least 1");
            return Err(Error::Value(text));
        }
        check_row(name, NAME, self.features, last(inputs))?;
        Ok(PartialShape::Row(Some(self.features)))
    }

    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        check_features(name, NAME, self.features, inputs)?;
        Ok(Shape::Row(self.features))
    }

    fn weighted(&self, layer: usize) -> Option<Weighted> {
        self.affine.then(|| Weighted {
            layer,
            // One number for each feature, as a weight with one input has.
            inputs: 1,
            outputs: self.features,
            fan_out: self.features,
            shape: vec![self.features],
            bias: true,
            init: Init::Constant(1.0),
            trainable: self.trainable,
            lr_scale: self.lr_scale,
        })
    }

    fn tracked(&self, layer: usize) -> Option<Tracked> {
        Some(Tracked { layer, channels: self.features, momentum: self.momentum })
    }

    fn in_features(&self) -> Option<usize> {
        Some(self.features)
    }

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
