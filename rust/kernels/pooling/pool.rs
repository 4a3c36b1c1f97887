//! Which windows a pool has.

use crate::kernels::images::ImageShape;
use crate::simd::{Real, Vector};

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The sum, row by row from the first pixel on, divided by the number of pixels.
    Average,
    /// The largest, the first of equal ones; a NaN if there is one.
    Max,
}

/// Windows of `kernel` pixels, `stride` apart; what is left at the border belongs to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What becomes of a window.
    pub kind: PoolKind,
    /// Rows and columns of a window.
    pub kernel: (usize, usize),
    /// From one window to the next.
    pub stride: (usize, usize),
}

impl Pool {
    /// The size of what the pool makes of an image; `None` if no window fits in.
    #[must_use]
    pub fn output(&self, input: ImageShape) -> Option<ImageShape> {
        let windows = |size: usize, kernel: usize, stride: usize| {
            size.checked_sub(kernel).map(|rest| rest / stride + 1)
        };
        Some(ImageShape {
            channels: input.channels,
            height: windows(input.height, self.kernel.0, self.stride.0)?,
            width: windows(input.width, self.kernel.1, self.stride.1)?,
        })
    }

    /// The first row of an output of `rows` rows whose window does not end above row `row` of an input
    /// of `all` rows. Bands of the input that begin at multiples of the kernel belong to bands of the
    /// output if windows do not overlap.
    #[must_use]
    pub fn output_row(&self, row: usize, all: usize, rows: usize) -> usize {
        if row == all { rows } else { row / self.stride.0 }
    }

    /// Whether windows are 2 x 2 pixels side by side.
    #[must_use]
    pub fn is_two_by_two(&self) -> bool {
        self.kernel == (2, 2) && self.stride == (2, 2)
    }

    /// What a window's pixels so far come to, and one more.
    #[inline(always)]
    pub(super) fn combine<T: Real, V: Vector<T>>(&self, so_far: V, x: V) -> V {
        match self.kind {
            PoolKind::Average => so_far.add(x),
            PoolKind::Max => {
                let larger = V::select(so_far.lt(x), x, so_far);
                V::select(x.eq(x), larger, x)
            }
        }
    }

    /// What becomes of a window whose pixels come to this.
    #[inline(always)]
    pub(super) fn finish<T: Real, V: Vector<T>>(&self, all: V) -> V {
        match self.kind {
            PoolKind::Average => self.divide(all),
            PoolKind::Max => all,
        }
    }

    /// x divided by the number of a window's pixels. Where the reciprocal is exact a product has the
    /// same bits.
    #[inline(always)]
    pub(super) fn divide<T: Real, V: Vector<T>>(&self, x: V) -> V {
        let area = self.kernel.0 * self.kernel.1;
        if area.is_power_of_two() {
            x.mul(V::constant(1.0 / area as f64))
        } else {
            x.div(V::constant(area as f64))
        }
    }

    pub(super) fn overlaps(&self) -> bool {
        self.stride.0 < self.kernel.0 || self.stride.1 < self.kernel.1
    }

    pub(super) fn has_gaps(&self) -> bool {
        self.stride.0 > self.kernel.0 || self.stride.1 > self.kernel.1
    }

    /// One past the last row and the last column of the windows of an output of this size.
    pub(super) fn reach(&self, output: ImageShape) -> (usize, usize) {
        (
            (output.height - 1) * self.stride.0 + self.kernel.0,
            (output.width - 1) * self.stride.1 + self.kernel.1,
        )
    }
}
