//! Networks that fit into L1: which they are, and their step.
//!
//! The passes are those of `kernels/tiny.rs`. A batch goes through in chunks of 16 rows, whose sums
//! go on from chunk to chunk within N2's blocks of 256, so that activations are never more than a
//! chunk's, whatever the batch.

use std::ops::Range;

use super::batch::{Batch, StepLoss};
use super::op::whole;
use super::parameters::Layout;
use super::plan::Plan;
use super::spec::{self, Spec};
use super::state::State;
use super::workspace::{Buffers, Workspace};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::Span;
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::tiny::{Backward, Forward, Layer, ROOM, Step, Update};
use crate::runtime::pool::caught;
use crate::simd::LANES;

/// Columns of X, units of any layer: one panel. With 24 inputs the general plan was 20 % faster.
const MAX_WIDTH: usize = 16;
/// Weights of all layers. Beyond about 400 (13-16-8-1, batch 32) the two plans are a tie.
const MAX_WEIGHTS: usize = 512;

/// Linear layers, each with the activation that follows, if they are all that a network has and it
/// fits into L1.
fn pairs(spec: &Spec) -> Option<Vec<(&spec::Linear, Activation)>> {
    let mut pairs: Vec<(&spec::Linear, Activation)> = Vec::new();
    let mut weights = 0;
    for layer in &spec.layers {
        match layer {
            spec::Layer::Linear(linear) => {
                let (inputs, outputs) = (linear.in_features, linear.out_features);
                if inputs > MAX_WIDTH || outputs > MAX_WIDTH {
                    return None;
                }
                weights += inputs * outputs;
                pairs.push((linear, Activation::Identity));
            }
            spec::Layer::Activation(Activation::Identity) => {}
            spec::Layer::Activation(activation) => match pairs.last_mut()? {
                (_, free @ Activation::Identity) => *free = *activation,
                _ => return None,
            },
            spec::Layer::Flatten => {}
            spec::Layer::Dropout { .. } | spec::Layer::Conv2d(_) | spec::Layer::Pool(_) => {
                return None;
            }
        }
    }
    (weights <= MAX_WEIGHTS && spec.loss.is_some()).then_some(pairs)
}

/// Whether a network trains in this way.
pub(super) fn fits(spec: &Spec) -> bool {
    pairs(spec).is_some()
}

/// The layers of a network that fits, and where their matrices lie.
#[derive(Debug)]
pub(super) struct Tiny {
    layers: Vec<Layer>,
    /// Runs of layers with one factor on the learning rate.
    groups: Vec<(f64, Range<usize>)>,
}

impl Tiny {
    /// Lays the matrices out; `None` for a network that does not fit.
    pub(super) fn new<T: Elementary>(spec: &Spec, buffers: &mut Buffers) -> Option<Self> {
        let layout = Layout::new::<T>(spec).ok()?;
        let mut layers: Vec<Layer> = Vec::new();
        let mut groups: Vec<(f64, Range<usize>)> = Vec::new();
        let mut below = buffers.reserve(ROOM);
        let mut trainable = false;
        for ((linear, activation), at) in pairs(spec)?.into_iter().zip(&layout.layers) {
            let (inputs, outputs) = (linear.in_features, linear.out_features);
            let output = buffers.reserve(ROOM);
            layers.push(Layer {
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
        Some(Self { layers, groups })
    }
}

impl<T: Elementary> Plan<T> {
    /// As [`Plan::train`].
    pub(super) fn train_tiny(
        &self,
        tiny: &Tiny,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
    ) -> Result<StepLoss> {
        let divisor = self.prepare(1, workspace, batch)?;
        let mut tree = BlockTree::default();
        let mut start = 0;
        while start < batch.rows {
            let end = if batch.rows - start < BLOCK_ROWS { batch.rows } else { start + BLOCK_ROWS };
            workspace.reserve_gradients(&state.layout, tree.slot() + 1)?;
            let gradient = whole(&workspace.gradients[tree.slot()]);
            let scale = self.scale(divisor);
            caught(|| self.tiny_block(tiny, state, workspace, batch, scale, start..end, gradient))?;
            tree.push().for_each(|slot| self.merge(workspace, slot));
            start = end;
        }
        tree.finish().for_each(|slot| self.merge(workspace, slot));
        let loss = self.total(workspace, batch.rows, divisor);
        if loss.is_finite() {
            state.begin_update(&self.updates.optimizer);
            caught(|| self.tiny_update(tiny, state, whole(workspace.gradient())))?;
        }
        Ok(loss)
    }

    /// Losses and gradients of one of N2's blocks of rows.
    #[allow(clippy::too_many_arguments, reason = "the step's three objects and one block of it")]
    fn tiny_block(
        &self,
        tiny: &Tiny,
        state: &State<T>,
        workspace: &Workspace<T>,
        batch: &Batch<'_, T>,
        divisor: f64,
        rows: Range<usize>,
        gradient: Span<T>,
    ) {
        let mut first = rows.start;
        while first < rows.end {
            let count = if rows.end - first < LANES { rows.end - first } else { LANES };
            let of_chunk = |buffer| workspace.buffer(buffer).slice(0, count);
            let step = Step {
                layers: &tiny.layers,
                parameters: whole(&state.parameters),
                scratch: workspace.memory(),
                count,
            };
            let (input, output) = (of_chunk(self.input), of_chunk(self.output));
            let output_grad = of_chunk(self.output_grad);
            self.gather(batch, first, input);
            self.isa.run(Forward { step, input, output });
            self.loss_rows(
                workspace,
                batch,
                (first, first + count),
                output,
                of_chunk(self.targets),
                Some(output_grad),
                divisor,
            );
            let fresh = first == rows.start;
            self.isa.run(Backward { step, output_grad, gradient, fresh });
            first += count;
        }
    }

    fn tiny_update(&self, tiny: &Tiny, state: &State<T>, gradient: Span<T>) {
        let parameters = whole(&state.parameters);
        let mut moments = [Span::empty(); 2];
        for (moment, arena) in moments.iter_mut().zip(&state.moments) {
            *moment = whole(arena);
        }
        for (lr_scale, layers) in &tiny.groups {
            let layers = &tiny.layers[layers.clone()];
            let rule = state.rule(&self.updates.optimizer, *lr_scale);
            self.isa.run(Update { layers, rule, parameters, gradient, moments });
        }
    }
}
