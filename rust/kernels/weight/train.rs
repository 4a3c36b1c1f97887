//! The gradient of a block, and its update.

use super::apply::{apply_bias, apply_block, average_block, turn_block};
use super::block::{Block, LinearState, PlainSgd, fetch_block};
use super::gradient::{Keep, gradient, is_thin, thin_gradient};
use super::prepare::{prepare_bias, prepare_weight, sum_penalty};
use crate::kernels::gather::Ahead;
use crate::kernels::gemm::{ColumnSums, Finish, Transpose};
use crate::kernels::optimizer::plain_sgd;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// The gradient of a block goes straight into the update. The block of input panel 0 also does the
/// bias.
///
/// Plain SGD updates in the registers where the gradient was summed. Other rules would spill the
/// sums there, and read them from 2 KB of scratch in L1 instead.
///
/// Of a layer of up to [`THIN`](crate::kernels::tuning::THIN) outputs the inputs are in the lanes, and
/// the sums are turned afterwards (a whole step of 30-64-64-1: 1.02x, of 64-100-10: 1.03x).
pub struct TrainBlock<'a, T: Real> {
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
        let plain = if thin { None } else { state.plain_sgd() };
        let whole = grad.cols() >= (block.output + block.outputs) * LANES;
        if plain.is_none() && !whole {
            // What no tile writes of the last panel is updated too, with gradients of 0.
            scratch.clear((block.outputs - 1) * LANES * LANES, LANES * LANES);
        }
        // SAFETY: the scratch holds two panels of 16 rows, initialised where it is read, and lives to
        // the end of this function.
        let target = unsafe { Panels::from_raw(scratch.ptr(), LANES, 2 * LANES, LANES * LANES) };
        let weight = block.of_weight(state.weight.values);
        let finish = Train { plain, weight, scratch: target, ahead };
        if thin {
            // It is none; so the compiler knows that, and makes no code for the others.
            let finish = Train { plain: None, ..finish };
            thin_gradient(input, grad, block).each_thin_tile::<S, _>(finish);
            let target = target.from(1, 0);
            Transpose { source: finish.scratch, target, block: 0, panel: 0 }.run::<S>();
            prepare_weight::<T, S>(state, block, target);
            apply_block::<T, S>(state, block, target);
        } else {
            if plain.is_some() {
                sum_penalty::<T, S>(state, block);
            }
            gradient(input, grad, block).each_tile::<S, _>(finish);
            if plain.is_none() {
                prepare_weight::<T, S>(state, block, target);
                apply_block::<T, S>(state, block, target);
            } else {
                average_block::<T, S>(state, block);
            }
        }
        turn_block::<T, S>(state, block);
        if block.input == 0
            && let Some(bias) = &state.bias
        {
            let Block { output, outputs, .. } = block;
            let mut sums = Scratch::<T, { 2 * LANES }>::zeros();
            // SAFETY: the scratch lives to the end of this block.
            let sums = unsafe { Span::from_raw(sums.ptr(), outputs * LANES) };
            ColumnSums { d: grad, output, outputs, target: sums }.run::<S>();
            prepare_bias::<T, S>(state, bias, block, sums);
            apply_bias::<T, S>(bias, block, sums);
        }
    }
}

/// Updates with each tile, or puts it into scratch; both views begin at the block.
struct Train<'a, T> {
    plain: Option<PlainSgd<T>>,
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

impl<T: Real> Train<'_, T> {
    /// Plain SGD of a tile; `PENALIZED`: of the gradient with its penalty, which is code of its own, so that
    /// there is no test for each register.
    #[inline(always)]
    fn update<V: Vector<T>, const MR: usize, const NV: usize, const PENALIZED: bool>(
        self,
        PlainSgd { lr, l2 }: PlainSgd<T>,
        (row, col): (usize, usize),
        sums: &[[V; NV]; MR],
    ) {
        let (lr, l2) = (V::splat(lr), V::splat(l2));
        for i in 0..MR {
            for v in 0..NV {
                let at = col + v * V::LANES;
                let place = self.weight.row(at / LANES, row + i).wrapping_add(at % LANES);
                // SAFETY: the views' makers vouch for the weight's rows.
                unsafe {
                    let w = V::load(place);
                    let g = if PENALIZED { l2.fma(w, sums[i][v]) } else { sums[i][v] };
                    plain_sgd(lr, w, g).store(place);
                }
            }
        }
    }
}

impl<T: Real> Finish<T> for Train<'_, T> {
    #[inline(always)]
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        col: usize,
        sums: &[[V; NV]; MR],
    ) {
        match self.plain {
            None => Keep { target: self.scratch }.tile(row, col, sums),
            Some(plain) if plain.l2 == T::ZERO => {
                self.update::<V, MR, NV, false>(plain, (row, col), sums);
            }
            Some(plain) => self.update::<V, MR, NV, true>(plain, (row, col), sums),
        }
    }

    /// More lines at a time than a core has misses in flight would stop it.
    #[inline(always)]
    fn between<V: Vector<T>>(self, half: usize) {
        if let Some(ahead) = self.ahead {
            ahead.share(half, 2).fetch::<V, T>();
        }
    }
}
