//! What the tiles of a product fetch beside their work.

use crate::kernels::fetch::LINE;
use crate::kernels::panels::Panels;
use crate::simd::{LANES, Real};

/// What the last tile, the one before it and others fetch into L1 beside their work, a line each step: the
/// last two get the part of B that comes after rows `start..end` of `width` columns from `col` on, so that
/// the next tile finds it there (1024 x 1024 x 1024, with B in L3: 1.15x). Where there is nothing to fetch
/// they ask for what they load anyway.
#[inline(always)]
pub(super) fn next_part<T: Real>(
    b: Panels<T>,
    width: usize,
    col: usize,
    start: usize,
    end: usize,
) -> [*const T; 3] {
    if start == end {
        return [std::ptr::null(); 3];
    }
    let at = |row: usize, col: usize| b.row(col / LANES, row).wrapping_add(col % LANES);
    let here = at(start, col).cast_const();
    let (row, next) = if col + width < b.cols() { (start, col + width) } else { (end, 0) };
    if row == b.rows() {
        return [here; 3];
    }
    let second = next + LINE / size_of::<T>();
    let both = LINE / size_of::<T>() < width && second < b.cols();
    [at(row, next), if both { at(row, second) } else { here }, here]
}
