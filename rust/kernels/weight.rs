//! 16 inputs x 16 or 32 outputs of a Linear layer: gradient, update, second copy.

use super::gather::Ahead;
use super::gemm::{ColumnSums, Finish, THIN, Transpose, WeightGradient};
use super::optimizer::{Rule, Update, plain_sgd};
use super::panels::{Panels, Span};
use super::reduce::{BLOCK_ROWS, BlockTree};
use super::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Partial sums on their way through the tree of images' gradients: enough for 16 million rows.
const NODES: usize = 16;

/// Bytes from which a weight is in no cache when its update comes.
const FAR: usize = 8 << 20;

/// What the update of a Linear layer reads and writes.
pub struct LinearState<T> {
    /// The update rule.
    pub rule: Rule<T>,
    /// Transposed weight (in, out).
    pub weight: Panels<T>,
    /// The optimizer's moments of the weight; empty where it keeps fewer.
    pub moments: [Option<Panels<T>>; 2],
    /// The weight (out, in) that the input gradient reads, if it is to be kept up to date.
    pub backward: Option<Panels<T>>,
    /// The bias, one row, if there is one.
    pub bias: Option<Panels<T>>,
    /// The optimizer's moments of the bias.
    pub bias_moments: [Option<Panels<T>>; 2],
}

impl<T> Clone for LinearState<T>
where
    Rule<T>: Copy,
{
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for LinearState<T> where Rule<T>: Copy {}

/// A block of a weight: panel `input` of the inputs, panels `output..output + outputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Panel of the inputs.
    pub input: usize,
    /// First panel of the outputs.
    pub output: usize,
    /// 1 or 2.
    pub outputs: usize,
}

/// The gradient of a block goes straight into the update. The block of input panel 0 also does the
/// bias.
///
/// Plain SGD updates in the registers where the gradient was summed. Other rules would spill the
/// sums there, and read them from 2 KB of scratch in L1 instead.
///
/// Of a layer of up to [`THIN`] outputs the inputs are in the lanes, and the sums are turned afterwards
/// (a whole step of 30-64-64-1: 1.02x, of 64-100-10: 1.03x).
pub struct TrainBlock<'a, T> {
    /// The layer's input (rows, in).
    pub input: Panels<T>,
    /// Gradient with respect to the layer's output (rows, out).
    pub grad: Panels<T>,
    /// Which block.
    pub block: Block,
    /// What is updated.
    pub state: &'a LinearState<T>,
    /// What is fetched meanwhile.
    pub ahead: Option<Ahead<'a>>,
}

impl<T: Real> Kernel for TrainBlock<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { input, grad, block, state, ahead } = self;
        let mut scratch = Scratch::<T, { 2 * LANES * LANES }>::new();
        fetch_block::<T, S>(state, block);
        let thin = is_thin::<S, T>(grad);
        let plain = if thin { None } else { state.rule.plain_sgd() };
        let whole = grad.cols() >= (block.output + block.outputs) * LANES;
        if plain.is_none() && !whole {
            // What no tile writes of the last panel is updated too, with gradients of 0.
            scratch.clear((block.outputs - 1) * LANES * LANES, LANES * LANES);
        }
        // SAFETY: the scratch holds two panels of 16 rows, initialised where it is read, and lives to
        // the end of this function.
        let target = unsafe { Panels::from_raw(scratch.ptr(), LANES, 2 * LANES, LANES * LANES) };
        let weight = state.weight.from(block.output, block.input * LANES);
        let finish = Train { plain, weight, scratch: target, ahead };
        if thin {
            thin_gradient(input, grad, block).each_thin_tile::<S, _>(finish);
            let target = target.from(1, 0);
            Transpose { source: finish.scratch, target, block: 0, panel: 0 }.run::<S>();
            apply_block::<T, S>(state, block, target);
        } else {
            gradient(input, grad, block).each_tile::<S, _>(finish);
            if plain.is_none() {
                apply_block::<T, S>(state, block, target);
            }
        }
        turn_block::<T, S>(state, block);
        if block.input == 0
            && let Some(bias) = state.bias
        {
            let Block { output, outputs, .. } = block;
            let mut sums = Scratch::<T, { 2 * LANES }>::zeros();
            // SAFETY: the scratch lives to the end of this block.
            let sums = unsafe { Span::from_raw(sums.ptr(), outputs * LANES) };
            ColumnSums { d: grad, output, outputs, target: sums }.run::<S>();
            apply_bias::<T, S>(state, bias, block, sums);
        }
    }
}

/// Updates with each tile, or puts it into scratch; both views begin at the block.
struct Train<'a, T> {
    plain: Option<T>,
    weight: Panels<T>,
    scratch: Panels<T>,
    ahead: Option<Ahead<'a>>,
}

impl<T: Copy> Clone for Train<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Copy> Copy for Train<'_, T> {}

impl<T: Real> Finish<T> for Train<'_, T> {
    #[inline(always)]
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        col: usize,
        sums: &[[V; NV]; MR],
    ) {
        if let Some(ahead) = self.ahead {
            // More at a time than a core has misses in flight would stop it.
            ahead.share(usize::from(row > 0), 2).fetch::<V, T>();
        }
        let Some(lr) = self.plain else {
            return Keep { target: self.scratch }.tile(row, col, sums);
        };
        let lr = V::splat(lr);
        for i in 0..MR {
            for v in 0..NV {
                let at = col + v * V::LANES;
                let place = self.weight.row(at / LANES, row + i).wrapping_add(at % LANES);
                // SAFETY: the views' makers vouch for the weight's rows.
                unsafe { plain_sgd(lr, V::load(place), sums[i][v]).store(place) };
            }
        }
    }
}

/// Stores each tile; the view begins at the block.
struct Keep<T> {
    target: Panels<T>,
}

impl<T> Clone for Keep<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Keep<T> {}

impl<T: Real> Finish<T> for Keep<T> {
    #[inline(always)]
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        col: usize,
        sums: &[[V; NV]; MR],
    ) {
        for i in 0..MR {
            for v in 0..NV {
                let at = col + v * V::LANES;
                let place = self.target.row(at / LANES, row + i).wrapping_add(at % LANES);
                // SAFETY: the views' makers vouch for the target's rows.
                unsafe { sums[i][v].store(place) };
            }
        }
    }
}

/// The gradient of a block, kept.
pub struct GradientBlock<T> {
    /// The layer's input (rows, in).
    pub input: Panels<T>,
    /// Gradient with respect to the layer's output (rows, out).
    pub grad: Panels<T>,
    /// Which block.
    pub block: Block,
    /// Transposed gradient of the weight (in, out).
    pub weight: Panels<T>,
    /// Gradient of the bias, one row, if there is one.
    pub bias: Option<Panels<T>>,
}

impl<T: Real> Kernel for GradientBlock<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Block { input, output, outputs } = self.block;
        let target = self.weight.from(output, input * LANES);
        if is_thin::<S, T>(self.grad) {
            let mut scratch = Scratch::<T, { LANES * LANES }>::zeros();
            let width = self.input.width(input);
            // SAFETY: the scratch holds a panel of 16 rows and lives to the end of this block.
            let source = unsafe { Panels::from_raw(scratch.ptr(), LANES, width, LANES) };
            thin_gradient(self.input, self.grad, self.block)
                .each_thin_tile::<S, _>(Keep { target: source });
            Transpose { source, target: target.padded(), block: 0, panel: 0 }.run::<S>();
        } else {
            gradient(self.input, self.grad, self.block).each_tile::<S, _>(Keep { target });
        }
        if input == 0
            && let Some(bias) = self.bias
        {
            let target = bias_of(bias, self.block);
            ColumnSums { d: self.grad, output, outputs, target }.run::<S>();
        }
    }
}

/// The update of a block from a kept gradient: the bits of [`TrainBlock`].
pub struct ApplyBlock<'a, T> {
    /// Transposed gradient of the weight (in, out).
    pub weight: Panels<T>,
    /// Gradient of the bias, one row, if there is one.
    pub bias: Option<Panels<T>>,
    /// Which block.
    pub block: Block,
    /// What is updated.
    pub state: &'a LinearState<T>,
}

impl<T: Real> Kernel for ApplyBlock<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { block, state, .. } = self;
        let Block { input, output, .. } = block;
        apply_block::<T, S>(state, block, self.weight.from(output, input * LANES));
        turn_block::<T, S>(state, block);
        if input == 0
            && let (Some(grad), Some(bias)) = (self.bias, state.bias)
        {
            apply_bias::<T, S>(state, bias, block, bias_of(grad, block));
        }
    }
}

/// A block of a convolution's gradient from what blocks of 16 images have left: those of each 256 rows
/// are added in their order, and their sums meet in the tree of `reduce.rs` (N2).
pub struct SumBlocks<'a, T> {
    /// The transposed gradient of the weight (in, out) of each 16 images, first to last.
    pub weights: &'a [Panels<T>],
    /// As many gradients of the bias, one row each.
    pub biases: &'a [Panels<T>],
    /// Which block.
    pub block: Block,
    /// Written: transposed gradient of the weight (in, out).
    pub weight: Panels<T>,
    /// Written: gradient of the bias, one row, if there is one.
    pub bias: Option<Panels<T>>,
}

impl<T: Real> Kernel for SumBlocks<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Block { input, output, outputs } = self.block;
        let start = input * LANES;
        let end =
            if start + LANES < self.weight.rows() { start + LANES } else { self.weight.rows() };
        for panel in output..output + outputs {
            for row in start..end {
                sum_parts::<T, S::Lanes<T>>(self.weights, self.weight, panel, row);
            }
            if input == 0
                && let Some(bias) = self.bias
            {
                sum_parts::<T, S::Lanes<T>>(self.biases, bias, panel, 0);
            }
        }
    }
}

/// 16 elements of a sum.
#[inline(always)]
fn sum_parts<T: Real, V: Vector<T>>(
    parts: &[Panels<T>],
    target: Panels<T>,
    panel: usize,
    row: usize,
) {
    let mut nodes = [V::zero(); NODES];
    let mut tree = BlockTree::default();
    for block in parts.chunks(BLOCK_ROWS / LANES) {
        // SAFETY: a panel's row holds 16 elements, for which the views' makers vouch.
        let part = |part: &Panels<T>| unsafe { V::load(part.row(panel, row)) };
        let mut sum = part(&block[0]);
        for next in &block[1..] {
            sum = sum.add(part(next));
        }
        nodes[tree.slot()] = sum;
        for i in tree.push() {
            nodes[i] = nodes[i].add(nodes[i + 1]);
        }
    }
    for i in tree.finish() {
        nodes[i] = nodes[i].add(nodes[i + 1]);
    }
    // SAFETY: as above.
    unsafe { nodes[0].store(target.row(panel, row)) };
}

#[inline(always)]
fn gradient<T: Real>(input: Panels<T>, grad: Panels<T>, block: Block) -> WeightGradient<T> {
    let Block { input: panel, output, outputs } = block;
    WeightGradient { a: input, d: grad, input: panel, output, outputs }
}

/// Whether a layer has few outputs, and a register fewer lanes than plain Rust's.
#[inline(always)]
fn is_thin<S: Simd, T>(grad: Panels<T>) -> bool {
    S::REGISTERS >= 16 && grad.cols() <= THIN
}

/// The gradient of a block of a layer with few outputs, turned.
#[inline(always)]
fn thin_gradient<T: Real>(input: Panels<T>, grad: Panels<T>, block: Block) -> WeightGradient<T> {
    let Block { input: panel, output, .. } = block;
    WeightGradient { a: grad, d: input, input: output, output: panel, outputs: 1 }
}

/// Updates a block; the gradient's view begins at the block.
#[inline(always)]
fn apply_block<T: Real, S: Simd>(state: &LinearState<T>, block: Block, gradient: Panels<T>) {
    let start = block.input * LANES;
    let end = start + LANES;
    let end = if end < state.weight.rows() { end } else { state.weight.rows() };
    for panel in 0..block.outputs {
        let output = block.output + panel;
        Update {
            rule: state.rule,
            w: state.weight.span(output, start, end),
            g: gradient.span(panel, 0, end - start),
            m: moment(state.moments[0], output, start, end),
            v: moment(state.moments[1], output, start, end),
        }
        .run::<S>();
    }
}

/// Fetches what a block's update will read and write, where that comes from memory: the sums before it
/// take longer (LeNet-5 at 227 x 227, 22 MB: 1.01x; 784-512-256-10, 2 MB: 1.00x).
#[inline(always)]
fn fetch_block<T: Real, S: Simd>(state: &LinearState<T>, block: Block) {
    let weight = state.weight;
    if weight.rows() * weight.cols() * size_of::<T>() < FAR {
        return;
    }
    let upto = |first: usize, most: usize, all: usize| {
        first..if all - first < most { all } else { first + most }
    };
    let Block { input, output, outputs } = block;
    for panel in output..output + outputs {
        for row in upto(input * LANES, LANES, weight.rows()) {
            S::Register::<T>::prefetch(weight.row(panel, row));
        }
    }
    if let Some(copy) = state.backward {
        for row in upto(output * LANES, outputs * LANES, copy.rows()) {
            S::Register::<T>::prefetch_far(copy.row(input, row));
        }
    }
}

/// Brings the second copy of a block up to date.
#[inline(always)]
fn turn_block<T: Real, S: Simd>(state: &LinearState<T>, block: Block) {
    let Some(target) = state.backward else { return };
    for panel in block.output..block.output + block.outputs {
        Transpose { source: state.weight, target, block: block.input, panel }.run::<S>();
    }
}

#[inline(always)]
fn apply_bias<T: Real, S: Simd>(
    state: &LinearState<T>,
    bias: Panels<T>,
    block: Block,
    gradient: Span<T>,
) {
    let of = |bias: Option<Panels<T>>| bias.map_or(Span::empty(), |bias| bias_of(bias, block));
    Update {
        rule: state.rule,
        w: bias_of(bias, block),
        g: gradient,
        m: of(state.bias_moments[0]),
        v: of(state.bias_moments[1]),
    }
    .run::<S>();
}

/// A block's part of a bias or of something of the same size.
#[inline(always)]
fn bias_of<T>(bias: Panels<T>, Block { output, outputs, .. }: Block) -> Span<T> {
    bias.flat().slice(output * LANES, (output + outputs) * LANES)
}

#[inline(always)]
fn moment<T>(moment: Option<Panels<T>>, panel: usize, start: usize, end: usize) -> Span<T> {
    match moment {
        Some(panels) => panels.span(panel, start, end),
        None => Span::empty(),
    }
}
