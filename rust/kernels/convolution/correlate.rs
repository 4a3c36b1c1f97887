//! Each pixel of the result is a sum over channels and taps.

use std::ops::Range;

use super::Axis;
use crate::kernels::gemm::tile::{Balanced, Tile, by_height};
use crate::kernels::images::Images;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::tuning::{CHUNK_BYTES, CHUNK_TAPS, LEAST_TAPS, MOST_CHUNK_BYTES};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// result[o, y, x] = bias[o] + sum over the channels c of the group and the taps (u, v) of
/// weight[(c, u, v), o] * source[c, y', x'], where (y', x') is what the tap meets at (y, x).
///
/// Each element is one chain acc = fma(weight, source, acc) from the bias or +0, over c, u, v in this
/// order, of the taps that meet something (N1).
pub struct Correlate<'a, T> {
    /// Read; may not overlap the result.
    pub source: Images<T>,
    /// Written.
    pub result: Images<T>,
    /// (channels of a group * taps, channels of the result).
    pub weight: Panels<T>,
    /// Start of each channel's chains: their number rounded up to 16 elements, or none.
    pub bias: Span<T>,
    /// Groups of channels.
    pub groups: usize,
    /// Rows and columns of the kernel.
    pub kernel: (usize, usize),
    /// What the rows of the result are made from.
    pub rows: &'a Axis,
    /// What its columns are made from.
    pub cols: &'a Axis,
    /// The rows of the result to compute.
    pub range: Range<usize>,
}

impl<T: Real> Kernel for Correlate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // The plan makes both from the result's shape. Looking again here changes the loops: LeNet-5 and
        // 24 channels 0.98x with AVX2 (Zen 4).
        debug_assert_eq!(self.rows.len(), self.result.shape().height);
        debug_assert_eq!(self.cols.len(), self.result.shape().width);
        // The tiles of a product: outputs are its rows, the lanes of one or two pixels its columns.
        match S::REGISTERS {
            32 => self.sweep::<S::Register<T>, 8, 2>(),
            16 => self.sweep::<S::Register<T>, 6, 2>(),
            8 => self.sweep::<S::Register<T>, 4, 1>(),
            _ => self.sweep::<S::Register<T>, 1, 1>(),
        }
    }
}

/// Channels `start..end` of the source's channels from `first` on.
#[derive(Clone, Copy)]
struct Chunk {
    first: usize,
    start: usize,
    end: usize,
}

impl<T: Real> Correlate<'_, T> {
    #[inline(always)]
    fn sweep<V: Vector<T>, const MR: usize, const NV: usize>(&self) {
        let sources = self.source.shape().channels / self.groups;
        let results = self.result.shape().channels / self.groups;
        let chunks = self.chunks(sources);
        for row in self.range.clone() {
            for group in 0..self.groups {
                for chunk in 0..chunks {
                    let (start, end) = (sources * chunk / chunks, sources * (chunk + 1) / chunks);
                    let chunk = Chunk { first: group * sources, start, end };
                    self.outputs::<V, MR, NV>(group * results, results, row, chunk);
                }
            }
        }
    }

    /// In how many chunks `sources` channels go.
    #[inline(always)]
    fn chunks(&self, sources: usize) -> usize {
        let taps = self.kernel.0 * self.kernel.1;
        let bytes = self.kernel.0 * self.source.shape().width * LANES * size_of::<T>();
        let enough = LEAST_TAPS.div_ceil(taps).min(MOST_CHUNK_BYTES / bytes);
        let most = enough.max(CHUNK_BYTES / bytes).min(CHUNK_TAPS / taps);
        if most == 0 { sources } else { sources.div_ceil(most) }
    }

    /// `count` channels of the result from `first` on, in tiles that stay within a panel.
    #[inline(always)]
    fn outputs<V: Vector<T>, const MR: usize, const NV: usize>(
        &self,
        first: usize,
        count: usize,
        row: usize,
        chunk: Chunk,
    ) {
        let (mut at, end) = (first, first + count);
        while at < end {
            let next = (at / LANES + 1) * LANES;
            let next = if next < end { next } else { end };
            let (split, tiles) = Balanced::new(next - at, MR);
            for tile in 0..tiles {
                let (offset, height) = split.range(tile);
                by_height!(height, MR, pixels::<T, V; NV>(self, at + offset, row, chunk));
            }
            at = next;
        }
    }
}

/// All pixels of a row, for `MR` channels of the result from `output` on.
#[inline(always)]
fn pixels<T: Real, V: Vector<T>, const MR: usize, const NV: usize>(
    of: &Correlate<'_, T>,
    output: usize,
    row: usize,
    chunk: Chunk,
) {
    // Registers of a pixel. Where that is fewer than a tile has, pixels with the same taps go together: two,
    // or four of few channels, whose broadcast weights are then used more often (6 channels: 1.13x).
    let registers = LANES / V::LANES;
    let mut col = 0;
    while col < of.cols.len() {
        let place = TileStart { output, row, col };
        let alike = of.cols.at(col).alike;
        if NV <= registers {
            let mut lane = 0;
            while lane < LANES {
                tile_of::<T, V, MR, NV>(of, place, lane, chunk);
                lane += NV * V::LANES;
            }
            col += 1;
        } else if MR <= 6 && alike >= 4 {
            tile_of::<T, V, MR, 4>(of, place, 0, chunk);
            col += 4;
        } else if alike >= 2 {
            tile_of::<T, V, MR, 2>(of, place, 0, chunk);
            col += 2;
        } else {
            tile_of::<T, V, MR, 1>(of, place, 0, chunk);
            col += 1;
        }
    }
}

/// The first of the pixels that a tile makes.
#[derive(Clone, Copy)]
struct TileStart {
    output: usize,
    row: usize,
    col: usize,
}

/// One tile: `MR` channels, `NV` registers from a lane of a pixel on.
#[inline(always)]
fn tile_of<T: Real, V: Vector<T>, const MR: usize, const NV: usize>(
    of: &Correlate<'_, T>,
    TileStart { output, row, col }: TileStart,
    lane: usize,
    chunk: Chunk,
) {
    let Correlate { source, result, weight, bias, .. } = *of;
    let pixel = LANES / V::LANES;
    let mut acc: Tile<V, MR, NV> = [[V::zero(); NV]; MR];
    // The registers of a pixel follow each other, and so do the pixels of the result.
    let first = result.at(row, output, col).wrapping_add(lane);
    let apart = result.shape().width * LANES;
    for i in 0..MR {
        for v in 0..NV {
            // SAFETY: the views' maker vouches for the pixels of the result and for the bias.
            unsafe {
                if chunk.start > 0 {
                    acc[i][v] = V::load(first.add(i * apart + v * V::LANES));
                } else if !bias.is_empty() {
                    acc[i][v] = V::splat(bias.at(output + i).read());
                }
            }
        }
    }
    let (rows, cols) = (of.rows.at(row), of.cols.at(col));
    if rows.count > 0 && cols.count > 0 {
        // From a register to the next: of the same pixel, or of pixels that lie evenly apart.
        let next =
            if NV > pixel { (of.cols.at(col + 1).source - cols.source) * LANES } else { V::LANES };
        let weight = weight.from(output / LANES, 0).first_panel();
        let (left_step, right_step) =
            (of.cols.tap_step * LANES, of.cols.source_step * LANES as isize);
        for channel in chunk.start..chunk.end {
            let mut tap = (channel * of.kernel.0 + rows.tap) * of.kernel.1 + cols.tap;
            let mut at = rows.source;
            for _ in 0..rows.count {
                let mut left = weight.row(0, tap).wrapping_add(output % LANES);
                let start = source.at(at, chunk.first + channel, cols.source).wrapping_add(lane);
                let mut right = [start; NV];
                for v in 1..NV {
                    right[v] = start.wrapping_add(v * next);
                }
                for _ in 0..cols.count {
                    // SAFETY: the axes name taps of the kernel and pixels of the source only; the
                    // views' makers vouch for them.
                    unsafe { multiply_add(&mut acc, left, right) };
                    left = left.wrapping_add(left_step);
                    for v in 0..NV {
                        right[v] = right[v].wrapping_offset(right_step);
                    }
                }
                tap += of.rows.tap_step * of.kernel.1;
                at = at.wrapping_add_signed(of.rows.source_step);
            }
        }
    }
    for i in 0..MR {
        for v in 0..NV {
            // SAFETY: the views' maker vouches for the pixels of the result.
            unsafe { acc[i][v].store(first.add(i * apart + v * V::LANES)) };
        }
    }
}

/// acc[i][v] = fma(left[i], right[v], acc[i][v])
///
/// # Safety
/// All that it reads may be read.
#[inline(always)]
unsafe fn multiply_add<T: Real, V: Vector<T>, const MR: usize, const NV: usize>(
    acc: &mut Tile<V, MR, NV>,
    left: *const T,
    right: [*mut T; NV],
) {
    let mut x = [V::zero(); NV];
    for v in 0..NV {
        // SAFETY: the caller vouches for the address.
        x[v] = unsafe { V::load(right[v]) };
    }
    for i in 0..MR {
        // SAFETY: the caller vouches for the address.
        let w = V::splat(unsafe { *left.add(i) });
        for v in 0..NV {
            acc[i][v] = w.fma(x[v], acc[i][v]);
        }
    }
}

/// The weight as the gradient at the input reads it: rows are (output channel of the group, kernel
/// row, kernel column), columns the input channels.
pub struct TransposeChannels<T> {
    /// (input channels of a group * taps, output channels).
    pub weight: Panels<T>,
    /// (output channels of a group * taps, input channels).
    pub target: Panels<T>,
    /// Groups of channels.
    pub groups: usize,
    /// Taps of the kernel.
    pub taps: usize,
}

impl<T: Real> Kernel for TransposeChannels<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { weight, target, groups, taps } = self;
        let (inputs, outputs) = (target.cols() / groups, weight.cols() / groups);
        for group in 0..groups {
            for output in 0..outputs {
                let col = group * outputs + output;
                for input in 0..inputs {
                    let row = group * inputs + input;
                    for tap in 0..taps {
                        let from = weight.row(col / LANES, input * taps + tap);
                        let to = target.row(row / LANES, output * taps + tap);
                        // SAFETY: both are rows of 16 elements, for which the views' makers vouch.
                        unsafe { *to.add(row % LANES) = *from.add(col % LANES) };
                    }
                }
            }
        }
    }
}
