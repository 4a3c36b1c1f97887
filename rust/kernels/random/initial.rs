//! Initial parameters.

use super::Stream;
use crate::simd::Real;

/// 2^-53, the distance between the numbers that 53 random bits give.
const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

/// Fills a tensor, in its canonical order, with numbers uniform on [-bound, bound).
///
/// Element e is `(2 u - 1) bound` rounded to `T`, u = (word e >> 11) 2^-53. Products and differences
/// round one by one, so that NumPy computes the same.
pub fn uniform<T: Real>(stream: Stream, bound: f64, out: &mut [T]) {
    for (element, word) in out.iter_mut().zip(stream.words()) {
        let u = (word >> 11) as f64 * UNIT;
        *element = T::from_f64((2.0 * u - 1.0) * bound);
    }
}
