//! A step of a network that fits into L1, on one thread.

use super::build::{Tiny, TinyMatrix};
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::Gather;
use crate::kernels::loss::Divisors;
use crate::kernels::optimizer::{BatchWeight, MOMENTS, Rules};
use crate::kernels::panels::Span;
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::tiny::{ROOM, Rows, Step, Steps, Then, TinyLayer, TinyPenalty, TinyUpdate};
use crate::network::batch::{Batch, StepLoss};
use crate::network::loss::LossHead;
use crate::network::memory::{State, Workspace, whole};
use crate::network::tuning::NARROW_ROWS;
use crate::network::update::Updates;
use crate::simd::{Isa, LANES};

/// Counts an update that has begun, by the state that it changes and its loss.
pub(in crate::network) type Each<'a, T> = dyn FnMut(&mut State<T>, StepLoss) + 'a;

/// What all steps on a batch share.
pub(in crate::network) struct TinySteps<'a, T> {
    tiny: &'a Tiny,
    batch: &'a Batch<'a, T>,
    isa: Isa,
    loss: &'a LossHead,
    divisors: Divisors,
    updates: &'a Updates,
    /// What the batch's rows weigh.
    weight: BatchWeight,
    /// What the penalty on squares adds to gradients of weights, times these, if there is one.
    l2: Option<T>,
    /// What X is divided by.
    scale: Option<T>,
}

impl<'a, T: Elementary> TinySteps<'a, T> {
    /// Gathers the labels of the batch.
    pub(in crate::network) fn new(
        tiny: &'a Tiny,
        batch: &'a Batch<'a, T>,
        isa: Isa,
        loss: &'a LossHead,
        updates: &'a Updates,
        scale: Option<T>,
        workspace: &Workspace<T>,
    ) -> Self {
        let rows = batch.rows;
        assert!(rows <= workspace.batch_rows());
        batch.gather_labels(0..rows, loss.outputs(), workspace.classes(), workspace.weights());
        let divisors = loss.divisors(workspace, batch);
        let isa = if rows <= NARROW_ROWS { isa.narrow() } else { isa };
        let weight = loss.weight(workspace, batch, &divisors);
        let l2 = updates.method.options.l2;
        let l2 = (l2 != 0.0).then(|| T::from_f64(weight.share(l2)));
        Self { tiny, batch, isa, loss, divisors, updates, weight, l2, scale }
    }

    /// As [`Plan::train_again`](crate::network::Plan::train_again); the caller catches panics.
    pub(in crate::network) fn train(
        &self,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        times: usize,
        each: &mut Each<'_, T>,
    ) -> Result<StepLoss> {
        self.loss.check(&self.divisors)?;
        self.updates.reserve(state, workspace)?;
        if self.batch.rows <= LANES && self.is_fused() {
            return self.steps_of_chunk(state, workspace, times, each);
        }
        let mut last = StepLoss::NONE;
        for _ in 0..times {
            last = self.step_of_chunks(state, workspace)?;
            if !last.is_finite() {
                break;
            }
            each(state, last);
        }
        Ok(last)
    }

    /// Steps on a batch of one chunk, whose layers share their rules.
    fn steps_of_chunk(
        &self,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
        times: usize,
        each: &mut Each<'_, T>,
    ) -> Result<StepLoss> {
        let count = self.batch.rows;
        workspace.reserve_gradients(&state.layout, 1)?;
        let rows = self.chunk(state, workspace, (0, count));
        let update = self.first_update(state, whole(workspace.gradient()));
        let mut last = StepLoss::NONE;
        let mut then = |rules: &mut Rules<T>| {
            last = self.loss.total(workspace, count, &self.divisors);
            let then = self.then_update(state, workspace, &mut last, rules);
            if last.is_finite() {
                each(state, last);
            }
            then
        };
        self.isa.run(Steps { rows, update, fresh: true, then: &mut then, times });
        Ok(last)
    }

    /// A step on a batch of any size, chunk by chunk.
    fn step_of_chunks(
        &self,
        state: &mut State<T>,
        workspace: &mut Workspace<T>,
    ) -> Result<StepLoss> {
        let Self { tiny, batch, isa, .. } = *self;
        let mut tree = BlockTree::default();
        let mut first = 0;
        while first < batch.rows {
            let slot = tree.slot();
            workspace.reserve_gradients(&state.layout, slot + 1)?;
            let gradient = whole(workspace.gradient_slot(slot));
            let update = self.first_update(state, gradient);
            let start = first;
            let left = batch.rows - start;
            let end = start + if left < BLOCK_ROWS { left } else { BLOCK_ROWS };
            while first < end {
                let count = if end - first < LANES { end - first } else { LANES };
                let rows = self.chunk(state, workspace, (first, count));
                let fresh = first == start;
                first += count;
                // One block and the same rules: the last sums go straight into the update.
                let whole = first == batch.rows && start == 0 && self.is_fused();
                let mut loss = None;
                let mut then = |rules: &mut Rules<T>| {
                    if !whole {
                        return Then::Sums;
                    }
                    let total = self.loss.total(workspace, batch.rows, &self.divisors);
                    self.then_update(state, workspace, loss.insert(total), rules)
                };
                isa.run(Steps { rows, update, fresh, then: &mut then, times: 1 });
                if let Some(loss) = loss {
                    return Ok(loss);
                }
            }
            tree.push().for_each(|slot| workspace.merge_gradients(isa, slot));
        }
        tree.finish().for_each(|slot| workspace.merge_gradients(isa, slot));
        let mut loss = self.loss.total(workspace, batch.rows, &self.divisors);
        if loss.is_finite() && !self.updates.method.options.adds_squares_alone() {
            loss.penalty = self.updates.train(1, state, workspace, self.weight)?;
        } else if loss.is_finite() {
            loss.penalty = self.penalty(state, workspace);
            state.begin_update(&self.updates.method.optimizer);
            for (lr_scale, layers) in &tiny.groups {
                let layers = &tiny.layers[layers.clone()];
                isa.run(self.update(layers, state, *lr_scale, whole(workspace.gradient())));
            }
        }
        Ok(loss)
    }

    /// Whether all layers share their rules, and gradients get no more than the penalty on squares.
    fn is_fused(&self) -> bool {
        self.tiny.groups.len() == 1 && self.updates.method.options.adds_squares_alone()
    }

    /// The penalty on squares, of the parameters as they are.
    fn penalty(&self, state: &State<T>, workspace: &Workspace<T>) -> f64 {
        let options = &self.updates.method.options;
        let Some(table) = workspace.sums().filter(|_| options.penalize()) else { return 0.0 };
        let (layers, parameters) = (&self.tiny.layers, whole(&state.parameters));
        let [entries, _] = state.layout.sums(table);
        self.isa.run(TinyPenalty { layers, parameters, entries, options });
        self.updates.penalty(state, workspace, self.weight)
    }

    /// The rules of an update, which all layers share, if the loss is finite.
    fn then_update(
        &self,
        state: &mut State<T>,
        workspace: &Workspace<T>,
        loss: &mut StepLoss,
        rules: &mut Rules<T>,
    ) -> Then {
        if !loss.is_finite() {
            return Then::Stop;
        }
        loss.penalty = self.penalty(state, workspace);
        state.begin_update(&self.updates.method.optimizer);
        *rules = state.rules(&self.updates.method, (self.tiny.groups[0].0, true));
        Then::Update
    }

    /// The row phase of `count` rows of the batch from row `first` on.
    fn chunk(
        &self,
        state: &State<T>,
        workspace: &Workspace<T>,
        (first, count): (usize, usize),
    ) -> Rows<'a, T> {
        let Self { tiny, batch, isa, divisors, loss, .. } = *self;
        let step = Step {
            layers: &tiny.layers,
            parameters: whole(&state.parameters),
            scratch: workspace.memory(),
            count,
        };
        let of_chunk = |(at, cols): TinyMatrix| step.scratch.panels(at, (count, cols), ROOM);
        let [input, outputs, targets, grad] = tiny.places.map(of_chunk);
        let matrices = (outputs, targets, Some(grad));
        let rows = (first, first + count);
        let losses = loss.of_rows(workspace, batch, rows, matrices, loss.reduction(&divisors));
        let (loss, targets) = losses.expect("a network that fits has a loss");
        let rows = batch.order.range(first, first + count);
        if batch.standardizer().is_some() {
            batch.gather(isa, None, (first, 0), input);
            return Rows { step, input, plain: None, scale: None, targets, loss };
        }
        let gather = Gather { source: batch.source, rows, target: input };
        let plain = gather.is_plain().then_some(gather);
        if plain.is_none() {
            isa.run(gather);
        }
        Rows { step, input, plain, scale: self.scale, targets, loss }
    }

    /// The update of all layers by the rules of the first.
    fn first_update(&self, state: &State<T>, gradient: Span<T>) -> TinyUpdate<'a, T> {
        self.update(&self.tiny.layers, state, self.tiny.groups[0].0, gradient)
    }

    /// The update of layers that share a factor on the learning rate.
    fn update<'l>(
        &self,
        layers: &'l [TinyLayer],
        state: &State<T>,
        lr_scale: f64,
        gradient: Span<T>,
    ) -> TinyUpdate<'l, T> {
        let mut moments = [Span::empty(); MOMENTS];
        for (moment, arena) in moments.iter_mut().zip(&state.moments) {
            *moment = whole(arena);
        }
        let method = &self.updates.method;
        let average = state.average.as_ref().zip(method.options.rest());
        let average = average.map(|(average, rest)| (whole(average), rest));
        let (rules, parameters) = (state.rules(method, (lr_scale, true)), whole(&state.parameters));
        TinyUpdate { layers, rules, parameters, gradient, moments, l2: self.l2, average }
    }
}
