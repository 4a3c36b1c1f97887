//! The pixels of one window.

use super::Pool;
use crate::kernels::images::Images;
use crate::simd::{Real, Vector};

/// The pixels of one output.
#[derive(Clone, Copy)]
pub(super) struct Window<T> {
    pub pool: Pool,
    pub images: Images<T>,
    pub channel: usize,
    pub row: usize,
    pub col: usize,
}

impl<T: Real> Window<T> {
    /// The address of a pixel of the window.
    #[inline(always)]
    pub(super) fn at(self, row: usize, col: usize) -> *mut T {
        let (y, x) = (self.row * self.pool.stride.0, self.col * self.pool.stride.1);
        self.images.at(y + row, self.channel, x + col)
    }

    #[inline(always)]
    pub(super) fn fold<V: Vector<T>>(self, combine: impl Fn(V, V) -> V) -> V {
        // SAFETY: the pool's output is so large that all pixels of its windows are in the images.
        let mut result = unsafe { V::load(self.at(0, 0)) };
        for row in 0..self.pool.kernel.0 {
            let first = usize::from(row == 0);
            for col in first..self.pool.kernel.1 {
                // SAFETY: as above.
                result = combine(result, unsafe { V::load(self.at(row, col)) });
            }
        }
        result
    }

    /// Gives each pixel its share.
    #[inline(always)]
    pub(super) fn give<V: Vector<T>, const ADDS: bool>(
        self,
        mut share: impl FnMut(usize, usize) -> V,
    ) {
        for row in 0..self.pool.kernel.0 {
            for col in 0..self.pool.kernel.1 {
                let (share, place) = (share(row, col), self.at(row, col));
                // SAFETY: as in `fold`.
                unsafe {
                    let sum = if ADDS { V::load(place).add(share) } else { share };
                    sum.store(place);
                }
            }
        }
    }
}

/// What is left of a window's gradient, for a pixel that equals the largest; else 0. The first such pixel
/// leaves nothing.
#[inline(always)]
pub(super) fn take_if_largest<T: Real, V: Vector<T>>(pixel: V, largest: V, left: &mut V) -> V {
    let is_largest = pixel.eq(largest);
    let share = V::select(is_largest, *left, V::zero());
    *left = V::select(is_largest, V::zero(), *left);
    share
}
