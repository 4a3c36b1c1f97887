//! What the phases of a step cost, and so how many threads they get.

use super::batch::Reach;
use super::image::ImagePlan;
use super::plan::Plan;
use crate::kernels::elementary::Elementary;
use crate::runtime::Team;
use crate::simd::LANES;

/// Rows of a tile of the row phase: enough that each weight read from L2 or L3 is used 256 times.
const TILE_ROWS: usize = 256;
/// Where there are threads for more tiles than that gives, tiles have fewer rows, but so many.
const LEAST_ROWS: usize = 16;
/// Tiles of the row phase for each thread: a thread that is held up leaves half of its share to the
/// others.
const TILES: usize = 2;
/// Rows of a tile of the gather of labels, one or two cache misses each.
pub(super) const LABEL_ROWS: usize = 2048;

/// Nanoseconds on one core, from which the number of threads follows: a multiply-add of f32 at
/// 100 GFLOP/s, an element that is gathered, activated or updated, a label from somewhere in memory.
const MULTIPLY_ADD: f64 = 0.02;
const ELEMENT: f64 = 0.3;
const LABEL: f64 = 2.0;

impl<T: Elementary> Plan<T> {
    /// The threads of the row phase.
    pub(super) fn row_team(&self, threads: usize, reach: Reach, rows: usize) -> Team {
        let passes = if reach == Reach::Gradients { 2.0 } else { 1.0 };
        let multiply_adds = passes * self.step_flops(rows) / 6.0;
        let images = self.images.as_ref().map_or(0, ImagePlan::features);
        let elements = (rows * (self.buffers.all_cols() + images)) as f64;
        team::<T>(threads, multiply_adds, elements)
    }

    /// The tiles of the row phase; no bit depends on how many.
    pub(super) fn row_tiles(&self, team: Team, rows: usize) -> Tiles {
        if let Some(images) = &self.images {
            let (blocks, shares) = (rows.div_ceil(LANES), TILES * team.threads());
            let alone = team.threads() == 1;
            let each =
                if alone { images.blocks } else { blocks.div_ceil(shares).min(images.blocks) };
            let rows_each = each * LANES;
            return Tiles { rows, count: rows.div_ceil(rows_each), rows_each: Some(rows_each) };
        }
        let count = rows.div_ceil(TILE_ROWS);
        if team.threads() == 1 {
            return Tiles { rows, count, rows_each: None };
        }
        let shared = count.max(TILES * team.threads()).next_multiple_of(team.threads());
        Tiles::equal(rows, shared)
    }

    /// The threads of the weight phase.
    pub(super) fn weight_team(&self, threads: usize, rows: usize) -> Team {
        weight_team::<T>(threads, self.blocks.len(), rows)
    }
}

/// Rows in tiles: all of one size but the last, or as equal as can be.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    rows: usize,
    pub count: usize,
    rows_each: Option<usize>,
}

impl Tiles {
    /// Up to so many tiles, of at least [`LEAST_ROWS`] rows.
    pub(super) fn equal(rows: usize, count: usize) -> Self {
        Self { rows, count: count.min(rows.div_ceil(LEAST_ROWS)), rows_each: None }
    }

    /// Start and end of a tile.
    pub(super) fn range(self, tile: usize) -> (usize, usize) {
        match self.rows_each {
            Some(each) => (tile * each, self.rows.min((tile + 1) * each)),
            None => (self.rows * tile / self.count, self.rows * (tile + 1) / self.count),
        }
    }
}

/// The threads of so many blocks of weights; without rows, of updates alone.
pub(super) fn weight_team<T: Elementary>(threads: usize, blocks: usize, rows: usize) -> Team {
    let weights = (blocks * 2 * LANES * LANES) as f64;
    team::<T>(threads, weights * rows as f64, weights)
}

fn team<T: Elementary>(threads: usize, multiply_adds: f64, elements: f64) -> Team {
    let nanoseconds = MULTIPLY_ADD * multiply_adds + ELEMENT * elements;
    Team::for_cost(threads, nanoseconds * size_of::<T>() as f64 / 4.0)
}

/// The threads of the gather of labels.
pub(super) fn label_team(threads: usize, rows: usize) -> Team {
    Team::for_cost(threads, LABEL * rows as f64)
}
