//! Numbers that go with the columns of a matrix, and sums over its rows.

use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::panels::Span;
use ironmlp::simd::{LANES, Real};

/// Numbers that go with columns, NaN past the last.
pub fn numbers<T: Real>(seed: u64, cols: usize) -> Vec<T> {
    let mut numbers = vec![T::from_f64(f64::NAN); cols.next_multiple_of(LANES)];
    for (col, number) in numbers.iter_mut().enumerate().take(cols) {
        *number = noise(seed, 0, col);
    }
    numbers
}

pub fn span<T>(numbers: &mut [T]) -> Span<T> {
    // SAFETY: the view is used while the slice that it comes from lives, by one thread.
    unsafe { Span::from_raw(numbers.as_mut_ptr(), numbers.len()) }
}

/// Whether the elements past the last column are +0.
pub fn is_padded<T: Real>(matrix: &mut Matrix<T>) -> bool {
    let view = matrix.view();
    let last = view.panels() - 1;
    (0..view.rows()).all(|row| {
        (view.width(last)..LANES).all(|lane| {
            // SAFETY: 16 elements of the matrix's memory.
            let element = unsafe { *view.row(last, row).add(lane) };
            element.to_f64().to_bits() == 0
        })
    })
}

/// a - b in the element type.
pub fn sub<T: Real>(a: T, b: T) -> T {
    a.add(T::from_f64(-b.to_f64()))
}

/// N2 by its definition.
pub fn tree<T: Real>(sums: &[T]) -> T {
    match sums {
        [] => T::ZERO,
        [one] => *one,
        _ => {
            let (left, right) = sums.split_at(sums.len().next_power_of_two() / 2);
            tree(left).add(tree(right))
        }
    }
}
