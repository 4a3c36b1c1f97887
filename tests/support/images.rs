//! The images of 16 samples for the tests of kernels.

use super::matrix::noise;
use ironmlp::kernels::images::{ImageShape, Images};
use ironmlp::kernels::panels::Panels;
use ironmlp::simd::{LANES, Real};

/// Images that own their memory; what no pixel occupies holds NaN so that reading it shows.
pub struct Block<T> {
    memory: Vec<T>,
    pub shape: ImageShape,
}

impl<T: Real> Block<T> {
    pub fn new(shape: ImageShape, mut pixel: impl FnMut(usize, usize, usize, usize) -> T) -> Self {
        let memory = vec![T::from_f64(f64::NAN); shape.panel_rows() * LANES];
        let mut block = Self { memory, shape };
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

    fn place(&self, lane: usize, channel: usize, row: usize, col: usize) -> usize {
        (row * self.shape.row_stride() + channel * self.shape.width + col) * LANES + lane
    }

    pub fn at(&self, lane: usize, channel: usize, row: usize, col: usize) -> T {
        self.memory[self.place(lane, channel, row, col)]
    }

    pub fn view(&mut self) -> Images<T> {
        let (rows, start) = (self.shape.panel_rows(), self.memory.as_mut_ptr());
        // SAFETY: the memory is one panel of that many rows and lives as long as the block.
        let panels = unsafe { Panels::from_raw(start, rows, LANES, rows * LANES) };
        Images::new(panels, 0, self.shape)
    }
}
