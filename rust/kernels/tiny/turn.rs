//! Transposes.

use super::layers::FOUR;
use crate::kernels::panels::Panels;
use crate::simd::{LANES, Real, Simd, Vector};

/// Writes a matrix into its transpose.
///
/// Both have memory of [`super::ROOM`]. Up to four columns are read, and up to four rows become
/// columns written, in registers of four: whoever stored the source and whoever will load the target
/// use the same, so that no load waits for two stores. Lanes past the source's rows become what the
/// source's memory holds there, +0; rows past its columns hold nothing of use.
#[inline(always)]
pub(super) fn turn<T: Real, S: Simd>(source: Panels<T>, target: Panels<T>) {
    let lanes = <S::Register<T> as Vector<T>>::LANES;
    let (rows, cols) = (source.rows(), source.cols());
    let (from, to) = (source.row(0, 0), target.row(0, 0));
    if S::REGISTERS < 16 {
        // Plain Rust has no shuffles.
        for row in 0..rows {
            for col in 0..cols {
                // SAFETY: inside both matrices.
                unsafe { *to.add(col * LANES + row) = *from.add(row * LANES + col) };
            }
        }
        return;
    }
    let mut row = 0;
    while row < rows {
        let mut col = 0;
        while col < cols {
            let (here, there) = (row * LANES + col, col * LANES + row);
            // SAFETY: a whole block lies inside the memory of both; they are different buffers.
            unsafe {
                let (from, to) = (from.add(here), to.add(there));
                if rows <= FOUR {
                    S::Four::<T>::turn(from, to, LANES);
                } else if cols <= FOUR {
                    S::Register::<T>::turn_four(from, to, LANES);
                } else {
                    S::Register::<T>::turn(from, to, LANES);
                }
            }
            col += if rows <= FOUR || cols <= FOUR { FOUR } else { lanes };
        }
        row += lanes;
    }
}
