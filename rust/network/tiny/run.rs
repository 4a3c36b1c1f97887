//! Networks that fit into L1: which they are, and their step.
//!
//! The passes are those of `kernels/tiny/`. A batch goes through in chunks of 16 rows, whose sums
//! go on from chunk to chunk within N2's blocks of 256, so that activations are never more than a
//! chunk's, whatever the batch.

use std::ops::Range;

use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::Gather;
use crate::kernels::loss::Divisors;
use crate::kernels::panels::Span;
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::tiny::{Layer, ROOM, Rows, Step, Steps, Then, Update};
use crate::network::batch::{Batch, StepLoss};
use crate::network::memory::{Buffers, Layout, State, Workspace, whole};
use crate::network::nodes::{self, Linear};
use crate::network::plan::Plan;
use crate::network::spec::Spec;
use crate::simd::{Isa, LANES};

/// Steps of so few rows take 256-bit registers at most: xor 0.18 us instead of 0.20 with AVX-512, in
/// f64 0.20 instead of 0.25; 13-16-8-1 is a tie.
const NARROW_ROWS: usize = 4;
/// Columns of X, units of any layer: one panel. With 24 inputs the general plan was 20 % faster.
const MAX_WIDTH: usize = 16;
/// Weights of all layers. Beyond about 400 (13-16-8-1, batch 32) the two plans are a tie.
const MAX_WEIGHTS: usize = 512;

/// Linear layers, each with the activation that follows, if they are all that a network has and it
/// fits into L1.
fn pairs(spec: &Spec) -> Option<Vec<(&Linear, Activation)>> {
    let mut pairs: Vec<(&Linear, Activation)> = Vec::new();
    let mut weights = 0;
    for layer in &spec.layers {
        match layer {
            nodes::Layer::Linear(linear) => {
                let (inputs, outputs) = (linear.in_features, linear.out_features);
                if inputs > MAX_WIDTH || outputs > MAX_WIDTH {
                    return None;
                }
                weights += inputs * outputs;
                if weights > MAX_WEIGHTS {
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
type Place = (usize, usize);

/// The layers of a network that fits, and where their matrices lie.
#[derive(Debug)]
pub(in crate::network) struct Tiny {
    layers: Vec<Layer>,
    /// Rows of X, outputs, targets, gradient at the outputs.
    places: [Place; 4],
    /// Runs of layers with one factor on the learning rate.
    groups: Vec<(f64, Range<usize>)>,
}

impl Tiny {
    /// Lays the matrices out; `None` for a network that does not fit.
    pub(in crate::network) fn new<T: Elementary>(
        spec: &Spec,
        buffers: &mut Buffers,
    ) -> Option<Self> {
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
        let (inputs, outputs) = (spec.in_features(), spec.out_features());
        let places = [inputs, outputs, outputs, outputs].map(|cols| (buffers.reserve(ROOM), cols));
        Some(Self { layers, places, groups })
    }
}

/// What all chunks of a batch share.
struct TinyPass<'a, T> {
    tiny: &'a Tiny,
    batch: &'a Batch<'a, T>,
    isa: Isa,
    divisors: Divisors,
}

impl<T: Elementary> Plan<T> {
    /// As [`Plan::train_again`], on one thread; the caller catches panics.
    pub(in crate::network) fn train_tiny(
        &self,
        tiny: &Tiny,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        batch: &Batch<'_, T>,
        times: usize,
        each: &mut dyn FnMut(StepLoss),
    ) -> Result<StepLoss> {
        let rows = batch.rows;
        assert!(rows <= workspace.batch_rows());
        batch.gather_labels(0..rows, self.outputs(), workspace.classes(), workspace.weights());
        let divisors = self.divisors(workspace, batch);
        let isa = if rows <= NARROW_ROWS { self.isa.narrow() } else { self.isa };
        let pass = TinyPass { tiny, batch, isa, divisors };
        if rows <= LANES && tiny.groups.len() == 1 {
            return self.steps_of_chunk(&pass, state, workspace, times, each);
        }
        let mut last = StepLoss::NONE;
        for _ in 0..times {
            last = self.step_of_chunks(&pass, state, workspace)?;
            if !last.is_finite() {
                break;
            }
            each(last);
        }
        Ok(last)
    }

    /// Steps on a batch of one chunk, whose layers share a rule.
    fn steps_of_chunk(
        &self,
        pass: &TinyPass<'_, T>,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        times: usize,
        each: &mut dyn FnMut(StepLoss),
    ) -> Result<StepLoss> {
        let count = pass.batch.rows;
        workspace.reserve_gradients(&state.layout, 1)?;
        let rows = self.tiny_chunk(pass, state, workspace, (0, count));
        let update = self.first_update(pass.tiny, state, whole(workspace.gradient()));
        let mut last = StepLoss::NONE;
        let mut then = || {
            last = self.total(workspace, count, &pass.divisors);
            if last.is_finite() {
                each(last);
            }
            self.then_update(pass.tiny, state, &last)
        };
        pass.isa.run(Steps { rows, update, fresh: true, then: &mut then, times });
        Ok(last)
    }

    /// A step on a batch of any size, chunk by chunk.
    fn step_of_chunks(
        &self,
        pass: &TinyPass<'_, T>,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
    ) -> Result<StepLoss> {
        let TinyPass { tiny, batch, isa, divisors } = *pass;
        let mut tree = BlockTree::default();
        let mut first = 0;
        while first < batch.rows {
            let slot = tree.slot();
            workspace.reserve_gradients(&state.layout, slot + 1)?;
            let gradient = whole(&workspace.gradients[slot]);
            let start = first;
            let left = batch.rows - start;
            let end = start + if left < BLOCK_ROWS { left } else { BLOCK_ROWS };
            while first < end {
                let count = if end - first < LANES { end - first } else { LANES };
                let rows = self.tiny_chunk(pass, state, workspace, (first, count));
                let fresh = first == start;
                first += count;
                // One block and one rule: the last sums go straight into the update.
                let whole = first == batch.rows && start == 0 && tiny.groups.len() == 1;
                let update = self.first_update(tiny, state, gradient);
                let mut loss = None;
                let mut then = || {
                    if !whole {
                        return Then::Sums;
                    }
                    let total = loss.insert(self.total(workspace, batch.rows, &divisors));
                    self.then_update(tiny, state, total)
                };
                isa.run(Steps { rows, update, fresh, then: &mut then, times: 1 });
                if let Some(loss) = loss {
                    return Ok(loss);
                }
            }
            tree.push().for_each(|slot| self.merge(workspace, slot));
        }
        tree.finish().for_each(|slot| self.merge(workspace, slot));
        let loss = self.total(workspace, batch.rows, &divisors);
        if loss.is_finite() {
            state.begin_update(&self.updates.optimizer);
            for (lr_scale, layers) in &tiny.groups {
                let layers = &tiny.layers[layers.clone()];
                isa.run(self.tiny_update(layers, state, *lr_scale, whole(workspace.gradient())));
            }
        }
        Ok(loss)
    }

    /// The update of all layers by the rule that they share, if the loss is finite.
    fn then_update(&self, tiny: &Tiny, state: &mut State<T>, loss: &StepLoss) -> Then<T> {
        if !loss.is_finite() {
            return Then::Stop;
        }
        state.begin_update(&self.updates.optimizer);
        Then::Update(state.rule(&self.updates.optimizer, tiny.groups[0].0))
    }

    /// The row phase of `count` rows of the batch from row `first` on.
    fn tiny_chunk<'a>(
        &'a self,
        pass: &TinyPass<'a, T>,
        state: &State<T>,
        workspace: &Workspace<T>,
        (first, count): (usize, usize),
    ) -> Rows<'a, T> {
        let TinyPass { tiny, batch, isa, divisors } = *pass;
        let step = Step {
            layers: &tiny.layers,
            parameters: whole(&state.parameters),
            scratch: workspace.memory(),
            count,
        };
        let of_chunk = |(at, cols): Place| step.scratch.panels(at, (count, cols), ROOM);
        let [input, outputs, targets, grad] = tiny.places.map(of_chunk);
        let places = (outputs, targets, Some(grad));
        let rows = (first, first + count);
        let losses = self.row_losses(workspace, batch, rows, places, self.reduction(&divisors));
        let (loss, targets) = losses.expect("a network that fits has a loss");
        let rows = batch.order.range(first, first + count);
        let gather = Gather { source: batch.source, rows, target: input };
        let plain = gather.is_plain().then_some(gather);
        if plain.is_none() {
            isa.run(gather);
        }
        Rows { step, input, plain, scale: self.scale, targets, loss }
    }

    /// The update of all layers by the rule of the first.
    fn first_update<'a>(
        &self,
        tiny: &'a Tiny,
        state: &State<T>,
        gradient: Span<T>,
    ) -> Update<'a, T> {
        self.tiny_update(&tiny.layers, state, tiny.groups[0].0, gradient)
    }

    /// The update of layers that share a factor on the learning rate.
    fn tiny_update<'a>(
        &self,
        layers: &'a [Layer],
        state: &State<T>,
        lr_scale: f64,
        gradient: Span<T>,
    ) -> Update<'a, T> {
        let mut moments = [Span::empty(); 2];
        for (moment, arena) in moments.iter_mut().zip(&state.moments) {
            *moment = whole(arena);
        }
        let rule = state.rule(&self.updates.optimizer, lr_scale);
        Update { layers, rule, parameters: whole(&state.parameters), gradient, moments }
    }
}
