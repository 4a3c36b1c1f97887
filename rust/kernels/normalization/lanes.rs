//! 16 elements of a row, and sums over the rows of a matrix.

pub(super) use crate::kernels::panels::columns;
use crate::kernels::panels::{Panels, Span};
pub(super) use crate::kernels::reduce::wide;
use crate::kernels::reduce::{Added, fold_rows};
use crate::kernels::scratch::Scratch;
use crate::simd::{LANES, Real, Simd, Vector};

/// 16 elements of a row; those of a last panel that are no columns are +0.
#[inline(always)]
pub(super) fn load<T: Real, V: Vector<T>>(matrix: Panels<T>, panel: usize, row: usize) -> V {
    // SAFETY: the view's maker vouches for the 16 elements of its rows.
    columns(unsafe { V::load(matrix.row(panel, row)) }, matrix.width(panel))
}

/// Writes 16 elements of a row.
#[inline(always)]
pub(super) fn store<T: Real, V: Vector<T>>(matrix: Panels<T>, panel: usize, row: usize, lanes: V) {
    // SAFETY: the view's maker vouches for the 16 elements of its rows.
    unsafe { lanes.store(matrix.row(panel, row)) }
}

/// 16 of the numbers that go with columns.
#[inline(always)]
pub(super) fn of_columns<T: Real, V: Vector<T>>(numbers: Span<T>, panel: usize) -> V {
    debug_assert!((panel + 1) * LANES <= numbers.len());
    // SAFETY: the span holds 16 elements for each panel, for which its maker vouches.
    unsafe { V::load(numbers.at(panel * LANES)) }
}

/// 16 lanes in f64, rounded.
#[inline(always)]
pub(super) fn narrow<T: Real, S: Simd>(lanes: S::Lanes<f64>) -> S::Lanes<T> {
    let mut narrow = [T::ZERO; LANES];
    let wide = each_row(lanes);
    for i in 0..LANES {
        narrow[i] = T::from_f64(wide[i]);
    }
    // SAFETY: the array holds 16 values.
    unsafe { S::Lanes::<T>::load(narrow.as_ptr()) }
}

/// Sums over the features of 16 rows.
pub(super) struct RowSums(Scratch<f64, { LANES * LANES }>);

impl RowSums {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self(Scratch::zeros())
    }

    /// Keeps the lanes of row `i`.
    #[inline(always)]
    pub(super) fn set<V: Vector<f64>>(&mut self, i: usize, lanes: V) {
        debug_assert!(i < LANES);
        // SAFETY: row i of 16.
        unsafe { lanes.store(self.0.ptr().add(i * LANES)) };
    }

    /// The means of `count` features, with a row in each lane.
    #[inline(always)]
    pub(super) fn means<S: Simd>(&mut self, count: usize) -> S::Lanes<f64> {
        // SAFETY: 16 rows of 16 elements.
        let sums = unsafe { fold_rows::<f64, S, Added>(self.0.ptr()) };
        sums.div(S::Lanes::<f64>::splat(count as f64))
    }
}

/// A number of each of 16 rows.
#[inline(always)]
pub(super) fn each_row<T: Real, V: Vector<T>>(lanes: V) -> [T; LANES] {
    let mut rows = [T::ZERO; LANES];
    // SAFETY: the array holds 16 values.
    unsafe { lanes.store(rows.as_mut_ptr()) };
    rows
}

/// Calls `sixteen` with the first row and the count of each 16 rows or fewer.
macro_rules! by_sixteen {
    ($rows:expr, |$first:ident, $count:ident| $body:expr) => {{
        let (rows, mut $first) = ($rows, 0);
        while $first < rows {
            let $count = if rows - $first < LANES { rows - $first } else { LANES };
            $body;
            $first += LANES;
        }
    }};
}
pub(super) use by_sixteen;
