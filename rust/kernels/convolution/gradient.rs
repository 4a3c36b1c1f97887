//! The gradient of a convolution's weight and bias: sums over samples and pixels.
//!
//! Its order of summation (N2): a batch goes in blocks of 16 samples by position, one in each lane. A
//! lane of a block is a chain acc = fma(grad, input, acc) from +0 over the output's pixels, row by
//! row, of those where the tap meets a pixel of the input; the bias a chain of additions over all of
//! them. The 16 lanes are folded 8, 4, 2, 1. Those without a sample count as +0, whatever has become of
//! the zeros that they hold: biases alone may overflow. The sums of the 16 blocks of 256 samples are
//! added in their order, and those meet in the tree of `reduce.rs`. This file makes the sums of one block.

use super::Stencil;
use super::line::{Line, TapSums, inside};
use crate::kernels::fetch::Fetch;
use crate::kernels::images::{ImageShape, Images};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::reduce::{Added, fold_rows};
use crate::kernels::tuning::{SUMS_BYTES, band_bytes};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// The gradient of the weight and the bias over a block of 16 samples.
pub struct ConvolutionGradient<'a, T> {
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
    /// Lanes that hold a sample, the first ones.
    pub samples: usize,
    /// First row of the gradient to go over. The rows before went by in calls with the same scratch.
    pub start: usize,
    /// One past the last; the call that has the gradient's last row makes the weight and the bias.
    pub end: usize,
    /// Room for the lanes of all sums: [`Self::scratch_len`] elements.
    pub scratch: Span<T>,
    /// (input channels of a group * taps, output channels).
    pub weight: Panels<T>,
    /// One row, if there is a bias.
    pub bias: Option<Panels<T>>,
    /// What is fetched meanwhile: sums over pixels in L1 leave the memory idle.
    pub ahead: &'a Fetch<T>,
}

impl<T> Clone for ConvolutionGradient<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ConvolutionGradient<'_, T> {}

impl<T: Real> Kernel for ConvolutionGradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let with_bias = self.taps::<S>();
        if self.bias.is_some() && !with_bias {
            self.biases::<S>();
        }
        if self.end == self.grad.shape().height {
            self.fold::<S>();
        }
    }
}

/// Pixels of the output that follow each other row by row: some whole rows, or a part of one.
#[derive(Clone, Copy)]
struct PixelBand {
    rows: (usize, usize),
    cols: (usize, usize),
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
    /// The row of the first channel whose tiles sum the bias, too.
    bias_row: Option<usize>,
}

/// Whether a tile of so many outputs and taps has registers for the sums of biases, too.
const fn has_room(registers: usize, outputs: usize, taps: usize) -> bool {
    (taps + 1) * outputs + taps < registers
}

impl<T: Real> ConvolutionGradient<'_, T> {
    /// Elements of scratch for a weight of `inputs` rows and `outputs` columns.
    #[must_use]
    pub fn scratch_len(inputs: usize, outputs: usize) -> usize {
        (inputs + 1) * outputs.next_multiple_of(LANES) * LANES
    }

    /// The lanes of the sum of one output and one row of the weight, or of the bias, which comes after
    /// the last. Those of 16 outputs lie together, so that tiles that take turns do not share few sets of
    /// a cache, as with all of a row's side by side (96 channels of 3 x 3: 1.1x).
    #[inline(always)]
    fn sums(self, output: usize, row: usize) -> *mut T {
        let (panel, i) = (output / LANES, output % LANES);
        self.scratch.at(((panel * (self.weight.rows() + 1) + row) * LANES + i) * LANES)
    }

    /// All taps, a few columns of the kernel at a time; whether the bias went along.
    ///
    /// A tile has a register for each of its sums, one for each tap's input, and one for a gradient.
    /// It has 5 taps, 3 or 1, since each shape is compiled for each type and instruction set; its
    /// outputs are a power of two. Taps that lie apart go alone: their addresses would need a register each.
    #[inline(always)]
    fn taps<S: Simd>(self) -> bool {
        let mut with_bias = false;
        let mut col = 0;
        while col < self.cols.kernel {
            let count = match self.cols.kernel - col {
                _ if self.cols.dilation > 1 || S::REGISTERS == 1 => 1,
                1 | 2 => 1,
                3 | 4 | 6 | 7 => 3,
                _ => 5,
            };
            with_bias |= match (S::REGISTERS, count) {
                (32, 1) => self.outputs::<S, 8, 1>(col),
                (32, 3) => self.outputs::<S, 8, 3>(col),
                (32, _) => self.outputs::<S, 4, 5>(col),
                (16, 1) => self.outputs::<S, 8, 1>(col),
                (16, 3) => self.outputs::<S, 4, 3>(col),
                (16, _) => self.outputs::<S, 2, 5>(col),
                (8, 3) => self.outputs::<S, 1, 3>(col),
                (8, 5) => self.outputs::<S, 1, 5>(col),
                _ => self.outputs::<S, 1, 1>(col),
            };
            col += count;
        }
        with_bias
    }

    /// The first row of the kernel that meets a row of the input at every row of the gradient.
    #[inline(always)]
    fn whole_row(self) -> Option<usize> {
        let (inputs, all) = (self.input.shape().height, (0, self.grad.shape().height));
        let mut row = 0;
        while row < self.rows.kernel {
            if inside(self.rows, (row, 1), inputs, all) == all {
                return Some(row);
            }
            row += 1;
        }
        None
    }

    /// All outputs, as many at a time as have their sums in L2 while all pixels go by; whether the bias
    /// went along.
    ///
    /// By itself a bias waits for L2: its gradients went by in other tiles a while ago (LeNet-5's first
    /// convolution at 28 x 28: 8 % of its gradient).
    #[inline(always)]
    fn outputs<S: Simd, const MOST: usize, const TAPS: usize>(self, col: usize) -> bool {
        let along = col == 0 && has_room(S::REGISTERS, MOST, TAPS) && self.bias.is_some();
        let bias_row = if along { self.whole_row() } else { None };
        let outputs = self.grad.shape().channels / self.groups;
        let sums = self.weight.rows() * LANES * size_of::<T>();
        let most = (SUMS_BYTES / sums / MOST + 1) * MOST;
        for group in 0..self.groups {
            let (mut output, end) = (group * outputs, (group + 1) * outputs);
            while output < end {
                let next = if end - output < most { end } else { output + most };
                let corner = Corner { group, output, channel: 0, row: 0, col, bias_row };
                self.bands::<S, MOST, TAPS>(corner, next);
                output = next;
            }
        }
        bias_row.is_some()
    }

    /// All pixels, a band at a time, for the outputs from the corner's to `end`.
    #[inline(always)]
    fn bands<S: Simd, const MOST: usize, const TAPS: usize>(self, corner: Corner, end: usize) {
        let (width, height) = (self.grad.shape().width, self.end);
        let pixels = band_bytes(S::REGISTERS) / (LANES * size_of::<T>()) / (MOST + 1);
        let (rows, cols) = if pixels < width {
            // Parts of a row, as equal as can be.
            (1, width.div_ceil(width.div_ceil(pixels)))
        } else {
            (pixels / width, width)
        };
        let part = |start: usize, most: usize, all: usize| {
            (start, if all - start < most { all } else { start + most })
        };
        let mut row = self.start;
        while row < height {
            let mut col = 0;
            while col < width {
                let band =
                    PixelBand { rows: part(row, rows, height), cols: part(col, cols, width) };
                self.tiles::<S::Register<T>, MOST, TAPS>(band, corner, end);
                col = band.cols.1;
            }
            row += rows;
        }
    }

    #[inline(always)]
    fn tiles<V: Vector<T>, const MOST: usize, const TAPS: usize>(
        self,
        band: PixelBand,
        corner: Corner,
        end: usize,
    ) {
        let mut output = corner.output;
        while output < end {
            // A tile stays within a panel.
            let left = (end - output).min(LANES - output % LANES);
            let corner = Corner { output, ..corner };
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

    #[inline(always)]
    fn inputs<V: Vector<T>, const OUTPUTS: usize, const TAPS: usize>(
        self,
        band: PixelBand,
        corner: Corner,
    ) {
        for channel in 0..self.input.shape().channels / self.groups {
            for row in 0..self.rows.kernel {
                let corner = Corner { channel, row, ..corner };
                let mut lane = 0;
                while lane < LANES {
                    if channel == 0 && corner.bias_row == Some(row) {
                        self.tile::<V, OUTPUTS, TAPS, true>(band, corner, lane);
                    } else {
                        self.tile::<V, OUTPUTS, TAPS, false>(band, corner, lane);
                    }
                    lane += V::LANES;
                }
            }
        }
    }

    /// One tile: some lanes of its sums, and perhaps of its outputs' biases, over the pixels of a band.
    #[inline(always)]
    fn tile<V: Vector<T>, const OUTPUTS: usize, const TAPS: usize, const BIAS: bool>(
        self,
        band: PixelBand,
        corner: Corner,
        lane: usize,
    ) {
        let Corner { group, output, channel, row: tap_row, col: tap_col, .. } = corner;
        let (input, grad) = (self.input.shape(), self.grad.shape());
        let channel_of_input = group * (input.channels / self.groups) + channel;
        let weight_row = (channel * self.rows.kernel + tap_row) * self.cols.kernel + tap_col;
        let mut sums = TapSums { taps: [[V::zero(); OUTPUTS]; TAPS], bias: [V::zero(); OUTPUTS] };
        let place = |row: usize| self.sums(output, row).wrapping_add(lane);
        if band.rows.0 + band.cols.0 > 0 {
            // SAFETY: an earlier band left them there.
            unsafe {
                for (tap, sums) in sums.taps.iter_mut().enumerate() {
                    load(sums, place(weight_row + tap));
                }
                if BIAS {
                    load(&mut sums.bias, place(self.weight.rows()));
                }
            }
        }
        let rows = inside(self.rows, (tap_row, 1), input.height, band.rows);
        let cols = inside(self.cols, (tap_col, TAPS), input.width, band.cols);
        let at = rows.0 * self.rows.stride + tap_row * self.rows.dilation;
        let mut line = Line {
            grad: self.grad.first(output).wrapping_add(rows.0 * grad.row_stride() * LANES + lane),
            grad_apart: grad.width * LANES,
            input: self
                .input
                .first(channel_of_input)
                .wrapping_add(at * input.row_stride() * LANES + lane)
                .wrapping_sub(self.rows.padding * input.row_stride() * LANES),
            width: input.width,
            cols: self.cols,
            tap: tap_col,
            ahead: self.ahead,
        };
        for _ in rows.0..rows.1 {
            // SAFETY: the line's pointers are to the first pixels of rows that exist; `inside` says
            // where all taps meet pixels, and `border` looks itself.
            unsafe {
                line.border::<V, OUTPUTS, TAPS, BIAS>(&mut sums, band.cols.0, cols.0);
                line.inside::<V, OUTPUTS, TAPS, BIAS>(&mut sums, cols.0, cols.1);
                line.border::<V, OUTPUTS, TAPS, BIAS>(&mut sums, cols.1, band.cols.1);
            }
            line.grad = line.grad.wrapping_add(grad.row_stride() * LANES);
            line.input = line.input.wrapping_add(self.rows.stride * input.row_stride() * LANES);
        }
        // SAFETY: the scratch holds 16 elements for each sum.
        unsafe {
            for (tap, sums) in sums.taps.iter().enumerate() {
                store(sums, place(weight_row + tap));
            }
            if BIAS {
                store(&sums.bias, place(self.weight.rows()));
            }
        }
    }

    /// The bias by itself: four outputs at a time, whose chains hide each other's latency.
    #[inline(always)]
    fn biases<S: Simd>(self) {
        let ImageShape { channels, width, .. } = self.grad.shape();
        let mut output = 0;
        while output < channels {
            let count = if channels - output < 4 { channels - output } else { 4 };
            let place = self.sums(output, self.weight.rows());
            let mut chains = [S::Lanes::<T>::zero(); 4];
            if self.start > 0 {
                for (j, chain) in chains.iter_mut().enumerate() {
                    // SAFETY: an earlier call left 16 vectors for the outputs of a panel, of which
                    // these are four; what lies past the last output goes nowhere.
                    *chain = unsafe { S::Lanes::<T>::load(place.add(j * LANES)) };
                }
            }
            for row in self.start..self.end {
                for col in 0..width {
                    for (j, chain) in chains.iter_mut().enumerate() {
                        if j < count {
                            // SAFETY: a pixel of the gradient, whose maker vouches for it.
                            let grad =
                                unsafe { S::Lanes::<T>::load(self.grad.at(row, output + j, col)) };
                            *chain = chain.add(grad);
                        }
                    }
                }
            }
            for (j, chain) in chains.iter().enumerate() {
                // SAFETY: as above.
                unsafe { chain.store(place.add(j * LANES)) };
            }
            output += 4;
        }
    }

    /// The sums of the lanes, when all pixels have gone by.
    #[inline(always)]
    fn fold<S: Simd>(self) {
        let inputs = self.weight.rows();
        for panel in 0..self.weight.panels() {
            for row in 0..inputs {
                self.fold_row::<S>(panel, row, self.weight.row(panel, row));
            }
            if let Some(bias) = self.bias {
                self.fold_row::<S>(panel, inputs, bias.row(panel, 0));
            }
        }
    }

    #[inline(always)]
    fn fold_row<S: Simd>(self, panel: usize, row: usize, to: *mut T) {
        let lanes = self.sums(panel * LANES, row);
        if self.samples < LANES {
            // SAFETY: the scratch holds 16 vectors there.
            unsafe { clear_lanes(lanes, self.samples) };
        }
        // SAFETY: the scratch holds 16 vectors there, and a row of the weight or of the bias 16 elements.
        unsafe { fold_rows::<T, S, Added>(lanes).store_partial(to, self.weight.width(panel)) };
    }
}

/// # Safety
/// 16 elements for each register may be read, of which it takes the first.
#[inline(always)]
unsafe fn load<T: Real, V: Vector<T>, const N: usize>(sums: &mut [V; N], place: *const T) {
    for (i, sum) in sums.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the memory.
        *sum = unsafe { V::load(place.add(i * LANES)) };
    }
}

/// # Safety
/// 16 elements for each register may be written, of which it takes the first.
#[inline(always)]
unsafe fn store<T: Real, V: Vector<T>, const N: usize>(sums: &[V; N], place: *mut T) {
    for (i, sum) in sums.iter().enumerate() {
        // SAFETY: the caller vouches for the memory.
        unsafe { sum.store(place.add(i * LANES)) };
    }
}

/// Puts +0 into those of 16 vectors' lanes that hold no sample. Most blocks are full, so it is a
/// function of its own: 4 KB of the wheel less.
///
/// # Safety
/// `lanes` points to 16 vectors.
#[cold]
#[inline(never)]
unsafe fn clear_lanes<T: Real>(lanes: *mut T, samples: usize) {
    for vector in 0..LANES {
        for lane in samples..LANES {
            // SAFETY: the caller vouches.
            unsafe { lanes.add(vector * LANES + lane).write(T::ZERO) };
        }
    }
}
