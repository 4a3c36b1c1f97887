//! What X and y are standardized by, and how it is learned from rows.
//!
//! Two passes over the rows. The first gives a mean, the least and the largest element of each column. The
//! second sums deviations from that mean, in a unit in which none is above 2, and their squares: so neither
//! large offsets nor numbers near the ends of f64 cost the deviation a digit, and what rounding left in the
//! mean is corrected. Sums follow N2. Threads share tiles of rows, each a node of its tree, by columns;
//! a tile keeps sums and no copy of its rows.

use super::memory::{view, whole};
use super::tuning::{SUMMED, SUMS_TILES};
use crate::error::{Error, Result};
use crate::kernels::gather::{RowOrder, Source};
use crate::kernels::images::PixelOrder;
use crate::kernels::panels::Span;
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree, fold_array};
use crate::kernels::standard::{
    ColumnSums, LEAST, MOST, MergeSums, PIECE_COLS, SLOT_ROWS, Standardizer,
};
use crate::runtime::{Arena, Team, memory, watch};
use crate::simd::{Isa, LANES};

/// What a model's data are standardized by.
#[derive(Debug, Default, PartialEq)]
pub struct Standards {
    /// X, if it is.
    pub x: Option<Standardizer>,
    /// y, if it is: the network's outputs are on its standard scale.
    pub y: Option<Standardizer>,
}

/// Rows from which mean and deviation are learned.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The name of the argument that they come from.
    pub name: &'static str,
    /// All rows.
    pub source: Source<'a>,
    /// Those that count, and how many they are.
    pub rows: (RowOrder<'a>, usize),
    /// What elements are divided by before.
    pub divisor: f64,
    /// Channels of a row's image and their order; as many as columns of what is no image.
    pub channels: (usize, PixelOrder),
}

/// What a pass finds of a column or a channel.
struct Found {
    sum: f64,
    squares: f64,
    least: f64,
    most: f64,
}

impl Sample<'_> {
    /// Mean and population standard deviation of each column or channel; 1 where all elements are one
    /// number.
    ///
    /// # Errors
    /// `Error::Value` if numbers of one column lie further apart than f64 reaches, or are not finite;
    /// `Error::Memory` if there is no room for the sums, `Error::Interrupted`.
    pub fn learn(&self, isa: Isa, threads: usize) -> Result<Standardizer> {
        let count = self.elements();
        let (centers, ranges) = self.centers(isa, threads)?;
        let found = self.pass(isa, threads, &centers)?;
        let mut means = memory::copied(centers.means())?;
        let mut deviations = memory::filled(1.0, means.len())?;
        for (place, Found { sum, squares, .. }) in found.into_iter().enumerate() {
            let Found { least, most, .. } = ranges[place];
            if least == most {
                means[place] = least;
                continue;
            }
            let (unit, rest) = (centers.deviations()[place], sum / count);
            let variance = squares / count - rest * rest;
            if !variance.is_finite() {
                return Err(self.apart(place));
            }
            means[place] = between(least, means[place] + unit * rest, most);
            let deviation = unit * larger(variance, 0.0).sqrt();
            // The reciprocal of a smaller one is infinite.
            if deviation >= f64::MIN_POSITIVE {
                deviations[place] = deviation;
            }
        }
        Ok(self.standardizer(means, deviations))
    }

    /// The least and the largest element of each column or channel; infinities the wrong way round where
    /// there is none.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for them.
    pub fn ranges(&self, isa: Isa) -> Result<Vec<(f64, f64)>> {
        let channels = self.channels.0;
        let (zeros, ones) = (memory::filled(0.0, channels)?, memory::filled(1.0, channels)?);
        let found = self.pass(isa, 1, &self.standardizer(zeros, ones))?;
        memory::collected(found.iter().map(|column| (column.least, column.most)))
    }

    /// Means but for rounding, with units in which no element lies 2 or more from its mean, and ranges.
    fn centers(&self, isa: Isa, threads: usize) -> Result<(Standardizer, Vec<Found>)> {
        let channels = self.channels.0;
        let mut units = memory::filled(1.0, channels)?;
        let zeros = || memory::filled(0.0, channels);
        let mut found =
            self.pass(isa, threads, &self.standardizer(zeros()?, memory::copied(&units)?))?;
        if found.iter().any(|column| !column.sum.is_finite()) {
            // The sum of numbers near the largest is beyond it; no sum has 2^64 terms.
            for (unit, column) in units.iter_mut().zip(&found) {
                *unit = if column.sum.is_finite() { 1.0 } else { TWO_TO_64 };
            }
            let small = self.standardizer(zeros()?, memory::copied(&units)?);
            for (column, small) in found.iter_mut().zip(self.pass(isa, threads, &small)?) {
                column.sum = small.sum;
            }
        }
        let mut means = memory::vector(channels)?;
        for (place, Found { sum, least, most, .. }) in found.iter().enumerate() {
            if !sum.is_finite() {
                return Err(self.apart(place));
            }
            // Rounding may have put it beyond all elements.
            let mean = between(*least, sum / self.elements() * units[place], *most);
            units[place] = power_of_two(larger(most - mean, mean - least));
            means.push(mean);
        }
        Ok((self.standardizer(means, units), found))
    }

    fn standardizer(&self, means: Vec<f64>, deviations: Vec<f64>) -> Standardizer {
        Standardizer::new(self.divisor, means, deviations, self.channels.1)
    }

    /// Elements of a column, or of a channel.
    fn elements(&self) -> f64 {
        self.rows.1 as f64 * (self.source.cols() / self.channels.0) as f64
    }

    #[cold]
    fn apart(&self, place: usize) -> Error {
        let what = if self.channels.0 == self.source.cols() { "column" } else { "channel" };
        Error::Value(format!(
            "{what} {place} of {} has numbers whose differences are infinite in float64: standardize needs \
             smaller ones",
            self.name
        ))
    }

    /// One pass: sums of what `by` makes of each column or channel.
    fn pass(&self, isa: Isa, threads: usize, by: &Standardizer) -> Result<Vec<Found>> {
        let (order, rows) = self.rows;
        let cols = self.source.cols();
        let grid = Grid::new(rows, cols);
        let totals: Arena<f64> = Arena::zeroed(grid.len())?;
        let team = Team::for_cost(threads, SUMMED * rows as f64 * cols as f64);
        watch::run(team, grid.tiles(), &|tile| {
            let (start, end) = grid.rows(tile);
            let (from, to) = grid.cols(tile);
            let stride = grid.height() * LANES;
            let totals = view(&totals, grid.at(tile), grid.height(), to - from, stride);
            let source = self.source.columns(from, to);
            let mut tree = BlockTree::default();
            let mut block = start;
            while block < end {
                let next = end.min(block + BLOCK_ROWS);
                let rows = (order.range(block, next), next - block);
                let slot = tree.slot();
                by.look(isa, (source, cols), rows, from, &mut |values, row| {
                    let (begins_block, first) = (row == 0, row == 0 && block == start);
                    isa.run(ColumnSums { values, totals, slot, begins_block, first });
                });
                tree.push().for_each(|slot| isa.run(MergeSums { totals, slot }));
                block = next;
            }
            tree.finish().for_each(|slot| isa.run(MergeSums { totals, slot }));
        })?;
        let totals = whole(&totals);
        let mut found = memory::vector(self.channels.0)?;
        for channel in 0..self.channels.0 {
            found.push(grid.found(totals, by, channel));
        }
        Ok(found)
    }
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// The largest power of two that is no larger than a number, within normal numbers; 1 for 0.
fn power_of_two(number: f64) -> f64 {
    if number == 0.0 {
        return 1.0;
    }
    let power = f64::from_bits(number.to_bits() & (0x7ff << 52));
    larger(power, f64::MIN_POSITIVE)
}

fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

fn between(least: f64, number: f64, most: f64) -> f64 {
    let above = larger(number, least);
    if above < most { above } else { most }
}

/// Tiles of rows and columns, and where the totals of each lie.
struct Grid {
    rows: usize,
    cols: usize,
    /// Rows of a tile: blocks of N2, as many as a power of two.
    tall: usize,
    /// Tiles side by side.
    across: usize,
    /// Slots of the tree within a tile.
    slots: usize,
}

impl Grid {
    fn new(rows: usize, cols: usize) -> Self {
        let across = cols.div_ceil(PIECE_COLS);
        let down = (SUMS_TILES / across).max(1);
        let tall = rows.div_ceil(down).next_power_of_two().max(BLOCK_ROWS);
        let slots = BlockTree::slots(tall.min(rows).div_ceil(BLOCK_ROWS));
        Self { rows, cols, tall, across, slots }
    }

    /// Tiles one below the other.
    fn down(&self) -> usize {
        self.rows.div_ceil(self.tall)
    }

    fn tiles(&self) -> usize {
        self.down() * self.across
    }

    /// Rows of the totals.
    fn height(&self) -> usize {
        SLOT_ROWS + 2 * self.slots
    }

    /// Elements of the totals of a tile.
    fn each(&self) -> usize {
        PIECE_COLS * self.height()
    }

    fn len(&self) -> usize {
        self.each().saturating_mul(self.tiles())
    }

    fn at(&self, tile: usize) -> usize {
        self.each() * tile
    }

    fn rows(&self, tile: usize) -> (usize, usize) {
        let start = tile / self.across * self.tall;
        (start, self.rows.min(start + self.tall))
    }

    fn cols(&self, tile: usize) -> (usize, usize) {
        let from = tile % self.across * PIECE_COLS;
        (from, self.cols.min(from + PIECE_COLS))
    }

    /// What the tiles have of a channel: its columns' sums over rows by N2's tree, and of these that over
    /// pixels by N3.
    fn found(&self, totals: Span<f64>, by: &Standardizer, channel: usize) -> Found {
        let (run, count) = (by.run(self.cols), by.means().len());
        let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for pixel in 0..self.cols / count {
            let col = (pixel / run * count + channel) * run + pixel % run;
            sums[pixel % LANES] += self.over_rows(totals, SLOT_ROWS, col);
            squares[pixel % LANES] += self.over_rows(totals, SLOT_ROWS + 1, col);
            for tile in 0..self.down() {
                least = -larger(-least, -totals.get(self.place(tile, LEAST, col)));
                most = larger(most, totals.get(self.place(tile, MOST, col)));
            }
        }
        if count == self.cols {
            return Found { sum: sums[0], squares: squares[0], least, most };
        }
        Found { sum: fold_array(sums), squares: fold_array(squares), least, most }
    }

    /// The sum of a row of the totals over the tiles below each other.
    fn over_rows(&self, totals: Span<f64>, row: usize, col: usize) -> f64 {
        let mut slots = [0.0; usize::BITS as usize];
        let mut tree = BlockTree::default();
        for tile in 0..self.down() {
            slots[tree.slot()] = totals.get(self.place(tile, row, col));
            tree.push().for_each(|i| slots[i] += slots[i + 1]);
        }
        tree.finish().for_each(|i| slots[i] += slots[i + 1]);
        slots[0]
    }

    fn place(&self, down: usize, row: usize, col: usize) -> usize {
        let tile = down * self.across + col / PIECE_COLS;
        let (panel, lane) = (col % PIECE_COLS / LANES, col % LANES);
        self.at(tile) + (panel * self.height() + row) * LANES + lane
    }
}
