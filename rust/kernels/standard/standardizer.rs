//! Mean and standard deviation of each column, and what is done with them.

use super::apply::Apply;
use crate::error::Result;
use crate::kernels::gather::{Divide, Gather, RowOrder, Source};
use crate::kernels::gemm::unpack;
use crate::kernels::images::PixelOrder;
use crate::kernels::panels::Panels;
use crate::kernels::scratch::Scratch;
use crate::kernels::tuning::CONVERTED;
use crate::runtime::{memory, watch};
use crate::simd::{Isa, LANES, Real};

/// Columns of a piece, at most.
pub const PIECE_COLS: usize = 128;

/// Elements of a piece: 16 KB of f64, half of an L1 of 32 KB. A power of two, of at least 16 rows of
/// [`PIECE_COLS`], so that pieces of whole panels divide N2's blocks.
const PIECE: usize = 2048;

/// Mean and standard deviation of each column of a matrix, or of each channel of the images in its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardizer {
    /// What elements are divided by before.
    divisor: f64,
    means: Vec<f64>,
    deviations: Vec<f64>,
    /// Where the channels of a row are, if there are fewer of them than columns.
    order: PixelOrder,
}

impl Standardizer {
    /// One that subtracts these means and divides by these deviations, none of which is 0.
    ///
    /// # Panics
    /// If they are not as many, or none.
    #[must_use]
    pub fn new(divisor: f64, means: Vec<f64>, deviations: Vec<f64>, order: PixelOrder) -> Self {
        assert!(means.len() == deviations.len() && !means.is_empty());
        Self { divisor, means, deviations, order }
    }

    /// A copy.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn duplicate(&self) -> Result<Self> {
        let [means, deviations] = [&self.means, &self.deviations].map(|list| memory::copied(list));
        Ok(Self { means: means?, deviations: deviations?, ..*self })
    }

    /// Of each column or channel.
    #[must_use]
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Of each column or channel.
    #[must_use]
    pub fn deviations(&self) -> &[f64] {
        &self.deviations
    }

    /// How many columns in a row belong to the same channel before the next does.
    #[must_use]
    pub fn run(&self, cols: usize) -> usize {
        match self.order {
            PixelOrder::ChannelsFirst => (cols / self.means.len()).max(1),
            PixelOrder::ChannelsLast => 1,
        }
    }

    /// Copies rows of columns `col..` of a source of `cols` columns into panels, as many as these have,
    /// standardized; padding becomes +0.
    pub fn gather<T: Real>(
        &self,
        isa: Isa,
        (source, cols): (Source<'_>, usize),
        (rows, col): (RowOrder<'_>, usize),
        target: Panels<T>,
    ) {
        let mut col_of_piece = 0;
        while col_of_piece < target.cols() {
            let width = PIECE_COLS.min(target.cols() - col_of_piece);
            let from = col + col_of_piece;
            let spread = self.spread(cols, (from, width));
            let (means, deviations) = self.lists(&spread, (from, width));
            let source = source.columns(from, from + width);
            let panel = col_of_piece / LANES;
            pieces(isa, self.divisor, source, rows, target.rows(), &mut |piece, row| {
                let target = target.from(panel, row);
                isa.run(Apply { source: piece, target, means, deviations });
            });
            col_of_piece += width;
        }
    }

    /// Standardizes rows of up to [`PIECE_COLS`] columns from `col` on, of a source of `cols` columns, in
    /// pieces, and shows them: the values, and which of the rows is their first.
    pub fn look(
        &self,
        isa: Isa,
        (source, cols): (Source<'_>, usize),
        (rows, count): (RowOrder<'_>, usize),
        col: usize,
        see: &mut dyn FnMut(Panels<f64>, usize),
    ) {
        let place = (col, source.cols());
        let spread = self.spread(cols, place);
        let (means, deviations) = self.lists(&spread, place);
        let changes = means.iter().any(|mean| *mean != 0.0) || deviations.iter().any(|d| *d != 1.0);
        pieces(isa, self.divisor, source, rows, count, &mut |piece, row| {
            if changes {
                isa.run(Apply { source: piece, target: piece, means, deviations });
            }
            see(piece, row);
        });
    }

    /// All rows of a source, row by row.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for them, `Error::Interrupted`.
    pub fn copy_all<T: Real>(&self, isa: Isa, source: Source<'_>) -> Result<Vec<T>> {
        let (rows, cols) = (source.rows(), source.cols());
        let mut values = memory::filled(T::ZERO, rows.saturating_mul(cols))?;
        let mut scratch = Scratch::<T, PIECE>::new();
        watch::pieces(rows, CONVERTED / cols.max(1), |range| {
            for row in range.clone().step_by(LANES) {
                let count = LANES.min(range.end - row);
                for col in (0..cols).step_by(PIECE_COLS) {
                    let width = PIECE_COLS.min(cols - col);
                    // SAFETY: the scratch has room for 16 rows of so many columns, all of which are
                    // written before they are read.
                    let piece =
                        unsafe { Panels::from_raw(scratch.ptr(), count, width, LANES * LANES) };
                    self.gather(isa, (source, cols), (RowOrder::From(row), col), piece);
                    unpack(piece, &mut values[row * cols + col..], cols, 1);
                }
            }
            Ok(())
        })?;
        Ok(values)
    }

    /// From the standard scale back to that of the data: rows of all columns, or several columns that share
    /// the only mean and deviation.
    pub fn restore<T: Real>(&self, values: &mut [T]) {
        for row in values.chunks_mut(self.means.len()) {
            for ((value, mean), deviation) in row.iter_mut().zip(&self.means).zip(&self.deviations)
            {
                *value = T::from_f64((value.to_f64() * deviation + mean) * self.divisor);
            }
        }
    }

    /// From the gradient by what is standardized to that by the data: rows of `cols` columns.
    pub fn by_data<T: Real>(&self, values: &mut [T], cols: usize) {
        self.each(values, cols, |value, deviation| value / deviation / self.divisor);
    }

    /// From the gradient by the data to that by what is standardized: rows of `cols` columns.
    pub fn by_standardized<T: Real>(&self, values: &mut [T], cols: usize) {
        self.each(values, cols, |value, deviation| value * deviation * self.divisor);
    }

    fn each<T: Real>(&self, values: &mut [T], cols: usize, change: impl Fn(f64, f64) -> f64) {
        for (place, run) in values.chunks_mut(self.run(cols)).enumerate() {
            let deviation = self.deviations[place % self.deviations.len()];
            for value in run {
                *value = T::from_f64(change(value.to_f64(), deviation));
            }
        }
    }

    /// Means and deviations of `width` columns from `from` on, of `cols`, where columns share those of their
    /// channel.
    fn spread(&self, cols: usize, (from, width): (usize, usize)) -> Option<[[f64; PIECE_COLS]; 2]> {
        let (run, count) = (self.run(cols), self.means.len());
        if count == cols {
            return None;
        }
        let (mut means, mut deviations) = ([0.0; PIECE_COLS], [1.0; PIECE_COLS]);
        let (mut index, mut left) = (from / run % count, run - from % run);
        for i in 0..width {
            if left == 0 {
                index = if index + 1 == count { 0 } else { index + 1 };
                left = run;
            }
            means[i] = self.means[index];
            deviations[i] = self.deviations[index];
            left -= 1;
        }
        Some([means, deviations])
    }

    /// The same as lists, whoever has them.
    fn lists<'a>(
        &'a self,
        spread: &'a Option<[[f64; PIECE_COLS]; 2]>,
        (from, width): (usize, usize),
    ) -> (&'a [f64], &'a [f64]) {
        match spread {
            Some([means, deviations]) => (&means[..width], &deviations[..width]),
            None => (&self.means[from..from + width], &self.deviations[from..from + width]),
        }
    }
}

/// `count` rows of a source of up to [`PIECE_COLS`] columns in f64, divided by a number, piece by piece,
/// with the first row of each.
fn pieces(
    isa: Isa,
    divisor: f64,
    source: Source<'_>,
    rows: RowOrder<'_>,
    count: usize,
    work: &mut dyn FnMut(Panels<f64>, usize),
) {
    let cols = source.cols();
    assert!(cols > 0 && cols <= PIECE_COLS);
    let height = 1 << (PIECE / cols.next_multiple_of(LANES)).ilog2();
    let mut scratch = Scratch::<f64, PIECE>::new();
    let mut first = 0;
    while first < count {
        let end = count.min(first + height);
        // SAFETY: the scratch has room for `height` rows of so many columns, and lives to the end of this
        // function; all elements are written before they are read.
        let piece = unsafe { Panels::from_raw(scratch.ptr(), end - first, cols, height * LANES) };
        isa.run(Gather { source, rows: rows.range(first, end), target: piece });
        if divisor != 1.0 {
            isa.run(Divide { target: piece, divisor });
        }
        work(piece, first);
        first = end;
    }
}
