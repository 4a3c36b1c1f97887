//! The ops of the layers that work on rows, at work on some rows of a batch.

use std::ops::Range;

use crate::kernels::activation::{Activation, ActivationBackward, ActivationForward};
use crate::kernels::elementary::Elementary;
use crate::kernels::elementwise::{Add, Multiply};
use crate::kernels::flatten::Unflatten;
use crate::kernels::gemm::{Product, TurnedProduct};
use crate::kernels::images::{ImageShape, Images, PixelOrder, block_rows};
use crate::kernels::normalization::{
    BatchNormalize, BatchNormalizeBackward, Normalize, NormalizeBackward, Population,
};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::prelu::{Prelu, Slopes};
use crate::kernels::random::DropoutMask;
use crate::network::memory::{BufferId, LayerLayout, State, Workspace};
use crate::network::op::{BackwardWeight, RowOp};
use crate::network::tuning::WEIGHT_ROWS;
use crate::simd::{Entry, Isa, LANES};

/// The kernels of the row phase, compiled for one instruction set.
pub(in crate::network) struct RowKernels<T: Elementary> {
    product: Entry<Product<T>>,
    turned_product: Entry<TurnedProduct<T>>,
    unflatten: Entry<Unflatten<T>>,
    pub activation: Entry<ActivationForward<T>>,
    pub activation_gradient: Entry<ActivationBackward<T>>,
    pub prelu: Entry<Prelu<T>>,
    pub dropout_mask: Entry<DropoutMask<T>>,
    pub multiply: Entry<Multiply<T>>,
    add: Entry<Add<T>>,
    normalize: Entry<Normalize<T>>,
    normalize_gradient: Entry<NormalizeBackward<T>>,
    batch_normalize: Entry<BatchNormalize<T>>,
    batch_normalize_gradient: Entry<BatchNormalizeBackward<T>>,
}

impl<T: Elementary> RowKernels<T> {
    pub(in crate::network) fn new(isa: Isa) -> Self {
        Self {
            product: isa.entry(),
            turned_product: isa.entry(),
            unflatten: isa.entry(),
            activation: isa.entry(),
            activation_gradient: isa.entry(),
            prelu: isa.entry(),
            dropout_mask: isa.entry(),
            multiply: isa.entry(),
            add: isa.entry(),
            normalize: isa.entry(),
            normalize_gradient: isa.entry(),
            batch_normalize: isa.entry(),
            batch_normalize_gradient: isa.entry(),
        }
    }
}

/// What an op of the row phase needs besides its own data.
pub(in crate::network) struct RowContext<'a, T: Elementary> {
    pub kernels: &'a RowKernels<T>,
    pub state: &'a State<T>,
    pub workspace: &'a Workspace<T>,
    /// Rows of the slab that the op does.
    pub start: usize,
    /// One past the last of them.
    pub end: usize,
    /// Panels of what an op makes.
    pub columns: Range<usize>,
    /// Position of the slab's first row in its batch.
    pub slab: usize,
    /// Whether dropout drops.
    pub training: bool,
}

impl<T: Elementary> RowContext<'_, T> {
    /// This context's rows of a buffer.
    #[inline]
    pub(in crate::network) fn rows(&self, buffer: BufferId) -> Panels<T> {
        self.workspace.buffer(buffer).slice(self.start, self.end)
    }

    /// Of those, the columns that the op makes.
    #[inline]
    fn made(&self, buffer: BufferId) -> Panels<T> {
        self.columns(self.rows(buffer))
    }

    #[inline]
    fn columns(&self, matrix: Panels<T>) -> Panels<T> {
        matrix.columns(self.columns.start, self.columns.end)
    }

    fn linear(&self, linear: usize) -> &LayerLayout {
        &self.state.layout.layers[linear]
    }

    /// The slopes of the columns that the op makes.
    fn slopes(&self, layer: usize) -> Slopes<T> {
        let weight = self.linear(layer).weight(&self.state.parameters);
        match weight.cols() {
            1 => Slopes::One(weight.flat().get(0)),
            _ => Slopes::Each(self.columns(weight).flat()),
        }
    }

    /// The weight of a layer that has one number for each feature.
    fn weight(&self, layer: usize) -> Span<T> {
        self.linear(layer).weight(&self.state.parameters).flat()
    }

    /// The bias of a layer.
    fn bias(&self, layer: usize) -> Span<T> {
        self.linear(layer).bias(&self.state.parameters).flat()
    }

    /// Of a layer that has one number for each feature, those of the columns that the op makes.
    fn made_numbers(&self, numbers: Panels<T>) -> Span<T> {
        numbers.columns(self.columns.start, self.columns.end).flat()
    }

    /// What a layer with running statistics normalizes by.
    fn population(&self, tracked: usize) -> Population<T> {
        let batch = self.workspace.statistics().filter(|_| self.training);
        let place = &self.state.layout.running.nodes[tracked];
        place.population(batch, &self.state.running, &self.columns)
    }

    /// Runs one op.
    pub(in crate::network) fn run(&self, op: &RowOp) {
        match *op {
            RowOp::Linear { linear, input, output } => {
                let layout = self.linear(linear);
                self.kernels.product.call(Product {
                    a: self.rows(input),
                    b: self.columns(layout.weight(&self.state.parameters)),
                    c: self.made(output),
                    bias: self.columns(layout.bias(&self.state.parameters)).flat(),
                });
            }
            RowOp::ImageLinear { linear, input, output } => {
                let layout = self.linear(linear);
                self.kernels.turned_product.call(TurnedProduct {
                    a: self.lanes(input),
                    b: layout.weight(&self.state.parameters),
                    c: self.rows(output),
                    bias: layout.bias(&self.state.parameters).flat(),
                });
            }
            RowOp::Activation { activation, input, output } => {
                self.kernels.activation.call(ActivationForward {
                    activation,
                    input: self.made(input),
                    output: self.made(output),
                });
            }
            RowOp::Prelu { layer, z, x, output, flush } => {
                self.kernels.prelu.call(Prelu {
                    z: self.made(z),
                    x: self.made(x),
                    slopes: self.slopes(layer),
                    output: self.made(output),
                    flush,
                });
            }
            RowOp::Dropout { layer, p, input, output, mask } => {
                self.copy(input, output);
                if self.training {
                    self.kernels.dropout_mask.call(DropoutMask {
                        seed: self.state.seed,
                        layer: layer as u32,
                        step: self.state.clock.steps,
                        first_row: self.slab + self.start,
                        p,
                        mask: self.rows(mask),
                    });
                    self.multiply(output, mask);
                }
            }
            RowOp::InputGradient { linear, grad, target, weight } => {
                let b = match weight {
                    BackwardWeight::State => {
                        self.linear(linear).backward_weight(&self.state.backward)
                    }
                    BackwardWeight::Copy(buffer) => self.workspace.buffer(buffer),
                };
                self.kernels.product.call(Product {
                    a: self.rows(grad),
                    b: self.columns(b),
                    c: self.made(target),
                    bias: Span::empty(),
                });
            }
            RowOp::ImageGradient { linear, grad, turned, target } => {
                let (grad, turned) = (self.rows(grad), self.lanes(turned));
                self.turn(grad, turned);
                let (weight, target) =
                    (self.linear(linear).weight(&self.state.parameters), self.lanes(target));
                for start in (0..weight.rows()).step_by(WEIGHT_ROWS) {
                    let end = weight.rows().min(start + WEIGHT_ROWS);
                    self.kernels.product.call(Product {
                        a: weight.slice(start, end),
                        b: turned,
                        c: target.slice(start, end),
                        bias: Span::empty(),
                    });
                }
            }
            RowOp::ActivationGradient { activation, saved, grad, target } => {
                self.copy(grad, target);
                self.kernels.activation_gradient.call(ActivationBackward {
                    activation,
                    saved: self.made(saved),
                    grad: self.made(target),
                });
            }
            RowOp::Normalize { affine, eps, input, normalized, output, reciprocals } => {
                self.kernels.normalize.call(Normalize {
                    input: self.rows(input),
                    affine: affine.map(|layer| (self.weight(layer), self.bias(layer))),
                    eps,
                    normalized: self.rows(normalized),
                    output: self.rows(output),
                    reciprocals: self.rows(reciprocals),
                });
            }
            RowOp::BatchNormalize { tracked, affine, eps, input, normalized, output } => {
                let affine = affine.map(|layer| {
                    let (layout, parameters) = (self.linear(layer), &self.state.parameters);
                    let (weight, bias) = (layout.weight(parameters), layout.bias(parameters));
                    (self.made_numbers(weight), self.made_numbers(bias))
                });
                self.kernels.batch_normalize.call(BatchNormalize {
                    input: self.made(input),
                    affine,
                    eps,
                    population: self.population(tracked),
                    normalized: self.made(normalized),
                    output: self.made(output),
                });
            }
            RowOp::BatchNormalizeGradient { tracked, affine, eps, normalized, grad, target } => {
                let weight = affine.map(|layer| self.linear(layer).weight(&self.state.parameters));
                self.kernels.batch_normalize_gradient.call(BatchNormalizeBackward {
                    normalized: self.made(normalized),
                    weight: weight.map(|weight| self.made_numbers(weight)),
                    eps,
                    population: self.population(tracked),
                    grad: self.made(grad),
                    target: self.made(target),
                });
            }
            RowOp::Add { a, b, sum, flush } => {
                let (a, b, sum) = (self.made(a), self.made(b), self.made(sum));
                self.kernels.add.call(Add { a, b, sum, flush });
            }
            RowOp::NormalizeGradient { affine, normalized, reciprocals, grad, target } => {
                self.kernels.normalize_gradient.call(NormalizeBackward {
                    normalized: self.rows(normalized),
                    reciprocals: self.rows(reciprocals),
                    weight: affine.map(|layer| self.weight(layer)),
                    grad: self.rows(grad),
                    target: self.rows(target),
                });
            }
            RowOp::DropoutGradient { mask, grad, target } => {
                self.copy(grad, target);
                if self.training {
                    self.multiply(target, mask);
                }
            }
        }
    }

    /// This context's rows of a buffer that has them in the lanes, 16 in each panel.
    fn lanes(&self, buffer: BufferId) -> Panels<T> {
        self.workspace.buffer(buffer).columns(self.start / LANES, self.end.div_ceil(LANES))
    }

    /// Writes rows into lanes; those of the last panel that no row has become +0.
    fn turn(&self, rows: Panels<T>, lanes: Panels<T>) {
        let shape = ImageShape { channels: 1, height: 1, width: rows.cols() };
        for block in 0..lanes.panels() {
            let first = block * LANES;
            self.kernels.unflatten.call(Unflatten {
                rows: rows.slice(first, first + block_rows(block, rows.rows())),
                images: Images::of_features(lanes, block, shape),
                order: PixelOrder::ChannelsFirst,
                first: 0,
            });
        }
    }

    fn multiply(&self, x: BufferId, mask: BufferId) {
        self.kernels.multiply.call(Multiply { x: self.made(x), mask: self.made(mask) });
    }

    /// Copies this context's rows of one buffer to another, unless they are the same buffer.
    fn copy(&self, from: BufferId, to: BufferId) {
        if from != to {
            self.kernels.activation.call(ActivationForward {
                activation: Activation::Identity,
                input: self.made(from),
                output: self.made(to),
            });
        }
    }
}
