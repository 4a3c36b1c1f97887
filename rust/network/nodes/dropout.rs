//! Units left out in training (Srivastava et al., 2014).

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::Node;
use super::shape::{PartialShape, last};
use crate::error::Result;
use crate::network::memory::BufferId;
use crate::network::op::RowOp;

/// Zeroes units with probability `p` in training and scales the others up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of zero, in [0, 1).
    pub p: f64,
}

impl Node for Dropout {
    fn kind(&self, _: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        Ok(last(inputs))
    }

    fn forward(&self, rows: &mut Builder, place: &Place, input: BufferId) -> Trail {
        let output = rows.place(place, input);
        let mask = rows.buffer(rows.buffers.cols(input));
        rows.save(mask);
        let (layer, p) = (place.node, self.p);
        rows.forward.push(RowOp::Dropout { layer, p, input, output, mask });
        Trail { input, output, own: [Some(mask), None] }
    }

    fn backward(
        &self,
        rows: &mut Builder,
        _: &Place,
        Trail { own, .. }: Trail,
        grad: Gradient,
    ) -> Option<Gradient> {
        let [Some(mask), _] = own else { return Some(grad) };
        let (grad, target) = (grad.at, rows.place_gradient(grad.at));
        rows.backward.push(RowOp::DropoutGradient { mask, grad, target });
        Some(Gradient { at: target, flushed: false })
    }
}
