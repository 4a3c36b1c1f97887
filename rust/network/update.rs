//! How parameters change, wherever their gradients come from.

use super::memory::{LayerLayout, State};
use super::share::weight_team;
use super::spec::Spec;
use super::tiny;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::optimizer::{MOMENTS, Method};
use crate::kernels::weight::{ApplyBlock, Block, LinearState, Parameter};
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

    /// The update from a gradient in the layout of the parameters.
    ///
    /// # Errors
    /// `Error::Internal` if a tile panicked.
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
        state.begin_update(&self.method.optimizer);
        let state = &*state;
        let of = |layer: &Updated| {
            let Updated { index, keep_backward } = *layer;
            layer_state(state, &self.method, index, keep_backward)
        };
        let layers: Vec<_> = self.layers.iter().map(of).collect();
        let team = weight_team::<T>(threads, self.blocks.len(), 0);
        ThreadPool::run(team, self.blocks.len(), &|tile| {
            let (layer, block) = self.blocks[tile];
            let layout = &state.layout.layers[self.layers[layer].index];
            apply_block(self.isa, layout, &layers[layer], gradient, block);
        })
    }
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
    method: &Method,
    index: usize,
    keep_backward: bool,
) -> LinearState<T> {
    let layout = &state.layout.layers[index];
    let rules = state.rules(method, (layout.lr_scale, layout.matrix));
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
        },
        backward: keep_backward.then(|| layout.backward_weight(&state.backward)),
        bias: layout.bias.then(|| Parameter {
            rule: rules.bias,
            values: layout.bias(parameters),
            moments: of_bias,
        }),
    }
}
