//! Matrices in panels for the tests of kernels.

use ironmlp::kernels::panels::Panels;
use ironmlp::simd::{LANES, Real};

/// A matrix in panels that owns its memory; padding holds NaN so that reading it shows.
#[derive(Clone)]
pub struct Matrix<T> {
    pub memory: Vec<T>,
    pub rows: usize,
    pub cols: usize,
    stride: usize,
}

impl<T: Real> Matrix<T> {
    pub fn new(rows: usize, cols: usize, mut element: impl FnMut(usize, usize) -> T) -> Self {
        let stride = Panels::<T>::padded_stride(rows, size_of::<T>());
        let mut memory = vec![T::from_f64(f64::NAN); Panels::<T>::buffer_len(cols, stride)];
        for row in 0..rows {
            for col in 0..cols {
                memory[col / LANES * stride + row * LANES + col % LANES] = element(row, col);
            }
        }
        Self { memory, rows, cols, stride }
    }

    pub fn view(&mut self) -> Panels<T> {
        // SAFETY: the memory is `buffer_len` long and lives as long as the matrix.
        unsafe { Panels::from_raw(self.memory.as_mut_ptr(), self.rows, self.cols, self.stride) }
    }

    pub fn at(&self, row: usize, col: usize) -> T {
        self.memory[col / LANES * self.stride + row * LANES + col % LANES]
    }
}

/// Numbers whose sums round: not small integers.
pub fn noise<T: Real>(seed: u64, row: usize, col: usize) -> T {
    let mut x = seed ^ (row as u64) << 32 ^ col as u64;
    for _ in 0..3 {
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ x >> 29;
    }
    T::from_f64((x >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
}
