//! The product of two row-major matrices.

use super::{Product, pack, unpack};
use crate::error::Result;
use crate::kernels::panels::{Panels, Span};
use crate::kernels::tuning::ROWS_OF_A;
use crate::runtime::{Arena, watch};
use crate::simd::{Isa, Real};

/// C = A B for row-major A (m, k), B (k, n) and C (m, n); each element is the chain of N1 from +0.
///
/// # Errors
/// `Error::Memory` if there is no room for the packed copies, `Error::Interrupted`.
///
/// # Panics
/// If a slice is not of its matrix's size.
pub fn matmul<T: Real>(
    isa: Isa,
    (m, k, n): (usize, usize, usize),
    a: &[T],
    b: &[T],
    c: &mut [T],
) -> Result<()> {
    let lengths = [m.checked_mul(k), k.checked_mul(n), m.checked_mul(n)];
    assert!(lengths == [a.len(), b.len(), c.len()].map(Some));
    if m == 0 || n == 0 {
        return Ok(());
    }
    let (right_memory, right) = buffer::<T>(k, n)?;
    pack(b, n, 1, right);
    let rows = if m < ROWS_OF_A { m } else { ROWS_OF_A };
    let (left_memory, left) = buffer::<T>(rows, k)?;
    let (result_memory, result) = buffer::<T>(rows, n)?;
    let entry = isa.entry::<Product<T>>();
    watch::pieces(m, ROWS_OF_A, |piece| {
        let (start, end) = (piece.start, piece.end);
        let (left, result) = (left.slice(0, end - start), result.slice(0, end - start));
        pack(&a[start * k..end * k], k, 1, left);
        entry.call(Product { a: left, b: right, c: result, bias: Span::empty() });
        unpack(result, &mut c[start * n..end * n], n, 1);
        Ok(())
    })?;
    drop((left_memory, right_memory, result_memory));
    Ok(())
}

/// Memory for a matrix in panels, and its view; the view is valid as long as the memory lives.
fn buffer<T: Real>(rows: usize, cols: usize) -> Result<(Arena<T>, Panels<T>)> {
    let stride = Panels::<T>::padded_stride(rows, size_of::<T>());
    let memory = Arena::zeroed(Panels::<T>::buffer_len(cols, stride))?;
    // SAFETY: the arena holds `buffer_len` zeroed elements, and the caller keeps it alive while it
    // uses the view.
    let view = unsafe { Panels::from_raw(memory.as_ptr(), rows, cols, stride) };
    Ok((memory, view))
}
