//! Pools: one number for each window of an image.

use std::ops::Range;

use super::images::{ImageShape, Images};
use crate::simd::{Kernel, Real, Simd, Vector};

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

    fn overlaps(&self) -> bool {
        self.stride.0 < self.kernel.0 || self.stride.1 < self.kernel.1
    }

    fn has_gaps(&self) -> bool {
        self.stride.0 > self.kernel.0 || self.stride.1 > self.kernel.1
    }

    /// One past the last row and the last column of the windows of an output of this size.
    fn reach(&self, output: ImageShape) -> (usize, usize) {
        (
            (output.height - 1) * self.stride.0 + self.kernel.0,
            (output.width - 1) * self.stride.1 + self.kernel.1,
        )
    }
}

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

impl<T: Real> Kernel for PoolForward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { pool, input, output, start, end } = self;
        let ImageShape { channels, width, .. } = output.shape();
        let area = S::Lanes::<T>::constant((pool.kernel.0 * pool.kernel.1) as f64);
        for row in start..end {
            for channel in 0..channels {
                for col in 0..width {
                    let window = Window { pool, images: input, channel, row, col };
                    let value = match pool.kind {
                        PoolKind::Average => {
                            window.fold(|sum: S::Lanes<T>, x| sum.add(x)).div(area)
                        }
                        PoolKind::Max => window.fold(|best: S::Lanes<T>, x| {
                            let larger = S::Lanes::<T>::select(best.lt(x), x, best);
                            S::Lanes::<T>::select(x.eq(x), larger, x)
                        }),
                    };
                    // SAFETY: a pixel has 16 elements, for which the view's maker vouches.
                    unsafe { value.store(output.at(row, channel, col)) };
                }
            }
        }
    }
}

/// The pixels of one output.
#[derive(Clone, Copy)]
struct Window<T> {
    pool: Pool,
    images: Images<T>,
    channel: usize,
    row: usize,
    col: usize,
}

impl<T: Real> Window<T> {
    /// The address of a pixel of the window.
    #[inline(always)]
    fn at(self, row: usize, col: usize) -> *mut T {
        let (y, x) = (self.row * self.pool.stride.0, self.col * self.pool.stride.1);
        self.images.at(y + row, self.channel, x + col)
    }

    #[inline(always)]
    fn fold<V: Vector<T>>(self, combine: impl Fn(V, V) -> V) -> V {
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
}

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
        let zero = S::Lanes::<T>::zero();
        let area = S::Lanes::<T>::constant((pool.kernel.0 * pool.kernel.1) as f64);
        for row in row_of(self.start)..row_of(self.end) {
            for channel in 0..channels {
                for col in 0..width {
                    let to = Window { pool, images: target, channel, row, col };
                    // SAFETY: a pixel has 16 elements, for which the view's maker vouches.
                    let gradient = unsafe { S::Lanes::<T>::load(grad.at(row, channel, col)) };
                    match pool.kind {
                        PoolKind::Average => {
                            let share = gradient.div(area);
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
                                let is_largest = x.eq(largest);
                                let share = S::Lanes::<T>::select(is_largest, left, zero);
                                left = S::Lanes::<T>::select(is_largest, zero, left);
                                share
                            });
                        }
                    }
                }
            }
        }
    }
}

impl<T: Real> Window<T> {
    /// Gives each pixel its share.
    #[inline(always)]
    fn give<V: Vector<T>, const ADDS: bool>(self, mut share: impl FnMut(usize, usize) -> V) {
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
