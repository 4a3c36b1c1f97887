//! An elementwise function.

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::{Node, unchanged};
use super::shape::{PartialShape, last};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::network::memory::BufferId;
use crate::network::op::RowOp;

impl Node for Activation {
    fn kind(&self, _: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        Ok(last(inputs))
    }

    fn forward(&self, rows: &mut Builder, place: &Place, input: BufferId) -> Trail {
        let activation = *self;
        if activation == Self::Identity {
            return unchanged(input);
        }
        // The derivative comes from one of both.
        if activation.needs_input() {
            rows.save(input);
        }
        let output = rows.place(place, input);
        if !activation.needs_input() {
            rows.save(output);
        }
        rows.forward.push(RowOp::Activation { activation, input, output });
        Trail { input, output, own: [None; 2] }
    }

    fn backward(
        &self,
        rows: &mut Builder,
        _: &Place,
        Trail { input, output, .. }: Trail,
        grad: Gradient,
    ) -> Option<Gradient> {
        let activation = *self;
        if activation == Self::Identity {
            return Some(grad);
        }
        let (grad, target) = (grad.at, rows.place_gradient(grad.at));
        let saved = if activation.needs_input() { input } else { output };
        rows.backward.push(RowOp::ActivationGradient { activation, saved, grad, target });
        Some(Gradient { at: target, flushed: true })
    }
}
