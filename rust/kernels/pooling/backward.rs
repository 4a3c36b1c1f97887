//! The gradient at a pool's input.

use std::ops::Range;

use super::window::{Window, take_if_largest};
use super::{Pool, PoolKind};
use crate::kernels::images::{ImageShape, Images};
use crate::simd::{Kernel, Real, Simd, Vector};

/// The gradient at a pool's input.
///
/// Average: each pixel of a window gets the window's gradient divided by the number of pixels. Max:
/// the first of the window's pixels, row by row, that equals its maximum gets all of it. Where
/// windows overlap, a pixel's shares are added in the order of the windows, row by row, from +0.
pub struct PoolBackward<T> {
    /// Which pool.
    pub pool: Pool,
    /// The pool's input; read for `Max` only.
    pub input: Images<T>,
    /// The pool's output; read for `Max` only.
    pub output: Images<T>,
    /// Gradient at the output.
    pub grad: Images<T>,
    /// Gradient at the input.
    pub target: Images<T>,
    /// First row of the target to make. Where that is not all of them, windows do not overlap from one
    /// row to the next, and rows of windows are not cut.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

impl<T> Clone for PoolBackward<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PoolBackward<T> {}

impl<T: Real> Kernel for PoolBackward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { pool, target, grad, start, end, .. } = self;
        let adds = pool.overlaps();
        let whole = adds || pool.has_gaps();
        let covered = if whole { (0, 0) } else { pool.reach(grad.shape()) };
        clear::<T, S::Lanes<T>>(target, start..end, covered);
        if adds {
            self.windows::<S, true>();
        } else {
            self.windows::<S, false>();
        }
    }
}

impl<T: Real> PoolBackward<T> {
    #[inline(always)]
    fn windows<S: Simd, const ADDS: bool>(&self) {
        let Self { pool, input, output, grad, target, .. } = *self;
        let ImageShape { channels, height, width } = grad.shape();
        let row_of = |row| pool.output_row(row, target.shape().height, height);
        for row in row_of(self.start)..row_of(self.end) {
            for channel in 0..channels {
                for col in 0..width {
                    let to = Window { pool, images: target, channel, row, col };
                    // SAFETY: a pixel has 16 elements, for which the view's maker vouches.
                    let gradient = unsafe { S::Lanes::<T>::load(grad.at(row, channel, col)) };
                    match pool.kind {
                        PoolKind::Average => {
                            let share = pool.divide(gradient);
                            to.give::<S::Lanes<T>, ADDS>(|_, _| share);
                        }
                        PoolKind::Max => {
                            let from = Window { images: input, ..to };
                            // SAFETY: as above.
                            let largest =
                                unsafe { S::Lanes::<T>::load(output.at(row, channel, col)) };
                            let mut left = gradient;
                            to.give::<S::Lanes<T>, ADDS>(|row, col| {
                                // SAFETY: as in `Window::fold`.
                                let x = unsafe { S::Lanes::<T>::load(from.at(row, col)) };
                                take_if_largest(x, largest, &mut left)
                            });
                        }
                    }
                }
            }
        }
    }
}

/// Zeroes what lies past the first `covered` rows and columns, of some rows.
#[inline(always)]
fn clear<T: Real, V: Vector<T>>(images: Images<T>, rows: Range<usize>, covered: (usize, usize)) {
    let ImageShape { channels, width, .. } = images.shape();
    for row in rows {
        let first = if row < covered.0 { covered.1 } else { 0 };
        for channel in 0..channels {
            for col in first..width {
                // SAFETY: a pixel has 16 elements, for which the view's maker vouches.
                unsafe { V::zero().store(images.at(row, channel, col)) };
            }
        }
    }
}
