//! A row of pixels for the sums of a convolution's weight gradient.

use super::Stencil;
use crate::kernels::fetch::Fetch;
use crate::simd::{LANES, Real, Vector};

/// Those positions of the output from `start` to `end` at which all of `taps` taps from `tap` on meet
/// pixels of the input.
#[inline(always)]
pub(super) fn inside(
    along: Stencil,
    (tap, taps): (usize, usize),
    inputs: usize,
    (start, end): (usize, usize),
) -> (usize, usize) {
    let Stencil { stride, padding, dilation, .. } = along;
    let (before, last) = (tap * dilation, (tap + taps - 1) * dilation);
    let first = if before < padding { (padding - before).div_ceil(stride) } else { 0 };
    let beyond =
        if inputs + padding > last { (inputs + padding - last).div_ceil(stride) } else { 0 };
    let first = if first < start { start } else { first };
    let first = if first < end { first } else { end };
    let beyond = if beyond < end { beyond } else { end };
    (first, if beyond < first { first } else { beyond })
}

/// Sums over pixels for some outputs: of each tap, and of the bias.
pub(super) struct TapSums<V, const OUTPUTS: usize, const TAPS: usize> {
    pub taps: [[V; OUTPUTS]; TAPS],
    pub bias: [V; OUTPUTS],
}

/// A row of the gradient and the row of the input that one row of the kernel meets there.
#[derive(Clone, Copy)]
pub(super) struct Line<'a, T> {
    pub grad: *const T,
    /// From one output channel to the next.
    pub grad_apart: usize,
    pub input: *const T,
    pub width: usize,
    pub cols: Stencil,
    /// First column of the kernel.
    pub tap: usize,
    pub ahead: &'a Fetch<T>,
}

impl<T: Real> Line<'_, T> {
    /// Columns `start..end`, at which all taps meet pixels. Several taps lie side by side. With `BIAS` the
    /// gradients are summed, too.
    ///
    /// # Safety
    /// They do.
    #[inline(always)]
    pub(super) unsafe fn inside<
        V: Vector<T>,
        const OUTPUTS: usize,
        const TAPS: usize,
        const BIAS: bool,
    >(
        self,
        sums: &mut TapSums<V, OUTPUTS, TAPS>,
        start: usize,
        end: usize,
    ) {
        // Smaller tiles are the rest of larger ones, and the loop would be compiled twice.
        let most = if OUTPUTS * TAPS >= 8 { end - start } else { 0 };
        let lines = self.ahead.take(most);
        // SAFETY: the caller vouches for all of these columns.
        unsafe {
            let middle = start + lines.count;
            self.pixels::<V, OUTPUTS, TAPS, BIAS>(sums, start, middle, |i| lines.fetch::<V>(i));
            self.pixels::<V, OUTPUTS, TAPS, BIAS>(sums, middle, end, |_| ());
        }
    }

    /// As [`Self::inside`], and something beside each pixel.
    ///
    /// # Safety
    /// As for [`Self::inside`].
    #[inline(always)]
    unsafe fn pixels<V: Vector<T>, const OUTPUTS: usize, const TAPS: usize, const BIAS: bool>(
        self,
        sums: &mut TapSums<V, OUTPUTS, TAPS>,
        start: usize,
        end: usize,
        beside: impl Fn(usize),
    ) {
        let Stencil { stride, padding, dilation, .. } = self.cols;
        let before = start * stride + self.tap * dilation;
        let mut input = self.input.wrapping_add(before * LANES).wrapping_sub(padding * LANES);
        let mut grad = self.grad.wrapping_add(start * LANES);
        for i in 0..end - start {
            beside(i);
            let mut x = [V::zero(); TAPS];
            for tap in 0..TAPS {
                // SAFETY: the caller vouches that the tap meets a pixel.
                x[tap] = unsafe { V::load(input.add(tap * LANES)) };
            }
            for i in 0..OUTPUTS {
                // SAFETY: a pixel of output channel i.
                let g = unsafe { V::load(grad.add(i * self.grad_apart)) };
                for tap in 0..TAPS {
                    sums.taps[tap][i] = g.fma(x[tap], sums.taps[tap][i]);
                }
                if BIAS {
                    sums.bias[i] = sums.bias[i].add(g);
                }
            }
            input = input.wrapping_add(stride * LANES);
            grad = grad.wrapping_add(LANES);
        }
    }

    /// Columns `start..end`, at which some taps may meet padding. Several taps lie side by side.
    ///
    /// # Safety
    /// The rows that the pointers begin exist.
    #[inline(always)]
    pub(super) unsafe fn border<
        V: Vector<T>,
        const OUTPUTS: usize,
        const TAPS: usize,
        const BIAS: bool,
    >(
        self,
        sums: &mut TapSums<V, OUTPUTS, TAPS>,
        start: usize,
        end: usize,
    ) {
        let Stencil { stride, padding, dilation, .. } = self.cols;
        let apart = if TAPS > 1 { 1 } else { dilation };
        let mut first = (start * stride + self.tap * dilation).wrapping_sub(padding);
        let mut grad = self.grad.wrapping_add(start * LANES);
        for _ in start..end {
            let input = self.input.wrapping_add(first.wrapping_mul(LANES));
            if BIAS {
                for i in 0..OUTPUTS {
                    // SAFETY: a pixel of output channel i.
                    let g = unsafe { V::load(grad.add(i * self.grad_apart)) };
                    sums.bias[i] = sums.bias[i].add(g);
                }
            }
            for tap in 0..TAPS {
                // What lies before the first column is, without a sign, past the last.
                if first.wrapping_add(tap * apart) >= self.width {
                    continue;
                }
                // SAFETY: a column of the input.
                let x = unsafe { V::load(input.wrapping_add(tap * apart * LANES)) };
                for i in 0..OUTPUTS {
                    // SAFETY: a pixel of output channel i.
                    let g = unsafe { V::load(grad.add(i * self.grad_apart)) };
                    sums.taps[tap][i] = g.fma(x, sums.taps[tap][i]);
                }
            }
            first = first.wrapping_add(stride);
            grad = grad.wrapping_add(LANES);
        }
    }
}
