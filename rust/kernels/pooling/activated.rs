//! A pool together with the activation before it, both ways.
//!
//! By itself an activation writes pixels that the pool reads again, and on the way back the pool
//! writes what the activation's gradient reads. Here they stay in registers in between. Windows are
//! 2 x 2 pixels side by side, as nearly everywhere; the activations of a window's pixels are four
//! interleaved chains. What is seldom goes one after the other: other activations than the frequent
//! ones, float64, and plain Rust, which has no registers to keep anything in.

use std::marker::PhantomData;
use std::ops::Range;

use super::window::take_if_largest;
use super::{PoolBackward, PoolForward, PoolKind};
use crate::kernels::activation::{
    Activation, ActivationBackward, ActivationForward, Curve, CurveWork,
};
use crate::kernels::elementary::Elementary;
use crate::kernels::images::{ImageShape, Images};
use crate::kernels::panels::Panels;
use crate::simd::{Isa, Kernel, LANES, Real, Simd, Vector, Wide};

/// The registers of a window.
type Four<V> = Wide<V, 4>;

/// Whether the type and the instruction set are among those for which this is compiled.
#[inline(always)]
fn is_one<S: Simd, T>() -> bool {
    S::REGISTERS >= 16 && size_of::<T>() == size_of::<f32>()
}

/// a = f(z), and the pool of a, the windows of which are 2 x 2.
pub struct ActivatedPoolForward<T> {
    /// f.
    pub activation: Activation,
    /// z.
    pub input: Images<T>,
    /// Rows of z: those of the pool's windows, and what is below the last.
    pub rows: Range<usize>,
    /// The pool, whose input takes a; that may be the memory of z.
    pub pool: PoolForward<T>,
}

impl<T: Elementary> Kernel for ActivatedPoolForward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        assert!(self.pool.pool.is_two_by_two());
        let work = PoolForwardPass::<T, S> { kernel: &self, isa: PhantomData };
        if is_one::<S, T>() && self.activation.with_frequent(work).is_some() {
            return;
        }
        let Self { activation, input, rows, pool, .. } = self;
        let [input, output] = [input, pool.input].map(|images| images.rows(rows.start, rows.end));
        S::call(ActivationForward { activation, input, output });
        S::call(pool);
    }
}

struct PoolForwardPass<'a, T, S> {
    kernel: &'a ActivatedPoolForward<T>,
    isa: PhantomData<S>,
}

impl<T: Elementary, S: Simd> CurveWork<T> for PoolForwardPass<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<C: Curve<T>>(self, curve: C) {
        let ActivatedPoolForward { activation, input, ref rows, pool } = *self.kernel;
        let PoolForward { input: activated, output, start, end, .. } = pool;
        let work = ForwardWindow { curve, input, pool };
        each_window::<T, S::Register<T>, _>(output.shape(), start..end, work);
        each_other(output.shape(), rows.clone(), input, activated, |input, output| {
            S::call(ActivationForward { activation, input, output });
        });
    }
}

#[derive(Clone, Copy)]
struct ForwardWindow<T, C> {
    curve: C,
    input: Images<T>,
    pool: PoolForward<T>,
}

impl<T: Elementary, C: Curve<T>> OnWindow<T> for ForwardWindow<T, C> {
    #[inline(always)]
    fn run<V: Vector<T>>(self, window: TwoByTwo) {
        let PoolForward { pool, input: activated, output, .. } = self.pool;
        // SAFETY: a window's pixels are in the images, for which the views' makers vouch.
        unsafe {
            let a = self.curve.forward(window.load::<T, V>(self.input));
            window.store(activated, a);
            let [a, b, c, d] = a.vectors();
            let all = pool.combine(pool.combine(pool.combine(a, b), c), d);
            pool.finish(all).store(window.place(output));
        }
    }
}

/// dz = da f'(z), where da is the gradient at the pool's input; windows are 2 x 2. Small results become
/// +0 (N5). The target may be the memory of `saved` where [`Self::is_in_place`].
pub struct ActivatedPoolBackward<T> {
    /// f.
    pub activation: Activation,
    /// z if [`Activation::needs_input`], else a.
    pub saved: Images<T>,
    /// The pool's gradient, whose target takes dz.
    pub pool: PoolBackward<T>,
}

impl<T: Elementary> ActivatedPoolBackward<T> {
    /// Whether windows are done one by one, so that each can take the place of what it is made from.
    #[must_use]
    pub fn is_in_place(activation: Activation, isa: Isa) -> bool {
        isa.run(ByWindow::<T>(PhantomData)) && activation.is_frequent()
    }
}

struct ByWindow<T>(PhantomData<T>);

impl<T: Elementary> Kernel for ByWindow<T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        is_one::<S, T>()
    }
}

impl<T: Elementary> Kernel for ActivatedPoolBackward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        assert!(self.pool.pool.is_two_by_two());
        let work = PoolBackwardPass::<T, S> { kernel: &self, isa: PhantomData };
        if is_one::<S, T>() && self.activation.with_frequent(work).is_some() {
            return;
        }
        let Self { activation, saved, pool } = self;
        let [saved, grad] = [saved, pool.target].map(|images| images.rows(pool.start, pool.end));
        assert!(!saved.is_same(grad));
        S::call(pool);
        S::call(ActivationBackward { activation, saved, grad });
    }
}

struct PoolBackwardPass<'a, T, S> {
    kernel: &'a ActivatedPoolBackward<T>,
    isa: PhantomData<S>,
}

impl<T: Elementary, S: Simd> CurveWork<T> for PoolBackwardPass<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run<C: Curve<T>>(self, curve: C) {
        let ActivatedPoolBackward { saved, pool, .. } = *self.kernel;
        let PoolBackward { grad, target, start, end, .. } = pool;
        let row = |row| pool.pool.output_row(row, target.shape().height, grad.shape().height);
        let work = BackwardWindow { curve, saved, pool };
        each_window::<T, S::Register<T>, _>(grad.shape(), row(start)..row(end), work);
        each_other(grad.shape(), start..end, saved, target, |saved, target| {
            S::call(NoGradient { curve, saved, target });
        });
    }
}

/// Of pixels that belong to no window: 0 f'(z), which is NaN where the slope is.
struct NoGradient<T, C> {
    curve: C,
    saved: Panels<T>,
    target: Panels<T>,
}

impl<T: Elementary, C: Curve<T>> Kernel for NoGradient<T, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for pixel in 0..self.target.rows() {
            // SAFETY: a pixel has 16 elements, for which the views' makers vouch.
            unsafe {
                let saved = S::Lanes::<T>::load(self.saved.row(0, pixel));
                let slope = self.curve.derivative(saved);
                S::Lanes::<T>::zero().mul(slope).flush().store(self.target.row(0, pixel));
            }
        }
    }
}

#[derive(Clone, Copy)]
struct BackwardWindow<T, C> {
    curve: C,
    saved: Images<T>,
    pool: PoolBackward<T>,
}

impl<T: Elementary, C: Curve<T>> OnWindow<T> for BackwardWindow<T, C> {
    #[inline(always)]
    fn run<V: Vector<T>>(self, window: TwoByTwo) {
        let PoolBackward { pool, input, output, grad, target, .. } = self.pool;
        // SAFETY: a window's pixels are in the images, for which the views' makers vouch.
        unsafe {
            let place = window.place(grad);
            let gradient = V::load(place);
            // Channels may lie far apart, where no hardware looks: at 227 x 227 LeNet-5 spends 3.2 % of a
            // step here, 4.1 % without this.
            V::prefetch(place.wrapping_add(grad.channel_stride()));
            let shares = match pool.kind {
                PoolKind::Average => [pool.divide(gradient); 4],
                PoolKind::Max => {
                    let largest = V::load(window.place(output));
                    let mut left = gradient;
                    let mut shares = window.load(input).vectors();
                    for share in &mut shares {
                        *share = take_if_largest(*share, largest, &mut left);
                    }
                    shares
                }
            };
            let slopes = self.curve.derivative(window.load::<T, V>(self.saved));
            window.store(target, Four::new(shares).mul(slopes).flush());
        }
    }
}

/// A window of 2 x 2 pixels, in a register's lanes from `lane` on.
#[derive(Clone, Copy)]
struct TwoByTwo {
    row: usize,
    channel: usize,
    col: usize,
    lane: usize,
}

impl TwoByTwo {
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
    unsafe fn store<T: Real, V: Vector<T>>(self, images: Images<T>, pixels: Four<V>) {
        let [top, bottom] = self.rows(images);
        let [a, b, c, d] = pixels.vectors();
        // SAFETY: the caller vouches for four pixels.
        unsafe {
            for (x, place) in [(a, top), (b, top.add(LANES)), (c, bottom), (d, bottom.add(LANES))] {
                x.store(place);
            }
        }
    }
}

/// What is done with each window. A closure may stay a function of its own, without the instruction set.
trait OnWindow<T: Real>: Copy {
    fn run<V: Vector<T>>(self, window: TwoByTwo);
}

/// All windows of some rows.
#[inline(always)]
fn each_window<T: Real, V: Vector<T>, W: OnWindow<T>>(
    windows: ImageShape,
    rows: Range<usize>,
    work: W,
) {
    for row in rows {
        for channel in 0..windows.channels {
            for col in 0..windows.width {
                let mut lane = 0;
                while lane < LANES {
                    work.run::<V>(TwoByTwo { row, channel, col, lane });
                    lane += V::LANES;
                }
            }
        }
    }
}

/// All pixels of some rows that belong to no window, in two images of one size: a pixel at a time, or a
/// row of all channels.
#[inline(always)]
fn each_other<T>(
    windows: ImageShape,
    rows: Range<usize>,
    one: Images<T>,
    other: Images<T>,
    work: impl Fn(Panels<T>, Panels<T>),
) {
    let ImageShape { channels, width, .. } = one.shape();
    for row in rows {
        if row >= 2 * windows.height {
            work(one.rows(row, row + 1), other.rows(row, row + 1));
            continue;
        }
        for channel in 0..channels {
            for col in 2 * windows.width..width {
                work(one.pixel(row, channel, col), other.pixel(row, channel, col));
            }
        }
    }
}
