//! Rows on their way into a cache.

use super::{Matrix, RowOrder, Source};
use crate::kernels::fetch::LINE;
use crate::kernels::tuning::X_IN_L2;
use crate::simd::{Real, Vector};

/// Rows that will be gathered next, to be fetched beside other work: chosen at random from a large X they
/// lie in memory or in L3, and a gather would wait for each (784-128-10 with 128 rows: 1.03x).
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    matrix: Matrix<'a>,
    rows: RowOrder<'a>,
    /// Lines of all rows, and of these the first and one past the last.
    lines: (usize, usize),
}

impl<'a> Ahead<'a> {
    /// `count` rows of a source, if their elements follow each other and it pays to fetch them.
    #[must_use]
    pub fn new(source: Source<'a>, rows: RowOrder<'a>, count: usize) -> Option<Self> {
        let Source::Matrix(matrix) = source else { return None };
        let bytes = |rows: usize| rows.saturating_mul(matrix.row_bytes());
        let pays = bytes(matrix.rows()) > X_IN_L2 && bytes(count) <= X_IN_L2 / 2;
        let lines = (0, count.saturating_mul(lines_of(&matrix)));
        (pays && matrix.has_contiguous_rows()).then_some(Self { matrix, rows, lines })
    }

    /// Share `share` of `shares` of the lines.
    #[inline(always)]
    #[must_use]
    pub fn share(self, share: usize, shares: usize) -> Self {
        let (first, end) = self.lines;
        let at = |share: usize| first + (end - first) * share / shares;
        Self { lines: (at(share), at(share + 1)), ..self }
    }

    /// Fetches the lines into L1, and so into L2.
    #[inline(always)]
    pub fn fetch<V: Vector<T>, T: Real>(self) {
        let Self { matrix, rows, lines: (mut at, end) } = self;
        let each = lines_of(&matrix);
        while at < end {
            let (row, first) = (at / each, at % each);
            let last = if end - at < each - first { first + end - at } else { each };
            let start = matrix.at(rows.at(row), 0);
            for line in first..last {
                V::prefetch(start.wrapping_add(line * LINE).cast());
            }
            at += last - first;
        }
    }
}

/// Lines that a row may touch, wherever in a line it begins.
#[inline(always)]
fn lines_of(matrix: &Matrix<'_>) -> usize {
    matrix.row_bytes().div_ceil(LINE) + 1
}

#[cfg(test)]
mod tests {
    use super::{Ahead, X_IN_L2};
    use crate::kernels::gather::{RowOrder, Source};

    #[test]
    fn shares_of_shares_are_all_lines() {
        let x = vec![0.0f32; X_IN_L2];
        let ahead = Ahead::new(Source::of_slice(&x, 128), RowOrder::From(0), 33).unwrap();
        let mut next = 0;
        for share in 0..7 {
            for part in 0..2 {
                let (first, end) = ahead.share(share, 7).share(part, 2).lines;
                assert!(first == next && end > first);
                next = end;
            }
        }
        assert_eq!(next, ahead.lines.1);
        assert!(next >= 33 * 128 * 4 / 64);
    }

    #[test]
    fn rows_that_are_in_a_cache_or_too_many_are_left() {
        let x = vec![0.0f32; X_IN_L2];
        let of = |elements: usize, rows| {
            Ahead::new(Source::of_slice(&x[..elements], 128), RowOrder::From(0), rows).is_some()
        };
        assert!(of(X_IN_L2, 64));
        assert!(!of(X_IN_L2 / 4, 64));
        assert!(!of(X_IN_L2, X_IN_L2 / 2 / 512 + 1));
    }
}
