//! Passes over panels and over plain memory, element by element.
//!
//! What is done with one or two operands is an [`Operation`]; the passes are the same for all of them.

use super::elementary::Elementary;
use super::panels::Panels;
use crate::simd::{Kernel, LANES, Real, Simd, Vector, Wide};

/// x = x * mask, in place, padding columns included: dropout, forward and back.
pub struct Multiply<T> {
    /// Read and written.
    pub x: Panels<T>,
    /// As many rows and columns.
    pub mask: Panels<T>,
}

impl<T: Real> Kernel for Multiply<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        each_panel::<T, S, _>(Times, self.x, self.mask, self.x);
    }
}

/// sum = a + b, padding columns as in [`Multiply`]: what a residual connection adds, forward and back.
pub struct Add<T> {
    /// Read.
    pub a: Panels<T>,
    /// As many rows and columns.
    pub b: Panels<T>,
    /// As many; may be the memory of `a`, of `b` or of both.
    pub sum: Panels<T>,
    /// Whether small sums become +0 (N5).
    pub flush: bool,
}

impl<T: Real> Kernel for Add<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        if self.flush {
            each_panel::<T, S, _>(FlushedSum, self.a, self.b, self.sum);
        } else {
            each_panel::<T, S, _>(Plus, self.a, self.b, self.sum);
        }
    }
}

/// e^x, element by element.
pub struct ExpElements<'a, T> {
    /// Values.
    pub input: &'a [T],
    /// Takes the powers, of the same length.
    pub output: &'a mut [T],
}

impl<T: Elementary> Kernel for ExpElements<'_, T> {
    type Output = ();

    /// # Panics
    /// If the lengths differ.
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { input, output } = self;
        assert_eq!(input.len(), output.len());
        // SAFETY: both have as many elements.
        unsafe {
            let (x, y) = (input.as_ptr(), output.as_mut_ptr());
            each::<T, S, _>(Power, x, x, y, output.len());
        }
    }
}

/// A function of one or two operands, lane by lane.
pub(super) trait Operation<T: Real>: Copy {
    fn lanes<V: Vector<T>>(self, a: V, b: V) -> V;
}

#[derive(Clone, Copy)]
struct Times;

impl<T: Real> Operation<T> for Times {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, a: V, b: V) -> V {
        a.mul(b)
    }
}

#[derive(Clone, Copy)]
struct Plus;

impl<T: Real> Operation<T> for Plus {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, a: V, b: V) -> V {
        a.add(b)
    }
}

#[derive(Clone, Copy)]
struct Power;

impl<T: Elementary> Operation<T> for Power {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, x: V, _: V) -> V {
        T::exp(x)
    }
}

#[derive(Clone, Copy)]
struct FlushedSum;

impl<T: Real> Operation<T> for FlushedSum {
    #[inline(always)]
    fn lanes<V: Vector<T>>(self, a: V, b: V) -> V {
        a.add(b).flush()
    }
}

/// out = operation(a, b) over all rows and panels; `out` may be the memory of either.
///
/// Of a last panel whose columns fit into one register, only that register is done: products touch
/// no more either.
#[inline(always)]
pub(super) fn each_panel<T: Real, S: Simd, O: Operation<T>>(
    operation: O,
    a: Panels<T>,
    b: Panels<T>,
    out: Panels<T>,
) {
    assert!(a.rows() == out.rows() && a.cols() == out.cols());
    assert!(b.rows() == out.rows() && b.cols() == out.cols());
    if out.rows() == 0 {
        return;
    }
    let lanes = <S::Register<T> as Vector<T>>::LANES;
    for panel in 0..out.panels() {
        let narrow = out.width(panel) <= lanes;
        let (count, stride) =
            if narrow { (out.rows(), LANES) } else { (out.rows() * LANES / lanes, lanes) };
        // SAFETY: rows of a panel follow each other, and the views' makers vouch for them.
        unsafe {
            let (a, b, to) = (a.row(panel, 0), b.row(panel, 0), out.row(panel, 0));
            each_register::<T, S, O>(operation, a, b, to, count, stride);
        }
    }
}

/// out = operation(a, b) over consecutive elements; `out` may be `a` or `b`.
///
/// # Safety
/// `a` and `b` are valid for reads, `out` for writes of `len` elements.
#[inline(always)]
pub(super) unsafe fn each<T: Real, S: Simd, O: Operation<T>>(
    operation: O,
    a: *const T,
    b: *const T,
    out: *mut T,
    len: usize,
) {
    let lanes = <S::Register<T> as Vector<T>>::LANES;
    let whole = len - len % lanes;
    // SAFETY: the caller vouches for `len` elements.
    unsafe { each_register::<T, S, O>(operation, a, b, out, whole / lanes, lanes) };
    if whole < len {
        let rest = len - whole;
        // SAFETY: `rest` elements are left, fewer than a register.
        unsafe {
            let x = S::Register::<T>::load_partial(a.add(whole), rest);
            let y = S::Register::<T>::load_partial(b.add(whole), rest);
            operation.lanes(x, y).store_partial(out.add(whole), rest);
        }
    }
}

/// out = operation(a, b) over `count` registers that lie `stride` elements apart.
///
/// Four of them go together: the polynomials of the elementary functions are chains, which keep the
/// ports busy only when some are interleaved (15 to 30 %).
///
/// # Safety
/// As for [`each`], of each register's elements.
#[inline(always)]
unsafe fn each_register<T: Real, S: Simd, O: Operation<T>>(
    operation: O,
    a: *const T,
    b: *const T,
    out: *mut T,
    count: usize,
    stride: usize,
) {
    type Four<V> = Wide<V, 4>;
    let mut i = 0;
    // Plain Rust has no registers to interleave: its vectors are arrays.
    if S::REGISTERS >= 16 {
        while i + 4 <= count {
            let at = i * stride;
            // SAFETY: four registers from `i` on are inside.
            unsafe {
                let x = Four::<S::Register<T>>::load_apart(a.add(at), stride);
                let y = Four::<S::Register<T>>::load_apart(b.add(at), stride);
                operation.lanes(x, y).store_apart(out.add(at), stride);
            }
            i += 4;
        }
    }
    while i < count {
        let at = i * stride;
        // SAFETY: register `i` is inside.
        unsafe {
            let x = S::Register::<T>::load(a.add(at));
            let y = S::Register::<T>::load(b.add(at));
            operation.lanes(x, y).store(out.add(at));
        }
        i += 1;
    }
}
