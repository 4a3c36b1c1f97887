//! The gradient of slopes by pixels of images.

use super::slopes::{below, first};
use crate::kernels::images::Images;
use crate::kernels::panels::{Panels, Span, columns};
use crate::kernels::reduce::{Added, fold, fold_rows};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// The gradient of slopes over a block of 16 samples, one in each lane: in a lane a channel is a chain of
/// dy min(z, 0) by fma from +0 over its pixels, row by row. The 16 lanes are folded, those without a sample
/// as +0.
pub struct ImageSlopeGradient<T> {
    /// z.
    pub z: Images<T>,
    /// dy.
    pub grad: Images<T>,
    /// Lanes that hold a sample, the first ones.
    pub samples: usize,
    /// First row to go over. The rows before went by in calls with the same scratch.
    pub start: usize,
    /// One past the last; the call that has the images' last row makes the gradient.
    pub end: usize,
    /// Room for the lanes of all sums: [`Self::scratch_len`] elements.
    pub scratch: Span<T>,
    /// Written: the gradients, one row: a column for each channel, or one for all.
    pub slopes: Panels<T>,
}

impl<T> ImageSlopeGradient<T> {
    /// Elements of scratch for images of so many channels.
    #[must_use]
    pub fn scratch_len(channels: usize) -> usize {
        channels.next_multiple_of(LANES) * LANES
    }
}

impl<T: Real> Kernel for ImageSlopeGradient<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let shape = self.grad.shape();
        assert!(self.z.shape() == shape && self.end <= shape.height);
        assert!(self.scratch.len() >= Self::scratch_len(shape.channels));
        for channel in 0..shape.channels {
            self.channel::<S::Lanes<T>>(channel);
        }
        if self.end == shape.height {
            self.fold::<S>();
        }
    }
}

impl<T: Real> ImageSlopeGradient<T> {
    /// The chains of a channel go on over some rows.
    #[inline(always)]
    fn channel<V: Vector<T>>(&self, channel: usize) {
        let lanes = self.scratch.at(channel * LANES);
        // SAFETY: the scratch holds 16 elements for each channel, which an earlier call has written.
        let mut sum = if self.start == 0 { V::zero() } else { unsafe { V::load(lanes) } };
        for row in self.start..self.end {
            for col in 0..self.grad.shape().width {
                // SAFETY: a pixel's 16 elements, for which the images' makers vouch.
                let (z, dy) = unsafe {
                    (
                        V::load(self.z.at(row, channel, col)),
                        V::load(self.grad.at(row, channel, col)),
                    )
                };
                sum = dy.fma(below(z), sum);
            }
        }
        // SAFETY: as above.
        unsafe { columns(sum, self.samples).store(lanes) };
    }

    /// The gradients, when all pixels have gone by.
    #[inline(always)]
    fn fold<S: Simd>(&self) {
        let channels = self.grad.shape().channels;
        let one = self.slopes.cols() < channels;
        let mut all = S::Lanes::<T>::zero();
        for panel in 0..channels.div_ceil(LANES) {
            let left = channels - panel * LANES;
            // SAFETY: the scratch holds 16 x 16 elements for each 16 channels.
            let sums = unsafe { fold_rows::<T, S, Added>(self.scratch.at(panel * LANES * LANES)) };
            let sums = columns(sums, if left < LANES { left } else { LANES });
            if one {
                all = all.add(sums);
            } else {
                // SAFETY: a panel's row holds 16 elements, for which the view's maker vouches.
                unsafe { sums.store(self.slopes.row(panel, 0)) };
            }
        }
        if one {
            // SAFETY: as above.
            unsafe { first::<T, S::Lanes<T>>(fold(all)).store(self.slopes.row(0, 0)) };
        }
    }
}
