//! Who does which tiles: how many threads a phase gets, and what each tile has of its work.
//!
//! By rows, each thread goes through the whole network with some of them, and so reads all weights, of
//! which other cores have just updated most; and their updates wait until the lines that it read are
//! theirs again. By columns, a thread makes some of a wide layer's outputs for all rows. Those are the
//! outputs whose weights it updates, so they stay in its cache; what goes from core to core is the
//! activations. Each wide layer is then a segment of its own, with a barrier after it.

use std::ops::Range;

use super::batch::Reach;
use super::memory::Buffers;
use super::op::RowOp;
use super::tuning::{
    BARRIER, BARRIER_SHARE, ELEMENT, LABEL, LEAST_ROWS, MULTIPLY_ADD, TILE_ROWS, TILES_PER_THREAD,
    UNIT, WIDE_PANELS, WIDE_WEIGHTS,
};
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

    /// Up to so many tiles, of at least [`LEAST_ROWS`] rows.
    fn equal(rows: usize, count: usize) -> Self {
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

/// Some of the row phase's work, in this order, and then a barrier.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Segment {
    /// Panels of the columns among which threads are to share; 0 where they share rows.
    panels: usize,
    /// Whether it begins with the rows of X.
    pub gather: bool,
    /// Ops of the forward pass.
    pub forward: Range<usize>,
    /// Whether the loss comes next.
    pub loss: bool,
    /// Ops of the way back.
    pub backward: Range<usize>,
}

impl Segment {
    /// Everything, by rows; what comes before the ops may have gathered X.
    fn whole(gather: bool, forward: usize, backward: usize) -> Self {
        Self { panels: 0, gather, forward: 0..forward, loss: true, backward: 0..backward }
    }

    /// Whether a pass that goes so far has something to do here.
    pub(super) fn is_reached(&self, reach: Reach) -> bool {
        let forward = self.gather || self.forward.start < self.forward.end;
        match reach {
            Reach::Outputs | Reach::Kept => forward,
            Reach::Loss => forward || self.loss,
            Reach::Gradients => true,
            Reach::Back => self.loss || self.backward.start < self.backward.end,
        }
    }
}

/// The row phase as one segment, and as those that threads share by columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments {
    whole: Segment,
    by_columns: Vec<Segment>,
    /// Weights of the wide layers, as often as they are read.
    weights: usize,
    /// Whether all layers count as wide, and go by columns whatever it costs.
    forced: bool,
}

impl Segments {
    /// Those of a network with these ops; `gather` if they begin with the rows of X.
    pub(super) fn new(
        gather: bool,
        (forward, backward): (&[RowOp], &[RowOp]),
        buffers: &Buffers,
        forced: bool,
    ) -> Self {
        let whole = Segment::whole(gather, forward.len(), backward.len());
        let mut segments = Self { whole, forced, ..Self::default() };
        let mut open = Segment { gather, ..Segment::default() };
        for (index, op) in forward.iter().enumerate() {
            segments.make_room(&mut open, op, buffers);
            extend(&mut open.forward, index);
        }
        segments.by_rows(&mut open);
        open.loss = true;
        for (index, op) in backward.iter().enumerate() {
            segments.make_room(&mut open, op, buffers);
            extend(&mut open.backward, index);
        }
        segments.by_columns.push(open);
        segments
    }

    /// All ops, by rows.
    pub(super) fn whole(&self) -> &Segment {
        &self.whole
    }

    /// The segments for a team and rows that have so many elements in all buffers. By columns several
    /// threads are better off where weights are many: at 1.4 times the weights the two ways are as fast
    /// (784-128-10 with 128 rows 1.03x, 1024 x 4 with 1024 rows 0.92 to 1.02x).
    pub(super) fn for_team(&self, team: Team, elements: usize) -> &[Segment] {
        let barriers = BARRIER * (self.by_columns.len() as f64 - 1.0);
        let paid = barriers * team.threads() as f64 <= BARRIER_SHARE * team.nanoseconds();
        let pays = team.threads() > 1 && paid && self.weights >= elements;
        if pays || self.forced { &self.by_columns } else { std::slice::from_ref(&self.whole) }
    }

    /// The tiles of a segment; `tiles` are those of one by rows.
    pub(super) fn grid(&self, team: Team, segment: &Segment, rows: usize, tiles: Tiles) -> Grid {
        let panels = segment.panels;
        if panels == 0 {
            return Grid { panels: ALL.end, columns: 1, rows: tiles };
        }
        let units = panels.div_ceil(UNIT);
        let shares = if self.forced { units } else { team.threads() };
        let columns = units.min(shares);
        Grid { panels, columns, rows: Tiles::equal(rows, shares.div_ceil(columns)) }
    }

    /// Begins another segment if the op does not belong to this one.
    fn make_room(&mut self, open: &mut Segment, op: &RowOp, buffers: &Buffers) {
        match *op {
            RowOp::Linear { input, output, .. }
            | RowOp::InputGradient { grad: input, target: output, .. } => {
                let weights = buffers.cols(input) * buffers.cols(output);
                let panels = buffers.cols(output).div_ceil(LANES);
                let wide = weights >= WIDE_WEIGHTS && panels >= WIDE_PANELS;
                if !wide && !self.forced {
                    return self.by_rows(open);
                }
                self.weights += weights;
                let next = Segment { panels, ..Segment::default() };
                self.by_columns.push(std::mem::replace(open, next));
            }
            // Its mask is drawn row by row; rows of images are in the lanes.
            RowOp::Dropout { .. } | RowOp::ImageLinear { .. } | RowOp::ImageGradient { .. } => {
                self.by_rows(open);
            }
            // Rows have to be whole.
            RowOp::Normalize { .. } | RowOp::NormalizeGradient { .. } => self.by_rows(open),
            RowOp::Activation { .. }
            | RowOp::Prelu { .. }
            | RowOp::Add { .. }
            | RowOp::ActivationGradient { .. }
            | RowOp::DropoutGradient { .. } => {}
        }
    }

    /// Ends a segment by columns.
    fn by_rows(&mut self, open: &mut Segment) {
        if open.panels > 0 {
            self.by_columns.push(std::mem::take(open));
        }
    }
}

/// One more op for a segment.
fn extend(ops: &mut Range<usize>, index: usize) {
    let start = if ops.start == ops.end { index } else { ops.start };
    *ops = start..index + 1;
}

/// All panels of any layer.
pub(super) const ALL: Range<usize> = 0..1 << 40;

/// Tiles of a segment: equal shares of the rows, or of the panels, and of the rows too where those are
/// too few for the threads.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    panels: usize,
    columns: usize,
    rows: Tiles,
}

impl Grid {
    /// How many tiles.
    pub(super) fn count(self) -> usize {
        self.columns * self.rows.count
    }

    /// Rows and panels of a tile.
    pub(super) fn tile(self, tile: usize) -> ((usize, usize), Range<usize>) {
        let column = tile / self.rows.count;
        let units = self.panels.div_ceil(UNIT);
        let start = |column: usize| (UNIT * (units * column / self.columns)).min(self.panels);
        (self.rows.range(tile % self.rows.count), start(column)..start(column + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::BufferId;
    use super::super::op::BackwardWeight;
    use super::*;
    use crate::kernels::activation::Activation;

    const ROWS: usize = 100;

    /// 784-512-256-10 with relu: buffers 0 to 3 for outputs, 4 to 6 for gradients.
    fn ops() -> (Vec<RowOp>, Vec<RowOp>, Buffers) {
        let mut buffers = Buffers::default();
        for cols in [784, 512, 256, 10, 10, 256, 512] {
            buffers.add::<f32>(ROWS, cols);
        }
        let linear = |linear| RowOp::Linear {
            linear,
            input: BufferId(linear),
            output: BufferId(linear + 1),
        };
        let relu = |at| {
            let at = BufferId(at);
            RowOp::Activation { activation: Activation::Relu, input: at, output: at }
        };
        let back = |linear, grad| RowOp::InputGradient {
            linear,
            grad: BufferId(grad),
            target: BufferId(grad + 1),
            weight: BackwardWeight::State,
        };
        let relu_back = |at| {
            let (activation, at) = (Activation::Relu, BufferId(at));
            RowOp::ActivationGradient { activation, saved: at, grad: at, target: at }
        };
        let forward = vec![linear(0), relu(1), linear(1), relu(2), linear(2)];
        let backward = vec![back(2, 4), relu_back(5), back(1, 5), relu_back(6)];
        (forward, backward, buffers)
    }

    #[test]
    fn wide_layers_are_segments_of_their_own() {
        let (forward, backward, buffers) = ops();
        let segments = Segments::new(true, (&forward, &backward), &buffers, false);
        let none = Segment::default();
        assert_eq!(
            segments.by_columns,
            [
                Segment { gather: true, ..none.clone() },
                Segment { panels: 32, forward: 0..2, ..none.clone() },
                Segment { panels: 16, forward: 2..4, ..none.clone() },
                Segment { forward: 4..5, loss: true, backward: 0..2, ..none.clone() },
                Segment { panels: 32, backward: 2..4, ..none },
            ]
        );
        assert_eq!(segments.weights, 784 * 512 + 2 * 512 * 256);
        let forced = Segments::new(true, (&forward, &backward), &buffers, true);
        let panels: Vec<_> = forced.by_columns.iter().map(|segment| segment.panels).collect();
        assert_eq!(panels, [0, 32, 16, 1, 0, 16, 32]);
    }

    #[test]
    fn several_threads_go_by_columns_where_weights_are_many() {
        let (forward, backward, buffers) = ops();
        let segments = Segments::new(true, (&forward, &backward), &buffers, false);
        let by_columns = |segments: &Segments, team, elements| {
            let chosen = segments.for_team(team, elements);
            assert!(chosen == segments.by_columns || chosen == [segments.whole.clone()]);
            chosen.len() > 1
        };
        let most = segments.weights;
        assert!(by_columns(&segments, Team::whole(2), most));
        assert!(!by_columns(&segments, Team::whole(1), most));
        assert!(!by_columns(&segments, Team::whole(2), most + 1));
        assert!(!by_columns(&segments, Team::for_cost(2, 1e5), most), "4 barriers");
        let forced = Segments::new(true, (&forward, &backward), &buffers, true);
        assert!(by_columns(&forced, Team::whole(1), usize::MAX));
    }

    #[test]
    fn tiles_by_columns_cover_all_once() {
        for forced in [false, true] {
            let segments = Segments { forced, ..Segments::default() };
            for (threads, panels, rows) in
                [(1, 1, 1), (2, 4, 100), (3, 7, 17), (16, 5, 128), (7, 64, 3), (16, 3, 20)]
            {
                let (team, segment) =
                    (Team::whole(threads), Segment { panels, ..Segment::default() });
                let grid = segments.grid(team, &segment, rows, Tiles::of_rows(team, rows));
                let mut seen = vec![0; panels * rows];
                for tile in 0..grid.count() {
                    let ((start, end), columns) = grid.tile(tile);
                    for panel in columns {
                        seen[panel * rows + start..panel * rows + end]
                            .iter_mut()
                            .for_each(|n| *n += 1);
                    }
                }
                assert_eq!(seen, vec![1; panels * rows], "{threads} threads, {panels} x {rows}");
            }
        }
    }
}
