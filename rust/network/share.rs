//! How many threads a phase gets, and which rows each tile.

use super::tuning::{ELEMENT, LABEL, LEAST_ROWS, MULTIPLY_ADD, TILE_ROWS, TILES_PER_THREAD};
use crate::kernels::elementary::Elementary;
use crate::runtime::Team;
use crate::simd::LANES;

/// The threads of work of so many multiply-adds and elements that are gathered, activated or updated.
pub(super) fn team<T: Elementary>(threads: usize, multiply_adds: f64, elements: f64) -> Team {
    let nanoseconds = MULTIPLY_ADD * multiply_adds + ELEMENT * elements;
    Team::for_cost(threads, nanoseconds * size_of::<T>() as f64 / 4.0)
}

/// The threads of so many blocks of weights; without rows, of updates alone.
pub(super) fn weight_team<T: Elementary>(threads: usize, blocks: usize, rows: usize) -> Team {
    let weights = (blocks * 2 * LANES * LANES) as f64;
    team::<T>(threads, weights * rows as f64, weights)
}

/// The threads of the gather of labels.
pub(super) fn label_team(threads: usize, rows: usize) -> Team {
    Team::for_cost(threads, LABEL * rows as f64)
}

/// Rows in tiles: all of one size but the last, or as equal as can be.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    rows: usize,
    count: usize,
    rows_each: Option<usize>,
}

impl Tiles {
    /// Those of rows that go through the network; no bit depends on how many.
    pub(super) fn of_rows(team: Team, rows: usize) -> Self {
        let count = rows.div_ceil(TILE_ROWS);
        if team.threads() == 1 {
            return Self { rows, count, rows_each: None };
        }
        let shared = count.max(TILES_PER_THREAD * team.threads());
        Self::equal(rows, shared.next_multiple_of(team.threads()))
    }

    /// As [`Self::of_rows`], of images: whole blocks of 16, at most so many together.
    pub(super) fn of_images(team: Team, rows: usize, most_blocks: usize) -> Self {
        let (blocks, shares) = (rows.div_ceil(LANES), TILES_PER_THREAD * team.threads());
        let alone = team.threads() == 1;
        let each = if alone { most_blocks } else { blocks.div_ceil(shares).min(most_blocks) };
        let rows_each = each * LANES;
        Self { rows, count: rows.div_ceil(rows_each), rows_each: Some(rows_each) }
    }

    /// All in one tile.
    pub(super) fn one(rows: usize) -> Self {
        Self { rows, count: 1, rows_each: None }
    }

    /// Up to so many tiles, of at least [`LEAST_ROWS`] rows.
    pub(super) fn equal(rows: usize, count: usize) -> Self {
        Self { rows, count: count.min(rows.div_ceil(LEAST_ROWS)), rows_each: None }
    }

    /// How many.
    pub(super) fn count(self) -> usize {
        self.count
    }

    /// Start and end of a tile.
    pub(super) fn range(self, tile: usize) -> (usize, usize) {
        match self.rows_each {
            Some(each) => (tile * each, self.rows.min((tile + 1) * each)),
            None => (self.rows * tile / self.count, self.rows * (tile + 1) / self.count),
        }
    }
}
