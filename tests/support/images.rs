//! The images of 16 samples for the tests of kernels.

use super::matrix::noise;
use ironmlp::kernels::images::{ImageShape, Images};
use ironmlp::kernels::panels::Panels;
use ironmlp::simd::{LANES, Real};

/// Images that own their memory, from a cache line on; what no pixel occupies holds NaN so that reading
/// it shows.
pub struct Block<T> {
    memory: Vec<T>,
    start: usize,
    pub shape: ImageShape,
}

impl<T: Real> Block<T> {
    pub fn new(shape: ImageShape, mut pixel: impl FnMut(usize, usize, usize, usize) -> T) -> Self {
        // A line more: where it begins cannot be asked for.
        let memory = vec![T::from_f64(f64::NAN); (shape.panel_rows() + 1) * LANES];
        let start = memory.as_ptr().align_offset(64);
        let mut block = Self { memory, start, shape };
        for channel in 0..shape.channels {
            for row in 0..shape.height {
                for col in 0..shape.width {
                    for lane in 0..LANES {
                        let at = block.place(lane, channel, row, col);
                        block.memory[at] = pixel(lane, channel, row, col);
                    }
                }
            }
        }
        block
    }

    pub fn noise(seed: u64, shape: ImageShape) -> Self {
        Self::new(shape, |lane, channel, row, col| {
            noise(seed + lane as u64, channel, row * 1000 + col)
        })
    }

    pub fn nan(shape: ImageShape) -> Self {
        Self::new(shape, |_, _, _, _| T::from_f64(f64::NAN))
    }

    /// The same pixels, but for lanes from `first` on, which all hold `value`.
    pub fn with_lanes(&self, first: usize, value: T) -> Self {
        Self::new(
            self.shape,
            |lane, channel, row, col| {
                if lane < first { self.at(lane, channel, row, col) } else { value }
            },
        )
    }

    fn place(&self, lane: usize, channel: usize, row: usize, col: usize) -> usize {
        let pixel = row * self.shape.row_stride() + channel * self.shape.width + col;
        self.start + pixel * LANES + lane
    }

    pub fn at(&self, lane: usize, channel: usize, row: usize, col: usize) -> T {
        self.memory[self.place(lane, channel, row, col)]
    }

    pub fn view(&mut self) -> Images<T> {
        let rows = self.shape.panel_rows();
        let start = self.memory.as_mut_ptr().wrapping_add(self.start);
        // SAFETY: the memory is one panel of that many rows and lives as long as the block.
        let panels = unsafe { Panels::from_raw(start, rows, LANES, rows * LANES) };
        Images::new(panels, 0, self.shape)
    }

    /// Asserts that the pixels have the bits of another's.
    pub fn assert_same(&self, other: &Self, what: &str) {
        for channel in 0..self.shape.channels {
            for row in 0..self.shape.height {
                for col in 0..self.shape.width {
                    for lane in 0..LANES {
                        let at = |block: &Self| block.at(lane, channel, row, col).to_f64();
                        let (is, must) = (at(self), at(other));
                        let place = (lane, channel, row, col);
                        assert!(is.to_bits() == must.to_bits(), "{what} {place:?}: {is} {must}");
                    }
                }
            }
        }
    }
}
