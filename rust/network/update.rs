//! How parameters change, wherever their gradients come from.

use super::memory::{LayerLayout, State, Workspace};
use super::prepare::{Preparation, penalty, wants_sums};
use super::share::weight_team;
use super::spec::Spec;
use super::tiny;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::optimizer::{BatchWeight, MOMENTS, Method};
use crate::kernels::panels::Panels;
use crate::kernels::weight::{ApplyBlock, Average, Block, LinearState, Parameter, PrepareBlock};
use crate::runtime::pool::ThreadPool;
use crate::runtime::{Arena, memory};
use crate::simd::{Isa, LANES};

/// The updates of one network's trainable layers.
pub struct Updates {
    isa: Isa,
    pub(super) method: Method,
    /// Of the network: [`Spec::fingerprint`].
    fingerprint: u64,
    layers: Vec<Updated>,
    /// Tiles: an index into `layers` and a block of that layer.
    blocks: Vec<(usize, Block)>,
}

/// A layer that updates change.
#[derive(Clone, Copy)]
struct Updated {
    /// Its index among the layers with parameters.
    index: usize,
    keep_backward: bool,
}

impl Updates {
    /// Those of a network.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for the list of tiles.
    pub fn new(spec: &Spec, isa: Isa) -> Result<Self> {
        let mut layers = Vec::new();
        let mut blocks = Vec::new();
        for (index, weighted) in spec.weighted().enumerate() {
            if weighted.trainable {
                let block = |block| (layers.len(), block);
                memory::reserve(&mut blocks, count_blocks(weighted.inputs, weighted.outputs))?;
                blocks.extend(blocks_of(weighted.inputs, weighted.outputs).map(block));
                layers.push(Updated { index, keep_backward: keeps_backward(spec, weighted.layer) });
            }
        }
        let method = Method { optimizer: spec.optimizer, options: spec.options };
        let fingerprint = spec.fingerprint();
        Ok(Self { isa, method, fingerprint, layers, blocks })
    }

    /// The update from a gradient in the layout of the parameters, which has its penalties and is
    /// overwritten.
    ///
    /// # Errors
    /// `Error::Internal` if a tile panicked, `Error::Memory` if there is no room for sums over gradients.
    ///
    /// # Panics
    /// If the state is another network's.
    pub fn apply<T: Elementary>(
        &self,
        threads: usize,
        state: &mut State<T>,
        gradient: &Arena<T>,
    ) -> Result<()> {
        assert!(state.is_of(self.fingerprint), "the state is another network's");
        let clips = self.method.options.clip_norm.is_some();
        let table = if clips { Some(state.layout.sums_table()?) } else { None };
        self.update(threads, state, (gradient, table.as_ref()), None)
    }

    /// Makes sure of the memory that updates need beside the gradient.
    pub(super) fn reserve<T: Elementary>(
        &self,
        state: &State<T>,
        workspace: &mut Workspace<T>,
    ) -> Result<()> {
        if wants_sums(&self.method.options) {
            workspace.reserve_sums(&state.layout)?;
        }
        Ok(())
    }

    /// The update from the gradient of a batch of this weight, which the workspace holds; its penalty. What it
    /// needs has been reserved.
    pub(super) fn train<T: Elementary>(
        &self,
        threads: usize,
        state: &mut State<T>,
        workspace: &Workspace<T>,
        weight: BatchWeight,
    ) -> Result<f64> {
        self.update(threads, state, (workspace.gradient(), workspace.sums()), Some(weight))?;
        Ok(self.penalty(state, workspace, weight))
    }

    /// The penalty of a batch of this weight, whose weights have been summed in the workspace.
    pub(super) fn penalty<T: Elementary>(
        &self,
        state: &State<T>,
        workspace: &Workspace<T>,
        weight: BatchWeight,
    ) -> f64 {
        penalty(&self.method.options, weight, &state.layout, workspace.sums())
    }

    /// Adds the penalty of a batch of this weight to the gradients of its loss, which the workspace holds, and
    /// gives it.
    pub(super) fn penalize<T: Elementary>(
        &self,
        threads: usize,
        state: &State<T>,
        workspace: &mut Workspace<T>,
        weight: BatchWeight,
    ) -> Result<f64> {
        if !self.method.options.penalize() {
            return Ok(0.0);
        }
        workspace.reserve_sums(&state.layout)?;
        if let Some(table) = workspace.sums() {
            let how = Preparation::of_loss(&self.method, weight, &state.layout, table);
            self.prepare(threads, state, workspace.gradient(), &how)?;
        }
        Ok(self.penalty(state, workspace, weight))
    }

    /// The update from a gradient; entries of sums go into the table, if these are wanted.
    fn update<T: Elementary>(
        &self,
        threads: usize,
        state: &mut State<T>,
        (gradient, table): (&Arena<T>, Option<&Arena<f64>>),
        weight: Option<BatchWeight>,
    ) -> Result<()> {
        let how = Preparation::new(&self.method, weight, &state.layout, table);
        if self.method.options.clip_norm.is_none() {
            return self.apply_as(threads, state, gradient, &how);
        }
        self.prepare(threads, state, gradient, &how)?;
        self.apply_prepared(threads, state, gradient, table)
    }

    /// The update from a gradient that is prepared; the entries of its squares are in the table.
    pub(super) fn apply_prepared<T: Elementary>(
        &self,
        threads: usize,
        state: &mut State<T>,
        gradient: &Arena<T>,
        table: Option<&Arena<f64>>,
    ) -> Result<()> {
        let how = Preparation::after(&self.method, &state.layout, table);
        self.apply_as(threads, state, gradient, &how)
    }

    /// Prepares a gradient where it lies.
    fn prepare<T: Elementary>(
        &self,
        threads: usize,
        state: &State<T>,
        gradient: &Arena<T>,
        how: &Preparation<'_, T>,
    ) -> Result<()> {
        self.each_block(threads, state, how, &|layout, layer, block| {
            prepare_block(self.isa, layout, layer, gradient, block);
        })
    }

    /// The update from a gradient, which is prepared in this way.
    fn apply_as<T: Elementary>(
        &self,
        threads: usize,
        state: &mut State<T>,
        gradient: &Arena<T>,
        how: &Preparation<'_, T>,
    ) -> Result<()> {
        state.begin_update(&self.method.optimizer);
        self.each_block(threads, state, how, &|layout, layer, block| {
            apply_block(self.isa, layout, layer, gradient, block);
        })
    }

    /// Calls `work` with each tile.
    fn each_block<T: Elementary>(
        &self,
        threads: usize,
        state: &State<T>,
        how: &Preparation<'_, T>,
        work: &(dyn Fn(&LayerLayout, &LinearState<T>, Block) + Sync),
    ) -> Result<()> {
        let of = |layer: &Updated| layer_state(state, how, layer.index, layer.keep_backward);
        let layers: Vec<_> = self.layers.iter().map(of).collect();
        let team = weight_team::<T>(threads, self.blocks.len(), 0);
        ThreadPool::run(team, self.blocks.len(), &|tile| {
            let (layer, block) = self.blocks[tile];
            work(&state.layout.layers[self.layers[layer].index], &layers[layer], block);
        })
    }
}

/// Prepares the gradient of one block of a layer.
pub(super) fn prepare_block<T: Elementary>(
    isa: Isa,
    layout: &LayerLayout,
    state: &LinearState<T>,
    gradient: &Arena<T>,
    block: Block,
) {
    isa.run(PrepareBlock {
        weight: block.of_weight(layout.weight(gradient)),
        bias: layout.bias.then(|| block.of_bias(layout.bias(gradient))),
        block,
        state,
    });
}

/// The update of one block of a layer.
pub(super) fn apply_block<T: Elementary>(
    isa: Isa,
    layout: &LayerLayout,
    state: &LinearState<T>,
    gradient: &Arena<T>,
    block: Block,
) {
    isa.run(ApplyBlock {
        weight: block.of_weight(layout.weight(gradient)),
        bias: layout.bias.then(|| block.of_bias(layout.bias(gradient))),
        block,
        state,
    });
}

/// Whether updates of a layer keep the second copy of its weight: where training reads it. Small
/// networks make theirs anew for each step.
pub(super) fn keeps_backward(spec: &Spec, layer: usize) -> bool {
    spec.weighted().take_while(|below| below.layer < layer).any(|below| below.trainable)
        && spec.is_copied(layer)
        && !tiny::fits(spec)
}

/// How many blocks a weight has.
pub(super) fn count_blocks(inputs: usize, outputs: usize) -> usize {
    inputs.div_ceil(LANES) * outputs.div_ceil(2 * LANES)
}

/// The blocks of a weight.
pub(super) fn blocks_of(inputs: usize, outputs: usize) -> impl Iterator<Item = Block> {
    let outputs = outputs.div_ceil(LANES);
    (0..outputs).step_by(2).flat_map(move |output| {
        (0..inputs.div_ceil(LANES)).map(move |input| Block {
            input,
            output,
            outputs: if outputs - output < 2 { 1 } else { 2 },
        })
    })
}

/// What the update of a layer reads and writes.
pub(super) fn layer_state<T: Elementary>(
    state: &State<T>,
    how: &Preparation<'_, T>,
    index: usize,
    keep_backward: bool,
) -> LinearState<T> {
    let layout = &state.layout.layers[index];
    let rules = state.rules(how.method, (layout.lr_scale, layout.matrix));
    let [weight_terms, bias_terms] = how.terms(layout);
    let average = state.average.as_ref().zip(how.method.options.rest());
    let average = |of: &dyn Fn(&Arena<T>) -> Panels<T>| {
        average.map(|(average, rest)| Average { values: of(average), rest })
    };
    let (mut of_weight, mut of_bias) = ([None; MOMENTS], [None; MOMENTS]);
    for (k, moment) in state.moments.iter().enumerate() {
        of_weight[k] = Some(layout.weight(moment));
        of_bias[k] = Some(layout.bias(moment));
    }
    let parameters = &state.parameters;
    LinearState {
        weight: Parameter {
            rule: rules.weight,
            values: layout.weight(parameters),
            moments: of_weight,
            terms: weight_terms,
            average: average(&|buffer| layout.weight(buffer)),
        },
        backward: keep_backward.then(|| layout.backward_weight(&state.backward)),
        bias: layout.bias.then(|| Parameter {
            rule: rules.bias,
            values: layout.bias(parameters),
            moments: of_bias,
            terms: bias_terms,
            average: average(&|buffer| layout.bias(buffer)),
        }),
        sums: how.sums(layout),
        factor: how.factor,
    }
}
