//! The ops of the row phase, and the one place where a tile gets its pointers.

use std::ops::Range;

use super::memory::{LayerLayout, State, Workspace};
use crate::kernels::activation::{Activation, ActivationBackward, ActivationForward};
use crate::kernels::elementary::Elementary;
use crate::kernels::elementwise::Multiply;
use crate::kernels::flatten::Unflatten;
use crate::kernels::gemm::{Product, TurnedProduct};
use crate::kernels::images::{ImageShape, Images, PixelOrder, block_rows};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::random::DropoutMask;
use crate::runtime::{Arena, Plain};
use crate::simd::{Entry, Isa, LANES};

/// Rows of a weight that go together through the product with several blocks of 16 samples: an L2 holds
/// them until the last of these has read them (of 120 outputs in f32, 245 KB).
const PART: usize = 512;

/// A view into a buffer.
///
/// Every pointer that a kernel works on is made here. That tiles running at the same time write
/// disjoint elements is the plan's doing: the tiles of the row phase own their rows of every buffer
/// of the workspace, or of those that a part makes their columns, and only read parameters; the tiles
/// of the weight phase own their block of parameters and only read the workspace; and a barrier lies
/// between the phases, and between parts. A view is used only while the `State` or `Workspace` it was
/// made from is borrowed. That kernels get views of the sizes that they need is the plan's doing too:
/// its ops name buffers that it has laid out for them, [`Plan`](super::Plan) refuses states and
/// workspaces of others, and a batch with labels that are no class.
///
/// # Panics
/// If the view would leave the buffer.
#[inline]
pub(super) fn view<T: Plain>(
    arena: &Arena<T>,
    at: usize,
    rows: usize,
    cols: usize,
    stride: usize,
) -> Panels<T> {
    let end = || match cols.div_ceil(LANES) {
        0 => Some(at),
        panels => {
            let last = (panels - 1).checked_mul(stride)?.checked_add(rows.checked_mul(LANES)?)?;
            at.checked_add(last)
        }
    };
    assert!(end().is_some_and(|end| end <= arena.len()), "a view leaves its buffer");
    // SAFETY: the range is inside the arena, whose elements are all initialised; see above for
    // concurrent access and for how long views live.
    unsafe { Panels::from_raw(arena.as_ptr().wrapping_add(at), rows, cols, stride) }
}

/// All elements of a buffer.
#[inline]
pub(super) fn whole<T: Plain>(arena: &Arena<T>) -> Span<T> {
    // SAFETY: the arena's elements are all initialised; see `view` for the rest.
    unsafe { Span::from_raw(arena.as_ptr(), arena.len()) }
}

/// Which buffer of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferId(pub usize);

/// Where an input gradient finds its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackwardWeight {
    /// In the state, where updates keep it up to date.
    State,
    /// In the workspace, copied from the parameters at the start of the call.
    Copy(BufferId),
}

/// One op on some rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowOp {
    /// output = input W^T + b.
    Linear {
        /// Which of the layers with parameters.
        linear: usize,
        /// Read.
        input: BufferId,
        /// Written.
        output: BufferId,
    },
    /// As `Linear`, of features with a sample in each lane.
    ImageLinear {
        /// Which of the layers with parameters.
        linear: usize,
        /// Read: (features, samples).
        input: BufferId,
        /// Written.
        output: BufferId,
    },
    /// output = f(input).
    Activation {
        /// f.
        activation: Activation,
        /// Read.
        input: BufferId,
        /// Written; may be the input.
        output: BufferId,
    },
    /// output = input * mask in training, else the input.
    Dropout {
        /// Index in the network's layers.
        layer: usize,
        /// Probability of zero.
        p: f64,
        /// Read.
        input: BufferId,
        /// Written; may be the input.
        output: BufferId,
        /// The mask drawn, for the way back.
        mask: BufferId,
    },
    /// target = grad W.
    InputGradient {
        /// Which of the layers with parameters.
        linear: usize,
        /// Read.
        grad: BufferId,
        /// Written.
        target: BufferId,
        /// W.
        weight: BackwardWeight,
    },
    /// As `InputGradient`, with a sample in each lane: target = W^T grad^T.
    ImageGradient {
        /// Which of the layers with parameters.
        linear: usize,
        /// Read.
        grad: BufferId,
        /// Written: `grad` turned, (outputs, samples).
        turned: BufferId,
        /// Written: (features, samples).
        target: BufferId,
    },
    /// target = flush(grad * f'(saved)).
    ActivationGradient {
        /// f; the identity only flushes.
        activation: Activation,
        /// The activation's input or output.
        saved: BufferId,
        /// Read.
        grad: BufferId,
        /// Written; may be `grad`.
        target: BufferId,
    },
    /// target = grad * mask in training, else the gradient.
    DropoutGradient {
        /// The mask of the forward pass.
        mask: BufferId,
        /// Read.
        grad: BufferId,
        /// Written; may be `grad`.
        target: BufferId,
    },
}

/// The kernels of the row phase, compiled for one instruction set.
pub(super) struct RowKernels<T: Elementary> {
    product: Entry<Product<T>>,
    turned_product: Entry<TurnedProduct<T>>,
    unflatten: Entry<Unflatten<T>>,
    pub activation: Entry<ActivationForward<T>>,
    pub activation_gradient: Entry<ActivationBackward<T>>,
    pub dropout_mask: Entry<DropoutMask<T>>,
    pub multiply: Entry<Multiply<T>>,
}

impl<T: Elementary> RowKernels<T> {
    pub(super) fn new(isa: Isa) -> Self {
        Self {
            product: isa.entry(),
            turned_product: isa.entry(),
            unflatten: isa.entry(),
            activation: isa.entry(),
            activation_gradient: isa.entry(),
            dropout_mask: isa.entry(),
            multiply: isa.entry(),
        }
    }
}

/// What an op of the row phase needs besides its own data.
pub(super) struct RowContext<'a, T: Elementary> {
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
    pub(super) fn rows(&self, buffer: BufferId) -> Panels<T> {
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

    /// Runs one op.
    pub(super) fn run(&self, op: &RowOp) {
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
            RowOp::Dropout { layer, p, input, output, mask } => {
                self.copy(input, output);
                if self.training {
                    self.kernels.dropout_mask.call(DropoutMask {
                        seed: self.state.seed,
                        layer: layer as u32,
                        step: self.state.steps,
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
                for start in (0..weight.rows()).step_by(PART) {
                    let end = weight.rows().min(start + PART);
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
