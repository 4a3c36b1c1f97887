//! Row-major memory to panels and back.

use crate::kernels::panels::Panels;
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
    let (whole_rows, whole_cols) = (rows - rows % V::LANES, cols - cols % V::LANES);
    let mut row = 0;
    while row < whole_rows {
        let mut col = 0;
        while col < whole_cols {
            // SAFETY: a block of `V::LANES` rows and columns from (row, col) on is inside both.
            unsafe {
                V::turn(from.add(row * LANES + col), to.add(col * LANES + row), LANES);
            }
            col += V::LANES;
        }
        row += V::LANES;
    }
    for row in 0..rows {
        let first = if row < whole_rows { whole_cols } else { 0 };
        for col in first..cols {
            // SAFETY: row < rows and col < cols are inside both matrices.
            unsafe { *to.add(col * LANES + row) = *from.add(row * LANES + col) };
        }
    }
}
