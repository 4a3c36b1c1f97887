//! The gradient of a convolution's weight and bias: sums over samples and pixels.
//!
//! Its order of summation (N2): a batch goes in blocks of 16 samples by position, one in each lane. A
//! lane of a block is a chain acc = fma(grad, input, acc) from +0 over the output's pixels, row by
//! row, of those where the tap meets a pixel of the input; the bias a chain of additions over all of
//! them. The 16 lanes are folded 8, 4, 2, 1; lanes without a sample hold gradients of +0. The sums of
//! the 16 blocks of 256 samples are added in their order, and those meet in the tree of `reduce.rs`.
//! This file makes the sums of one block.

use super::Stencil;
use crate::kernels::images::{ImageShape, Images};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::fold_rows;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Pixels of the output between which a tile's sums rest in memory: so few that their gradients and
/// the input that they meet stay in L1, so many that loads and stores of sums are a tenth of the work.
const BAND_PIXELS: usize = 96;
/// Images of up to so many pixels are a band of their own: two channels of the gradient and one of
/// the input are 48 KB of f32.
const SMALL_PIXELS: usize = 256;

/// The gradient of the weight and the bias over a block of 16 samples.
pub struct ConvolutionGradient<T> {
    /// The layer's input.
    pub input: Images<T>,
    /// Gradient at the layer's output.
    pub grad: Images<T>,
    /// The convolution along the image's rows (from one to the next).
    pub rows: Stencil,
    /// The convolution along its columns.
    pub cols: Stencil,
    /// Groups of channels.
    pub groups: usize,
    /// Room for the lanes of all sums: [`Self::scratch_len`] elements.
    pub scratch: Span<T>,
    /// (input channels of a group * taps, output channels).
    pub weight: Panels<T>,
    /// One row, if there is a bias.
    pub bias: Option<Panels<T>>,
}

impl<T> Clone for ConvolutionGradient<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ConvolutionGradient<T> {}

impl<T: Real> Kernel for ConvolutionGradient<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let ImageShape { height, width, .. } = self.grad.shape();
        let rows =
            if height * width <= SMALL_PIXELS { height } else { BAND_PIXELS.div_ceil(width) };
        let mut start = 0;
        while start < height {
            let end = if height - start < rows { height } else { start + rows };
            self.taps::<S>(Band { start, end });
            start = end;
        }
        for panel in 0..self.weight.panels() {
            let outputs = self.weight.width(panel);
            for row in 0..self.weight.rows() {
                let lanes = self.sums(panel * LANES, row);
                // SAFETY: the scratch holds 16 vectors there, and the weight's row 16 elements.
                unsafe {
                    fold_rows::<T, S>(lanes).store_partial(self.weight.row(panel, row), outputs);
                }
            }
        }
        if let Some(bias) = self.bias {
            self.biases::<S>(bias);
        }
    }
}

/// Rows of the output.
#[derive(Clone, Copy)]
struct Band {
    start: usize,
    end: usize,
}

/// A tile of sums: outputs from `output` on, taps from `(row, col)` of input channel `channel` of the
/// group on.
#[derive(Clone, Copy)]
struct Corner {
    group: usize,
    output: usize,
    channel: usize,
    row: usize,
    col: usize,
}

impl<T: Real> ConvolutionGradient<T> {
    /// Elements of scratch for a weight of `inputs` rows and `outputs` columns.
    #[must_use]
    pub fn scratch_len(inputs: usize, outputs: usize) -> usize {
        inputs * outputs.next_multiple_of(LANES) * LANES
    }

    /// The lanes of the sum of one output and one row of the weight.
    #[inline(always)]
    fn sums(self, output: usize, row: usize) -> *mut T {
        let outputs = self.weight.cols().next_multiple_of(LANES);
        self.scratch.at((row * outputs + output) * LANES)
    }

    /// All taps, a few columns of the kernel at a time.
    ///
    /// A tile has a register for each of its sums, one for each tap's input, and one for a gradient.
    /// Its taps are as many as leave the kernel's columns no lone rest, its outputs a power of two.
    #[inline(always)]
    fn taps<S: Simd>(self, band: Band) {
        let mut col = 0;
        while col < self.cols.kernel {
            let count = match self.cols.kernel - col {
                rest @ 1..=5 => rest,
                6 => 3,
                _ => 4,
            };
            match (S::REGISTERS, count) {
                (32, 1) => self.outputs::<S::Register<T>, 8, 1>(band, col),
                (32, 2) => self.outputs::<S::Register<T>, 8, 2>(band, col),
                (32, 3) => self.outputs::<S::Register<T>, 8, 3>(band, col),
                (32, 4) => self.outputs::<S::Register<T>, 4, 4>(band, col),
                (32, _) => self.outputs::<S::Register<T>, 4, 5>(band, col),
                (16, 1) => self.outputs::<S::Register<T>, 8, 1>(band, col),
                (16, 2) => self.outputs::<S::Register<T>, 4, 2>(band, col),
                (16, 3) => self.outputs::<S::Register<T>, 4, 3>(band, col),
                (16, 4) => self.outputs::<S::Register<T>, 2, 4>(band, col),
                (16, _) => self.outputs::<S::Register<T>, 2, 5>(band, col),
                (_, 1) => self.outputs::<S::Register<T>, 1, 1>(band, col),
                (_, 2) => self.outputs::<S::Register<T>, 1, 2>(band, col),
                (_, 3) => self.outputs::<S::Register<T>, 1, 3>(band, col),
                (_, 4) => self.outputs::<S::Register<T>, 1, 4>(band, col),
                _ => self.outputs::<S::Register<T>, 1, 5>(band, col),
            }
            col += count;
        }
    }

    #[inline(always)]
    fn outputs<V: Vector<T>, const MOST: usize, const TAPS: usize>(self, band: Band, col: usize) {
        let outputs = self.grad.shape().channels / self.groups;
        for group in 0..self.groups {
            let mut output = group * outputs;
            let end = output + outputs;
            while output < end {
                let left = end - output;
                let corner = Corner { group, output, channel: 0, row: 0, col };
                if MOST >= 8 && left >= 8 {
                    self.inputs::<V, 8, TAPS>(band, corner);
                    output += 8;
                } else if MOST >= 4 && left >= 4 {
                    self.inputs::<V, 4, TAPS>(band, corner);
                    output += 4;
                } else if MOST >= 2 && left >= 2 {
                    self.inputs::<V, 2, TAPS>(band, corner);
                    output += 2;
                } else {
                    self.inputs::<V, 1, TAPS>(band, corner);
                    output += 1;
                }
            }
        }
    }

    #[inline(always)]
    fn inputs<V: Vector<T>, const OUTPUTS: usize, const TAPS: usize>(
        self,
        band: Band,
        corner: Corner,
    ) {
        for channel in 0..self.input.shape().channels / self.groups {
            for row in 0..self.rows.kernel {
                let corner = Corner { channel, row, ..corner };
                let mut lane = 0;
                while lane < LANES {
                    self.tile::<V, OUTPUTS, TAPS>(band, corner, lane);
                    lane += V::LANES;
                }
            }
        }
    }

    /// One tile: some lanes of its sums, over the pixels of a band.
    #[inline(always)]
    fn tile<V: Vector<T>, const OUTPUTS: usize, const TAPS: usize>(
        self,
        band: Band,
        corner: Corner,
        lane: usize,
    ) {
        let Corner { group, output, channel, row: tap_row, col: tap_col } = corner;
        let ImageShape { channels, height, width } = self.input.shape();
        let channel_of_input = group * (channels / self.groups) + channel;
        let weight_row = (channel * self.rows.kernel + tap_row) * self.cols.kernel + tap_col;
        let outputs_width = self.grad.shape().width;
        let (first, end) = inside(self.cols, tap_col, TAPS, width, outputs_width);
        let mut sums = [[V::zero(); OUTPUTS]; TAPS];
        if band.start > 0 {
            for (tap, sums) in sums.iter_mut().enumerate() {
                let place = self.sums(output, weight_row + tap).wrapping_add(lane);
                for (i, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: an earlier band left them there.
                    *sum = unsafe { V::load(place.add(i * LANES)) };
                }
            }
        }
        for row in band.start..band.end {
            let at = row * self.rows.stride + tap_row * self.rows.dilation;
            let Some(at) = at.checked_sub(self.rows.padding).filter(|&at| at < height) else {
                continue;
            };
            let line = Line {
                grad: self.grad.at(row, output, 0).wrapping_add(lane),
                grad_apart: outputs_width * LANES,
                input: self.input.at(at, channel_of_input, 0).wrapping_add(lane),
                width,
                cols: self.cols,
                tap: tap_col,
            };
            let mut col = 0;
            while col < outputs_width {
                // SAFETY: the line's pointers are to the first pixels of rows that exist; `inside`
                // says where all taps meet pixels, and `border` looks itself.
                unsafe {
                    if col == first && first < end {
                        line.inside(&mut sums, first, end);
                        col = end;
                    } else {
                        line.border(&mut sums, col);
                        col += 1;
                    }
                }
            }
        }
        for (tap, sums) in sums.iter().enumerate() {
            let place = self.sums(output, weight_row + tap).wrapping_add(lane);
            for (i, sum) in sums.iter().enumerate() {
                // SAFETY: the scratch holds 16 elements for each sum.
                unsafe { sum.store(place.add(i * LANES)) };
            }
        }
    }

    /// The bias: four outputs at a time, whose chains hide each other's latency.
    #[inline(always)]
    fn biases<S: Simd>(self, bias: Panels<T>) {
        let ImageShape { channels, height, width } = self.grad.shape();
        for panel in 0..bias.panels() {
            let mut sums = [T::ZERO; LANES * LANES];
            let place = sums.as_mut_ptr();
            let mut i = 0;
            while i < bias.width(panel) {
                let mut chains = [S::Lanes::<T>::zero(); 4];
                for row in 0..height {
                    for col in 0..width {
                        for (j, chain) in chains.iter_mut().enumerate() {
                            let channel = panel * LANES + i + j;
                            if channel < channels {
                                // SAFETY: a pixel of the gradient, whose maker vouches for it.
                                let grad =
                                    unsafe { S::Lanes::<T>::load(self.grad.at(row, channel, col)) };
                                *chain = chain.add(grad);
                            }
                        }
                    }
                }
                for (j, chain) in chains.iter().enumerate() {
                    // SAFETY: i is a multiple of 4 below 16, so that row i + j is one of the 16.
                    unsafe { chain.store(place.add((i + j) * LANES)) };
                }
                i += 4;
            }
            // SAFETY: 16 rows of 16 elements, and a row of the bias.
            unsafe {
                fold_rows::<T, S>(place).store_partial(bias.row(panel, 0), bias.width(panel));
            }
        }
    }
}

/// The columns of the output at which all of `taps` taps from `tap` on meet pixels of the input.
#[inline(always)]
fn inside(cols: Stencil, tap: usize, taps: usize, inputs: usize, outputs: usize) -> (usize, usize) {
    let Stencil { stride, padding, dilation, .. } = cols;
    let (before, last) = (tap * dilation, (tap + taps - 1) * dilation);
    let first = if before < padding { (padding - before).div_ceil(stride) } else { 0 };
    let end = if inputs + padding > last { (inputs + padding - last).div_ceil(stride) } else { 0 };
    let first = if first < outputs { first } else { outputs };
    let end = if end < outputs { end } else { outputs };
    (first, if end < first { first } else { end })
}

/// A row of the gradient and the row of the input that one row of the kernel meets there.
#[derive(Clone, Copy)]
struct Line<T> {
    grad: *const T,
    /// From one output channel to the next.
    grad_apart: usize,
    input: *const T,
    width: usize,
    cols: Stencil,
    /// First column of the kernel.
    tap: usize,
}

impl<T: Real> Line<T> {
    /// Columns `start..end`, at which all taps meet pixels.
    ///
    /// # Safety
    /// They do.
    #[inline(always)]
    unsafe fn inside<V: Vector<T>, const OUTPUTS: usize, const TAPS: usize>(
        self,
        sums: &mut [[V; OUTPUTS]; TAPS],
        start: usize,
        end: usize,
    ) {
        let Stencil { stride, padding, dilation, .. } = self.cols;
        let before = start * stride + self.tap * dilation;
        let mut input = self.input.wrapping_add(before * LANES).wrapping_sub(padding * LANES);
        let mut grad = self.grad.wrapping_add(start * LANES);
        for _ in start..end {
            let mut x = [V::zero(); TAPS];
            for tap in 0..TAPS {
                // SAFETY: the caller vouches that the tap meets a pixel.
                x[tap] = unsafe { V::load(input.add(tap * dilation * LANES)) };
            }
            for i in 0..OUTPUTS {
                // SAFETY: a pixel of output channel i.
                let g = unsafe { V::load(grad.add(i * self.grad_apart)) };
                for tap in 0..TAPS {
                    sums[tap][i] = g.fma(x[tap], sums[tap][i]);
                }
            }
            input = input.wrapping_add(stride * LANES);
            grad = grad.wrapping_add(LANES);
        }
    }

    /// A column at which some taps may meet padding.
    ///
    /// # Safety
    /// The rows that the pointers begin exist.
    #[inline(always)]
    unsafe fn border<V: Vector<T>, const OUTPUTS: usize, const TAPS: usize>(
        self,
        sums: &mut [[V; OUTPUTS]; TAPS],
        col: usize,
    ) {
        let Stencil { stride, padding, dilation, .. } = self.cols;
        for tap in 0..TAPS {
            let at = col * stride + (self.tap + tap) * dilation;
            let Some(at) = at.checked_sub(padding).filter(|&at| at < self.width) else {
                continue;
            };
            // SAFETY: at is a column of the input.
            let x = unsafe { V::load(self.input.add(at * LANES)) };
            for i in 0..OUTPUTS {
                // SAFETY: a pixel of output channel i.
                let g = unsafe { V::load(self.grad.add(i * self.grad_apart + col * LANES)) };
                sums[tap][i] = g.fma(x, sums[tap][i]);
            }
        }
    }
}
