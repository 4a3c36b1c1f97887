//! A pool together with the activation before it, both ways.
//!
//! By itself an activation writes pixels that the pool reads again, and on the way back the pool
//! writes what the activation's gradient reads. Here they stay in registers in between. Windows are
//! 2 x 2 pixels side by side, as nearly everywhere; the activations of a window's pixels are four
//! interleaved chains. What is seldom goes one after the other: other activations than the frequent
//! ones, float64, and plain Rust, which has no registers to keep anything in.

use std::marker::PhantomData;
use std::ops::Range;

use super::{Pool, PoolBackward, PoolForward, PoolKind};
use crate::kernels::activation::{
    Activation, ActivationBackward, ActivationForward, Curve, CurveWork,
};
use crate::kernels::elementary::Elementary;
use crate::kernels::images::{ImageShape, Images};
use crate::kernels::panels::Panels;
use crate::simd::{Kernel, LANES, Real, Simd, Vector, Wide};

/// The registers of a window.
type Four<V> = Wide<V, 4>;

/// Whether the type and the instruction set are among those for which this is compiled.
#[inline(always)]
fn is_one<S: Simd, T>() -> bool {
    S::REGISTERS >= 16 && size_of::<T>() == size_of::<f32>()
}

/// a = f(z), and the pool of a, in rows `start..end` of z: whole windows, and what is below the last.
pub struct ActivatedPoolForward<T> {
    /// f.
    pub activation: Activation,
    /// Windows of 2 x 2.
    pub pool: Pool,
    /// z.
    pub input: Images<T>,
    /// a; may be the memory of z.
    pub activated: Images<T>,
    /// Whether a is so large that no cache holds it until the way back: its stores then bypass them.
    pub streams: bool,
    /// The pool of a.
    pub output: Images<T>,
    /// First row of z.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

impl<T: Elementary> Kernel for ActivatedPoolForward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        debug_assert!(self.pool.is_two_by_two());
        let work = ForwardPass::<T, S> { kernel: &self, isa: PhantomData };
        if is_one::<S, T>() && self.activation.with_frequent(work).is_some() {
            return;
        }
        let Self { activation, pool, input, activated, output, start, end, .. } = self;
        let rows = |images: Images<T>| images.rows(start, end);
        S::call(ActivationForward { activation, input: rows(input), output: rows(activated) });
        let row = |row| pool.output_row(row, input.shape().height, output.shape().height);
        S::call(PoolForward { pool, input: activated, output, start: row(start), end: row(end) });
    }
}

struct ForwardPass<'a, T, S> {
    kernel: &'a ActivatedPoolForward<T>,
    isa: PhantomData<S>,
}

impl<T: Elementary, S: Simd> CurveWork<T> for ForwardPass<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<C: Curve<T>>(self, curve: C) {
        let ActivatedPoolForward {
            activation,
            pool,
            input,
            activated,
            streams,
            output,
            start,
            end,
        } = *self.kernel;
        let lanes = S::Register::<T>::LANES;
        each_window(lanes, output.shape(), start..end, |window| {
            // SAFETY: a window's pixels are in the images, for which the views' makers vouch.
            unsafe {
                let a = curve.forward(window.load::<T, S::Register<T>>(input));
                window.store(activated, a, streams);
                let [a, b, c, d] = a.vectors();
                let all = pool.combine(pool.combine(pool.combine(a, b), c), d);
                pool.finish(all).store(window.place(output));
            }
        });
        if streams {
            S::fence();
        }
        each_other(input.shape(), output.shape(), start..end, |pixels| {
            let [input, output] = [input, activated].map(|images| pixels.of(images));
            S::call(ActivationForward { activation, input, output });
        });
    }
}

/// dz = da f'(z), where da is the gradient at the pool's input, in rows `start..end`: whole windows, and
/// what is below the last. Small results become +0 (N5).
pub struct ActivatedPoolBackward<T> {
    /// f.
    pub activation: Activation,
    /// Windows of 2 x 2.
    pub pool: Pool,
    /// z if [`Activation::needs_input`], else a.
    pub saved: Images<T>,
    /// The pool's input a; read for `Max` only.
    pub input: Images<T>,
    /// The pool's output; read for `Max` only.
    pub output: Images<T>,
    /// Gradient at the pool's output.
    pub grad: Images<T>,
    /// Takes dz.
    pub target: Images<T>,
    /// First row of the target.
    pub start: usize,
    /// One past the last.
    pub end: usize,
}

impl<T: Elementary> Kernel for ActivatedPoolBackward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        debug_assert!(self.pool.is_two_by_two());
        let work = BackwardPass::<T, S> { kernel: &self, isa: PhantomData };
        if is_one::<S, T>() && self.activation.with_frequent(work).is_some() {
            return;
        }
        let Self { activation, pool, saved, input, output, grad, target, start, end } = self;
        S::call(PoolBackward { pool, input, output, grad, target, start, end });
        let rows = |images: Images<T>| images.rows(start, end);
        S::call(ActivationBackward { activation, saved: rows(saved), grad: rows(target) });
    }
}

struct BackwardPass<'a, T, S> {
    kernel: &'a ActivatedPoolBackward<T>,
    isa: PhantomData<S>,
}

impl<T: Elementary, S: Simd> CurveWork<T> for BackwardPass<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<C: Curve<T>>(self, curve: C) {
        let ActivatedPoolBackward {
            activation,
            pool,
            saved,
            input,
            output,
            grad,
            target,
            start,
            end,
        } = *self.kernel;
        let lanes = S::Register::<T>::LANES;
        each_window(lanes, grad.shape(), start..end, |window| {
            // SAFETY: a window's pixels are in the images, for which the views' makers vouch.
            unsafe {
                let gradient = S::Register::<T>::load(window.place(grad));
                let shares = match pool.kind {
                    PoolKind::Average => Four::new([pool.divide(gradient); 4]),
                    PoolKind::Max => {
                        let largest = S::Register::<T>::load(window.place(output));
                        first_equal(window.load(input), largest, gradient)
                    }
                };
                let slopes = curve.derivative(window.load::<T, S::Register<T>>(saved));
                window.store(target, shares.mul(slopes).flush(), false);
            }
        });
        each_other(target.shape(), grad.shape(), start..end, |pixels| {
            let (saved, grad) = (pixels.of(saved), pixels.of(target));
            for pixel in 0..grad.rows() {
                // SAFETY: a pixel has 16 elements, for which the view's maker vouches.
                unsafe { S::Lanes::<T>::zero().store(grad.row(0, pixel)) };
            }
            S::call(ActivationBackward { activation, saved, grad });
        });
    }
}

/// `gradient` for the first of the pixels that equals the largest, 0 for the others.
#[inline(always)]
fn first_equal<T: Real, V: Vector<T>>(pixels: Four<V>, largest: V, gradient: V) -> Four<V> {
    let mut left = gradient;
    let mut shares = pixels.vectors();
    for share in &mut shares {
        let is_largest = share.eq(largest);
        *share = V::select(is_largest, left, V::zero());
        left = V::select(is_largest, V::zero(), left);
    }
    Four::new(shares)
}

/// A window of 2 x 2 pixels, in a register's lanes from `lane` on.
#[derive(Clone, Copy)]
struct Window {
    row: usize,
    channel: usize,
    col: usize,
    lane: usize,
}

impl Window {
    /// Where the window's own number lies, in images with one for each window.
    #[inline(always)]
    fn place<T>(self, images: Images<T>) -> *mut T {
        images.at(self.row, self.channel, self.col).wrapping_add(self.lane)
    }

    #[inline(always)]
    fn rows<T>(self, images: Images<T>) -> [*mut T; 2] {
        let row = |row| images.at(2 * self.row + row, self.channel, 2 * self.col);
        [row(0).wrapping_add(self.lane), row(1).wrapping_add(self.lane)]
    }

    /// # Safety
    /// The window is in the images.
    #[inline(always)]
    unsafe fn load<T: Real, V: Vector<T>>(self, images: Images<T>) -> Four<V> {
        let [top, bottom] = self.rows(images);
        // SAFETY: the caller vouches for four pixels.
        unsafe {
            let [a, b] = [V::load(top), V::load(top.add(LANES))];
            Four::new([a, b, V::load(bottom), V::load(bottom.add(LANES))])
        }
    }

    /// # Safety
    /// The window is in the images.
    #[inline(always)]
    unsafe fn store<T: Real, V: Vector<T>>(
        self,
        images: Images<T>,
        pixels: Four<V>,
        streams: bool,
    ) {
        let [top, bottom] = self.rows(images);
        let [a, b, c, d] = pixels.vectors();
        // SAFETY: the caller vouches for four pixels; each begins at a cache line.
        unsafe {
            for (x, place) in [(a, top), (b, top.add(LANES)), (c, bottom), (d, bottom.add(LANES))] {
                if streams { x.stream(place) } else { x.store(place) }
            }
        }
    }
}

/// All windows of rows `start..end` of the pool's input, in registers of so many lanes.
#[inline(always)]
fn each_window(
    lanes: usize,
    windows: ImageShape,
    rows: Range<usize>,
    mut work: impl FnMut(Window),
) {
    let end = if rows.end / 2 < windows.height { rows.end / 2 } else { windows.height };
    for row in rows.start / 2..end {
        for channel in 0..windows.channels {
            for col in 0..windows.width {
                let mut lane = 0;
                while lane < LANES {
                    work(Window { row, channel, col, lane });
                    lane += lanes;
                }
            }
        }
    }
}

/// Pixels that follow each other: some of a channel's row, or a row of all channels.
#[derive(Clone, Copy)]
struct Run {
    row: usize,
    /// Channel and column, unless it is the whole row.
    pixel: Option<(usize, usize)>,
}

impl Run {
    #[inline(always)]
    fn of<T>(self, images: Images<T>) -> Panels<T> {
        let row = images.rows(self.row, self.row + 1);
        match self.pixel {
            None => row,
            Some((channel, col)) => {
                let at = channel * images.shape().width + col;
                row.slice(at, at + 1)
            }
        }
    }
}

/// All pixels of some rows that belong to no window.
#[inline(always)]
fn each_other(pixels: ImageShape, windows: ImageShape, rows: Range<usize>, work: impl Fn(Run)) {
    for row in rows {
        if row >= 2 * windows.height {
            work(Run { row, pixel: None });
            continue;
        }
        for channel in 0..pixels.channels {
            for col in 2 * windows.width..pixels.width {
                work(Run { row, pixel: Some((channel, col)) });
            }
        }
    }
}
