//! Layer normalization (Ba, Kiros and Hinton, 2016).

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::Node;
use super::parameters::Weighted;
use super::shape::{PartialShape, Shape, check_features, check_row, last};
use crate::error::{Error, Result};
use crate::network::memory::BufferId;
use crate::network::op::{RowOp, WeightSource};
use crate::simd::LANES;

/// y = w xhat + b with xhat = (x - mean) / sqrt(variance + eps), over the features of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// Width of input and output.
    pub features: usize,
    /// At least 0.
    pub eps: f64,
    /// Whether there are w and b.
    pub affine: bool,
    /// Whether updates change them.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

impl Node for LayerNorm {
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        if self.features == 0 {
            let text = format!("layer {name}: LayerNorm has 0 features, it must have at least 1");
            return Err(Error::Value(text));
        }
        check_row(name, "LayerNorm", self.features, last(inputs))?;
        Ok(PartialShape::Row(Some(self.features)))
    }

    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        check_features(name, "LayerNorm", self.features, inputs)?;
        Ok(Shape::Row(self.features))
    }

    fn weighted(&self, layer: usize) -> Option<Weighted> {
        let updates = (self.trainable, self.lr_scale);
        self.affine.then(|| Weighted::by_feature(layer, self.features, (1.0, true), updates))
    }

    fn in_features(&self) -> Option<usize> {
        Some(self.features)
    }

    fn forward(&self, rows: &mut Builder, place: &Place, input: BufferId) -> Trail {
        let normalized = rows.place(place, input);
        // The way back reads xhat, so that y needs a place of its own if it is another.
        rows.save(normalized);
        let output = if self.affine { rows.place(place, normalized) } else { normalized };
        let reciprocals = rows.buffer(LANES);
        let affine = self.affine.then_some(place.weighted);
        let eps = self.eps;
        rows.forward.push(RowOp::Normalize { affine, eps, input, normalized, output, reciprocals });
        Trail { input, output, own: [Some(normalized), Some(reciprocals)] }
    }

    fn backward(
        &self,
        rows: &mut Builder,
        place: &Place,
        Trail { own, .. }: Trail,
        grad: Gradient,
    ) -> Option<Gradient> {
        let [Some(normalized), Some(reciprocals)] = own else { return Some(grad) };
        let grad = grad.at;
        if self.affine {
            let source = || WeightSource::Normalized { normalized, grad };
            rows.weigh(place, self.trainable, grad, source);
        }
        if !place.wanted_below {
            return None;
        }
        let target = rows.place_gradient(grad);
        let affine = self.affine.then_some(place.weighted);
        rows.backward.push(RowOp::NormalizeGradient {
            affine,
            normalized,
            reciprocals,
            grad,
            target,
        });
        Some(Gradient { at: target, flushed: true })
    }
}
