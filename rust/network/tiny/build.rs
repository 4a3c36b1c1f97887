//! Which networks fit into L1, and where their matrices lie.

use std::ops::Range;

use crate::kernels::activation::Activation;
use crate::kernels::elementary::Elementary;
use crate::kernels::tiny::{ROOM, TinyLayer};
use crate::network::memory::{Buffers, Layout};
use crate::network::nodes::{self, Linear};
use crate::network::spec::Spec;
use crate::network::tuning::{TINY_WEIGHTS, TINY_WIDTH};

/// Linear layers, each with the activation that follows, if they are all that a network has and it
/// fits into L1.
fn pairs(spec: &Spec) -> Option<Vec<(&Linear, Activation)>> {
    let mut pairs: Vec<(&Linear, Activation)> = Vec::new();
    let mut weights = 0;
    for layer in &spec.layers {
        match layer {
            nodes::Layer::Linear(linear) => {
                let (inputs, outputs) = (linear.in_features, linear.out_features);
                if inputs > TINY_WIDTH || outputs > TINY_WIDTH {
                    return None;
                }
                weights += inputs * outputs;
                if weights > TINY_WEIGHTS {
                    return None;
                }
                pairs.push((linear, Activation::Identity));
            }
            nodes::Layer::Activation(Activation::Identity) => {}
            nodes::Layer::Activation(activation) => match pairs.last_mut()? {
                (_, free @ Activation::Identity) => *free = *activation,
                _ => return None,
            },
            nodes::Layer::Flatten => {}
            _ => return None,
        }
    }
    spec.loss.is_some().then_some(pairs)
}

/// Whether a network trains in this way.
pub(in crate::network) fn fits(spec: &Spec) -> bool {
    pairs(spec).is_some()
}

/// A matrix with rows as rows: where it begins, and its columns.
pub(super) type TinyMatrix = (usize, usize);

/// The layers of a network that fits, and where their matrices lie.
#[derive(Debug)]
pub(in crate::network) struct Tiny {
    pub(super) layers: Vec<TinyLayer>,
    /// Rows of X, outputs, targets, gradient at the outputs.
    pub(super) places: [TinyMatrix; 4],
    /// Runs of layers with one factor on the learning rate.
    pub(super) groups: Vec<(f64, Range<usize>)>,
}

impl Tiny {
    /// Lays the matrices out; `None` for a network that does not fit.
    pub(in crate::network) fn new<T: Elementary>(
        spec: &Spec,
        buffers: &mut Buffers,
    ) -> Option<Self> {
        let layout = Layout::new::<T>(spec).ok()?;
        let mut layers: Vec<TinyLayer> = Vec::new();
        let mut groups: Vec<(f64, Range<usize>)> = Vec::new();
        let mut below = buffers.reserve(ROOM);
        let mut trainable = false;
        for ((linear, activation), at) in pairs(spec)?.into_iter().zip(&layout.layers) {
            let (inputs, outputs) = (linear.in_features, linear.out_features);
            let output = buffers.reserve(ROOM);
            layers.push(TinyLayer {
                inputs,
                outputs,
                activation,
                weight: at.weight_at,
                bias: at.bias_at,
                has_bias: linear.bias,
                trainable: linear.trainable,
                input_grad: trainable,
                input: below,
                sum: if activation.needs_input() { buffers.reserve(ROOM) } else { output },
                output,
                grad: buffers.reserve(ROOM),
                grad_rows: buffers.reserve(ROOM),
            });
            match groups.last_mut() {
                Some((lr_scale, run)) if *lr_scale == linear.lr_scale => run.end = layers.len(),
                _ => groups.push((linear.lr_scale, layers.len() - 1..layers.len())),
            }
            below = output;
            trainable |= linear.trainable;
        }
        let (inputs, outputs) = (spec.in_features(), spec.out_features());
        let places =
            [inputs, outputs, spec.targets(), outputs].map(|cols| (buffers.reserve(ROOM), cols));
        Some(Self { layers, places, groups })
    }
}
