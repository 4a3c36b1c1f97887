//! Row-major memory to panels and back.

use crate::kernels::panels::Panels;
use crate::kernels::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Copies a matrix with the given strides (in elements) into panels; padding columns become +0.
///
/// # Panics
/// If the last element lies outside `source`.
pub fn pack<T: Real>(source: &[T], row_stride: usize, col_stride: usize, target: Panels<T>) {
    for panel in 0..target.panels() {
        let width = target.width(panel);
        for row in 0..target.rows() {
            let to = target.row(panel, row);
            for lane in 0..LANES {
                let value = if lane < width {
                    source[row * row_stride + (panel * LANES + lane) * col_stride]
                } else {
                    T::ZERO
                };
                // SAFETY: the view's maker vouches for the 16 elements of its rows.
                unsafe { *to.add(lane) = value };
            }
        }
    }
}

/// Copies panels into a matrix with the given strides (in elements).
///
/// # Panics
/// If the last element lies outside `target`.
pub fn unpack<T: Real>(source: Panels<T>, target: &mut [T], row_stride: usize, col_stride: usize) {
    for panel in 0..source.panels() {
        for row in 0..source.rows() {
            let from = source.row(panel, row);
            for lane in 0..source.width(panel) {
                // SAFETY: the view's maker vouches for the 16 elements of its rows.
                let value = unsafe { *from.add(lane) };
                target[row * row_stride + (panel * LANES + lane) * col_stride] = value;
            }
        }
    }
}

/// Writes a block of 16 x 16 of one matrix into its transpose, both in panels.
///
/// The block is rows `block * 16 ..` of `panel` of the source; at the edges only what both matrices
/// hold is written.
pub struct Transpose<T> {
    /// (k, n).
    pub source: Panels<T>,
    /// (n, k).
    pub target: Panels<T>,
    /// Block of 16 rows of the source.
    pub block: usize,
    /// Panel of the source.
    pub panel: usize,
}

impl<T: Real> Kernel for Transpose<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        turn_block::<T, S::Register<T>>(self.source, self.target, self.block, self.panel);
    }
}

#[inline(always)]
fn turn_block<T: Real, V: Vector<T>>(
    source: Panels<T>,
    target: Panels<T>,
    block: usize,
    panel: usize,
) {
    let (rows, cols) = (target.width(block), source.width(panel));
    if rows == 0 || cols == 0 {
        return;
    }
    let from = source.row(panel, block * LANES);
    let to = target.row(block, panel * LANES);
    // SAFETY: `rows` rows of the source and `cols` of the target are inside, 16 elements each.
    unsafe {
        if rows < LANES || cols < LANES {
            return turn_edge::<T, V>(from, to, rows, cols);
        }
        turn::<T, V>(from, to);
    }
}

/// Writes 16 x 16 elements, 16 a row, into their transpose.
///
/// # Safety
/// Both are valid for 16 x 16 elements, `from` for reads and `to` for writes, and do not overlap.
#[inline(always)]
pub(in crate::kernels) unsafe fn turn<T: Real, V: Vector<T>>(from: *const T, to: *mut T) {
    let mut row = 0;
    while row < LANES {
        let mut col = 0;
        while col < LANES {
            // SAFETY: a block of `V::LANES` rows and columns from (row, col) on is inside both.
            unsafe { V::turn(from.add(row * LANES + col), to.add(col * LANES + row), LANES) };
            col += V::LANES;
        }
        row += V::LANES;
    }
}

/// `rows` x `cols` elements of a block, in memory of their own: registers would reach past an edge.
///
/// # Safety
/// `rows` rows of 16 elements at `from` are valid for reads, `cols` rows at `to` for writes.
#[inline(always)]
unsafe fn turn_edge<T: Real, V: Vector<T>>(from: *const T, to: *mut T, rows: usize, cols: usize) {
    let mut memory = Scratch::<T, { 2 * LANES * LANES }>::new();
    let copy = memory.ptr();
    let turned = copy.wrapping_add(LANES * LANES);
    let mut source = from;
    // SAFETY: both halves of the memory hold 16 x 16 elements; the caller vouches for the rest.
    unsafe {
        if rows < LANES {
            for row in 0..LANES {
                let here = from.add(if row < rows { row * LANES } else { 0 });
                let mut lane = 0;
                while lane < LANES {
                    V::load(here.add(lane)).store(copy.add(row * LANES + lane));
                    lane += V::LANES;
                }
            }
            source = copy;
        }
        let mut row = 0;
        while row < rows {
            let mut col = 0;
            while col < cols {
                V::turn_four(source.add(row * LANES + col), turned.add(col * LANES + row), LANES);
                col += 4;
            }
            for col in 0..cols {
                let (place, left) = (col * LANES + row, rows - row);
                let lanes = V::load(turned.add(place));
                if left < V::LANES {
                    lanes.store_partial(to.add(place), left);
                } else {
                    lanes.store(to.add(place));
                }
            }
            row += V::LANES;
        }
    }
}
