//! The pool of images.

use super::Pool;
use super::window::Window;
use crate::kernels::images::{ImageShape, Images};
use crate::simd::{Kernel, Real, Simd, Vector};

/// The pool of the images of a block: rows `start..end` of the output.
pub struct PoolForward<T> {
    /// Which pool.
    pub pool: Pool,
    /// Read.
    pub input: Images<T>,
    /// Written.
    pub output: Images<T>,
    /// First row of the output.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

impl<T> Clone for PoolForward<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PoolForward<T> {}

impl<T: Real> Kernel for PoolForward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { pool, input, output, start, end } = self;
        let ImageShape { channels, width, .. } = output.shape();
        for row in start..end {
            for channel in 0..channels {
                for col in 0..width {
                    let window = Window { pool, images: input, channel, row, col };
                    let sum = window.fold(|so_far, x| pool.combine::<T, S::Lanes<T>>(so_far, x));
                    let value = pool.finish::<T, S::Lanes<T>>(sum);
                    // SAFETY: a pixel has 16 elements, for which the view's maker vouches.
                    unsafe { value.store(output.at(row, channel, col)) };
                }
            }
        }
    }
}
