//! Networks that fit into L1: the passes of a step over up to 16 rows, with samples in lanes.
//!
//! In panels a row's units lie side by side, and a layer of three units uses three lanes of sixteen.
//! Here matrices are turned: rows are units, columns are samples. The forward pass and the input
//! gradients work on turned matrices. The weight gradients are sums over rows, whose order N2
//! fixes, so for them the gradients at the outputs are turned back, and lanes are units again.
//!
//! Every sum is a chain of N1 or N2, so a step gives the bits of the general path.
//!
//! No matrix is larger than 16 x 16, and all have memory of that size, so that they are turned by
//! whole registers: what scalars have just stored, a vector load would wait for.

use super::activation::{Activation, ActivationBackward, ActivationForward};
use super::elementary::Elementary;
use super::optimizer::{Rule, update_lanes};
use super::panels::{Panels, Span};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// A Linear layer and the activation that follows it. Numbers are places in a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// Width of the input, at most 16.
    pub inputs: usize,
    /// Width of the output, at most 16.
    pub outputs: usize,
    /// The identity if none follows.
    pub activation: Activation,
    /// Transposed weight (in, out), in buffers of parameters, gradients and moments.
    pub weight: usize,
    /// The bias, one row; +0 where there is none.
    pub bias: usize,
    /// Whether there is a bias.
    pub has_bias: bool,
    /// Whether updates change the layer.
    pub trainable: bool,
    /// Whether a layer below needs the gradient.
    pub input_grad: bool,
    /// Turned input, in the scratch buffer.
    pub input: usize,
    /// Turned sum before the activation; where that is not needed later, the same as `output`.
    pub sum: usize,
    /// Turned output.
    pub output: usize,
    /// Turned gradient with respect to `sum`, first to `output`.
    pub grad: usize,
    /// The same with rows as rows.
    pub grad_rows: usize,
}

/// Elements of a matrix in the scratch buffer.
pub const ROOM: usize = LANES * LANES;

/// What the passes of one step share.
#[derive(Debug)]
pub struct Step<'a, T> {
    /// First to last.
    pub layers: &'a [Layer],
    /// Parameters.
    pub parameters: Span<T>,
    /// Activations and their gradients.
    pub scratch: Span<T>,
    /// Rows of X, at most 16.
    pub count: usize,
}

impl<T> Clone for Step<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Step<'_, T> {}

impl<T: Real> Step<'_, T> {
    /// A turned matrix of the scratch buffer.
    #[inline(always)]
    fn turned(&self, at: usize, units: usize) -> Panels<T> {
        self.scratch.panels(at, (units, self.count), LANES)
    }

    /// The gradient at a layer's outputs with rows as rows.
    #[inline(always)]
    fn grad_rows(&self, layer: &Layer) -> Panels<T> {
        self.scratch.panels(layer.grad_rows, (self.count, layer.outputs), ROOM)
    }
}

/// Writes a matrix into its transpose.
///
/// Both have memory of [`ROOM`]. Lanes past the source's rows become what the source's memory holds
/// there, +0; rows past its columns hold nothing of use.
#[inline(always)]
fn turn<T: Real, S: Simd>(source: Panels<T>, target: Panels<T>) {
    let lanes = <S::Register<T> as Vector<T>>::LANES;
    let (rows, cols) = (source.rows(), source.cols());
    let (from, to) = (source.row(0, 0), target.row(0, 0));
    // A block of 16 x 16 takes 64 shuffles, as long as 64 scalars and their wait.
    if lanes == LANES && rows * cols < 64 {
        for row in 0..rows {
            for col in 0..cols {
                // SAFETY: inside both matrices.
                unsafe { *to.add(col * LANES + row) = *from.add(row * LANES + col) };
            }
        }
        return;
    }
    let mut row = 0;
    while row < rows {
        let mut col = 0;
        while col < cols {
            let (here, there) = (row * LANES + col, col * LANES + row);
            // SAFETY: a whole block lies inside the memory of both; they are different buffers.
            unsafe { S::Register::<T>::turn(from.add(here), to.add(there), LANES) };
            col += lanes;
        }
        row += lanes;
    }
}

/// Outputs of all layers.
pub struct Forward<'a, T> {
    /// Layers and memory.
    pub step: Step<'a, T>,
    /// Rows of X.
    pub input: Panels<T>,
    /// Takes the last layer's outputs.
    pub output: Panels<T>,
}

impl<T: Elementary> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { step, input, output } = self;
        if let Some(first) = step.layers.first() {
            turn::<T, S>(input, step.turned(first.input, first.inputs));
        }
        for layer in step.layers {
            let sum = step.turned(layer.sum, layer.outputs);
            let weight = step.parameters.at(layer.weight);
            let start = Start::Rows(step.parameters.at(layer.bias).cast_const());
            let a = Left::<T, 1, LANES> { ptr: weight, rows: layer.outputs };
            let x = step.scratch.at(layer.input);
            // SAFETY: the places of the layer lie in their buffers, whose makers vouch for them.
            unsafe { a.chains::<S>(x, sum.row(0, 0), layer.inputs, step.count, start) };
            if layer.activation != Activation::Identity {
                let output = step.turned(layer.output, layer.outputs);
                ActivationForward { activation: layer.activation, input: sum, output }.run::<S>();
            }
        }
        if let Some(last) = step.layers.last() {
            turn::<T, S>(step.turned(last.output, last.outputs), output);
        }
    }
}

/// Gradients of all layers, from that of the loss.
pub struct Backward<'a, T> {
    /// Layers and memory, after [`Forward`].
    pub step: Step<'a, T>,
    /// Gradient with respect to the last layer's outputs.
    pub output_grad: Panels<T>,
    /// Takes the gradients, in the layout of the parameters.
    pub gradient: Span<T>,
    /// Whether the sums over rows begin at +0, or go on from what `gradient` holds.
    pub fresh: bool,
}

impl<T: Elementary> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { step, output_grad, .. } = self;
        let Some(last) = step.layers.last() else { return };
        turn::<T, S>(output_grad, step.turned(last.grad, last.outputs));
        for (index, layer) in step.layers.iter().enumerate().rev() {
            let grad = step.turned(layer.grad, layer.outputs);
            let saved = if layer.activation.needs_input() { layer.sum } else { layer.output };
            let saved = step.turned(saved, layer.outputs);
            // The identity's only flushes (N5).
            ActivationBackward { activation: layer.activation, saved, grad }.run::<S>();
            if layer.trainable {
                self.sums::<S>(layer, grad);
            }
            if !layer.input_grad {
                return;
            }
            let weight = step.parameters.at(layer.weight);
            let a = Left::<T, LANES, 1> { ptr: weight, rows: layer.inputs };
            let below = step.scratch.at(step.layers[index - 1].grad);
            let d = grad.row(0, 0);
            // SAFETY: as in `Forward`.
            unsafe { a.chains::<S>(d, below, layer.outputs, step.count, Start::Zero) };
        }
    }
}

impl<T: Real> Backward<'_, T> {
    /// The sums over rows of one layer (N2).
    #[inline(always)]
    fn sums<S: Simd>(&self, layer: &Layer, grad: Panels<T>) {
        let Self { step, gradient, fresh, .. } = *self;
        let d = step.grad_rows(layer);
        turn::<T, S>(grad, d);
        let rows = d.row(0, 0);
        let start = if fresh { Start::Zero } else { Start::Result };
        let x = Left::<T, LANES, 1> { ptr: step.scratch.at(layer.input), rows: layer.inputs };
        let weight = gradient.at(layer.weight);
        // SAFETY: as in `Forward`.
        unsafe { x.chains::<S>(rows, weight, step.count, layer.outputs, start) };
        if layer.has_bias {
            let one = T::ONE;
            let ones = Left::<T, 0, 0> { ptr: &raw const one, rows: 1 };
            let bias = gradient.at(layer.bias);
            // SAFETY: as in `Forward`.
            unsafe { ones.chains::<S>(rows, bias, step.count, layer.outputs, start) };
        }
    }
}

/// Where chains begin.
#[derive(Clone, Copy)]
enum Start<T> {
    /// At +0.
    Zero,
    /// At a number for each row.
    Rows(*const T),
    /// At what the result holds.
    Result,
}

/// A left operand: element (i, k) is at `ptr + i * ROW + k * K`.
#[derive(Clone, Copy)]
struct Left<T, const ROW: usize, const K: usize> {
    ptr: *const T,
    rows: usize,
}

impl<T: Real, const ROW: usize, const K: usize> Left<T, ROW, K> {
    /// C = start + A B, chains as in N1, for B of `len` rows and C of `cols` columns, both with 16
    /// elements from row to row. Registers of C that hold none of the columns are not touched.
    ///
    /// Sizes are small and differ from layer to layer: tiles are few and simple, since choosing among
    /// many costs more than they save.
    ///
    /// # Safety
    /// All elements of A and B and, with `Start::Rows`, one for each row are valid for reads; rows of
    /// C for reads and writes.
    #[inline(always)]
    unsafe fn chains<S: Simd>(
        self,
        b: *const T,
        c: *mut T,
        len: usize,
        cols: usize,
        start: Start<T>,
    ) {
        let lanes = <S::Register<T> as Vector<T>>::LANES;
        let mut col = 0;
        while col < cols {
            let pair = 2 * lanes <= LANES && cols - col > lanes;
            let mut row = 0;
            while row < self.rows {
                let four = row + 4 <= self.rows;
                // SAFETY: the tile lies inside; the caller vouches for the rest.
                unsafe {
                    let (b, c) = (b.add(col), c.add(col));
                    match (four, pair) {
                        (true, true) => {
                            self.tile::<S::Register<T>, 4, 2>(row, b, c, len, start);
                        }
                        (true, false) => {
                            self.tile::<S::Register<T>, 4, 1>(row, b, c, len, start);
                        }
                        (false, true) => {
                            self.tile::<S::Register<T>, 1, 2>(row, b, c, len, start);
                        }
                        (false, false) => {
                            self.tile::<S::Register<T>, 1, 1>(row, b, c, len, start);
                        }
                    }
                }
                row += if four { 4 } else { 1 };
            }
            col += if pair { 2 * lanes } else { lanes };
        }
    }

    /// Rows `row..row + MR`, `NV` registers.
    ///
    /// # Safety
    /// As for `chains`.
    #[inline(always)]
    unsafe fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        b: *const T,
        c: *mut T,
        len: usize,
        start: Start<T>,
    ) {
        let mut acc = [[V::zero(); NV]; MR];
        // SAFETY: the caller vouches for the addresses.
        unsafe {
            let c = c.add(row * LANES);
            for i in 0..MR {
                for v in 0..NV {
                    match start {
                        Start::Zero => {}
                        Start::Rows(rows) => acc[i][v] = V::splat(*rows.add(row + i)),
                        Start::Result => acc[i][v] = V::load(c.add(i * LANES + v * V::LANES)),
                    }
                }
            }
            let mut a = self.ptr.add(row * ROW);
            let mut b = b;
            let end = b.add(len * LANES);
            while b != end {
                let mut right = [V::zero(); NV];
                for v in 0..NV {
                    right[v] = V::load(b.add(v * V::LANES));
                }
                for i in 0..MR {
                    let left = V::splat(*a.add(i * ROW));
                    for v in 0..NV {
                        acc[i][v] = left.fma(right[v], acc[i][v]);
                    }
                }
                a = a.add(K);
                b = b.add(LANES);
            }
            for i in 0..MR {
                for v in 0..NV {
                    acc[i][v].store(c.add(i * LANES + v * V::LANES));
                }
            }
        }
    }
}

/// The update of layers that share a rule.
pub struct Update<'a, T> {
    /// Which layers; those that are not trainable stay.
    pub layers: &'a [Layer],
    /// The formula.
    pub rule: Rule<T>,
    /// Parameters.
    pub parameters: Span<T>,
    /// Their gradients.
    pub gradient: Span<T>,
    /// The optimizer's moments; empty where it keeps fewer.
    pub moments: [Span<T>; 2],
}

impl<T: Real> Kernel for Update<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for layer in self.layers {
            if !layer.trainable {
                continue;
            }
            self.rows::<S::Register<T>>(layer.weight, layer.inputs, layer.outputs);
            if layer.has_bias {
                self.rows::<S::Register<T>>(layer.bias, 1, layer.outputs);
            }
        }
    }
}

impl<T: Real> Update<'_, T> {
    /// `rows` rows of 16 elements from `at` on, as many registers of each as hold `live` of them.
    #[inline(always)]
    fn rows<V: Vector<T>>(&self, at: usize, rows: usize, live: usize) {
        let [m, v] = self.moments;
        let (uses_m, uses_v) = (self.rule.uses_m(), self.rule.uses_v());
        for row in 0..rows {
            let mut lane = 0;
            while lane < live {
                let i = at + row * LANES + lane;
                // SAFETY: the layer's places lie in buffers of parameters, whose makers vouch for
                // them; a rule that uses a moment comes with its buffer.
                unsafe {
                    let mut first = V::zero();
                    let mut second = V::zero();
                    if uses_m {
                        first = V::load(m.at(i));
                    }
                    if uses_v {
                        second = V::load(v.at(i));
                    }
                    let w = V::load(self.parameters.at(i));
                    let g = V::load(self.gradient.at(i));
                    update_lanes(&self.rule, w, g, &mut first, &mut second)
                        .store(self.parameters.at(i));
                    if uses_m {
                        first.store(m.at(i));
                    }
                    if uses_v {
                        second.store(v.at(i));
                    }
                }
                lane += V::LANES;
            }
        }
    }
}
