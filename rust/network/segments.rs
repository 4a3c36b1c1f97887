//! How the row phase falls into segments, with a barrier after each, and what each tile has of their work.
//!
//! By rows, each thread goes through the whole network with some of them, and so reads all weights, of
//! which other cores have just updated most; and their updates wait until the lines that it read are
//! theirs again. By columns, a thread makes some of a wide layer's outputs for all rows. Those are the
//! outputs whose weights it updates, so they stay in its cache; what goes from core to core is the
//! activations. Each wide layer is then a segment of its own.
//!
//! An op that sums over the rows of the batch is a segment of its own in either way, unless these are one
//! tile: all rows of some columns are one piece of work, and nothing has to meet between threads.

use std::ops::Range;

use super::batch::Reach;
use super::memory::Buffers;
use super::op::RowOp;
use super::share::Tiles;
use super::tuning::{BARRIER, BARRIER_SHARE, UNIT, WIDE_PANELS, WIDE_WEIGHTS};
use crate::runtime::Team;
use crate::simd::LANES;

/// Some of the row phase's work, in this order, and then a barrier.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Segment {
    /// Panels of the columns among which threads are to share; 0 where they share rows.
    panels: usize,
    /// Whether it sums over rows, so that a tile takes all of them.
    all_rows: bool,
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
        Self { gather, forward: 0..forward, loss: true, backward: 0..backward, ..Self::default() }
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

/// The row phase as one segment, and as several.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments {
    whole: Segment,
    /// All by rows, but for the ops that sum over those of the batch; none without such an op.
    by_rows: Vec<Segment>,
    /// Those that threads share by columns.
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
        let wide = if forced { Wide::All } else { Wide::Some };
        let (by_columns, weights) = Cutter::cut(wide, gather, (forward, backward), buffers);
        let (mut by_rows, _) = Cutter::cut(Wide::None, gather, (forward, backward), buffers);
        if !by_rows.iter().any(|segment| segment.all_rows) {
            by_rows.clear();
        }
        Self { whole, by_rows, by_columns, weights, forced }
    }

    /// All ops, by rows; in training those of the batch must be one tile if some op sums over them.
    pub(super) fn whole(&self) -> &Segment {
        &self.whole
    }

    /// All ops, by rows where none sums over those of the batch; none without such an op.
    pub(super) fn by_rows(&self) -> &[Segment] {
        &self.by_rows
    }

    /// The segments for a team and rows that have so many elements in all buffers; `tiles` are those of one
    /// by rows. By columns several threads are better off where weights are many: at 1.4 times the weights
    /// the two ways are as fast (784-128-10 with 128 rows 1.03x, 1024 x 4 with 1024 rows 0.92 to 1.02x).
    pub(super) fn for_team(
        &self,
        team: Team,
        elements: usize,
        (tiles, training): (Tiles, bool),
    ) -> &[Segment] {
        let barriers = BARRIER * (self.by_columns.len() as f64 - 1.0);
        let paid = barriers * team.threads() as f64 <= BARRIER_SHARE * team.nanoseconds();
        let pays = team.threads() > 1 && paid && self.weights >= elements;
        if pays || self.forced {
            &self.by_columns
        } else if training && tiles.count() > 1 && !self.by_rows.is_empty() {
            &self.by_rows
        } else {
            std::slice::from_ref(&self.whole)
        }
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
        let rows = match segment.all_rows {
            true => Tiles::one(rows),
            false => Tiles::equal(rows, shares.div_ceil(columns)),
        };
        Grid { panels, columns, rows }
    }
}

/// Which layers with weights go by columns.
#[derive(Clone, Copy, PartialEq)]
enum Wide {
    None,
    /// Those that are wide.
    Some,
    All,
}

/// Cuts ops into segments.
struct Cutter<'a> {
    wide: Wide,
    buffers: &'a Buffers,
    done: Vec<Segment>,
    open: Segment,
    /// Weights of the layers that go by columns.
    weights: usize,
}

impl<'a> Cutter<'a> {
    fn cut(
        wide: Wide,
        gather: bool,
        (forward, backward): (&[RowOp], &[RowOp]),
        buffers: &'a Buffers,
    ) -> (Vec<Segment>, usize) {
        let open = Segment { gather, ..Segment::default() };
        let mut cutter = Self { wide, buffers, done: Vec::new(), open, weights: 0 };
        for (index, op) in forward.iter().enumerate() {
            cutter.make_room(op);
            extend(&mut cutter.open.forward, index);
        }
        cutter.by_rows();
        cutter.open.loss = true;
        for (index, op) in backward.iter().enumerate() {
            cutter.make_room(op);
            extend(&mut cutter.open.backward, index);
        }
        let Self { mut done, open, weights, .. } = cutter;
        done.push(open);
        (done, weights)
    }

    /// Begins another segment if the op does not belong to this one.
    fn make_room(&mut self, op: &RowOp) {
        match *op {
            RowOp::Linear { input, output, .. }
            | RowOp::InputGradient { grad: input, target: output, .. } => {
                let weights = self.buffers.cols(input) * self.buffers.cols(output);
                let panels = self.buffers.cols(output).div_ceil(LANES);
                let wide = match self.wide {
                    Wide::None => false,
                    Wide::Some => weights >= WIDE_WEIGHTS && panels >= WIDE_PANELS,
                    Wide::All => true,
                };
                if !wide {
                    return self.by_rows();
                }
                self.weights += weights;
                self.begin(Segment { panels, ..Segment::default() });
            }
            RowOp::BatchNormalize { input, .. }
            | RowOp::BatchNormalizeGradient { grad: input, .. } => {
                let panels = self.buffers.cols(input).div_ceil(LANES);
                self.begin(Segment { panels, all_rows: true, ..Segment::default() });
            }
            // Its mask is drawn row by row; rows of images are in the lanes.
            RowOp::Dropout { .. } | RowOp::ImageLinear { .. } | RowOp::ImageGradient { .. } => {
                self.by_rows();
            }
            // Rows have to be whole.
            RowOp::Normalize { .. } | RowOp::NormalizeGradient { .. } => self.by_rows(),
            RowOp::Activation { .. }
            | RowOp::Prelu { .. }
            | RowOp::Add { .. }
            | RowOp::ActivationGradient { .. }
            | RowOp::DropoutGradient { .. } => {}
        }
    }

    /// Ends a segment by columns.
    fn by_rows(&mut self) {
        if self.open.panels > 0 {
            self.begin(Segment::default());
        }
    }

    fn begin(&mut self, next: Segment) {
        let ended = std::mem::replace(&mut self.open, next);
        if ended != Segment::default() {
            self.done.push(ended);
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
        self.columns * self.rows.count()
    }

    /// Rows and panels of a tile.
    pub(super) fn tile(self, tile: usize) -> ((usize, usize), Range<usize>) {
        let column = tile / self.rows.count();
        let units = self.panels.div_ceil(UNIT);
        let start = |column: usize| (UNIT * (units * column / self.columns)).min(self.panels);
        (self.rows.range(tile % self.rows.count()), start(column)..start(column + 1))
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
    fn sums_over_the_batch_are_segments_of_their_own() {
        let mut buffers = Buffers::default();
        for cols in [40, 100, 100, 100] {
            buffers.add::<f32>(1000, cols);
        }
        let [x, sums, normal, grad] = [0, 1, 2, 3].map(BufferId);
        let linear = RowOp::Linear { linear: 0, input: x, output: sums };
        let (tracked, affine, eps) = (0, None, 0.0);
        let (input, normalized, output) = (sums, normal, normal);
        let norm = RowOp::BatchNormalize { tracked, affine, eps, input, normalized, output };
        let activation = Activation::Relu;
        let relu = RowOp::Activation { activation, input: normal, output: normal };
        let target = grad;
        let relu_back = RowOp::ActivationGradient { activation, saved: normal, grad, target };
        let norm_back =
            RowOp::BatchNormalizeGradient { tracked, affine, eps, normalized, grad, target };
        let (forward, backward) = ([linear, norm, relu], [relu_back, norm_back]);
        let segments = Segments::new(true, (&forward, &backward), &buffers, false);
        let none = Segment::default();
        let sums = Segment { panels: 7, all_rows: true, ..none.clone() };
        assert_eq!(
            segments.by_rows(),
            [
                Segment { gather: true, forward: 0..1, ..none.clone() },
                // What works element by element joins it.
                Segment { forward: 1..3, ..sums.clone() },
                Segment { loss: true, backward: 0..1, ..none.clone() },
                Segment { backward: 1..2, ..sums.clone() },
            ]
        );
        let chosen = |threads, rows, training| {
            let team = Team::whole(threads);
            let tiles = Tiles::of_rows(team, rows);
            segments.for_team(team, usize::MAX, (tiles, training)).len()
        };
        // One tile of rows is the whole batch; predictions sum over nothing.
        assert_eq!([chosen(1, 256, true), chosen(1, 257, true), chosen(1, 257, false)], [1, 4, 1]);
        assert_eq!([chosen(2, 17, true), chosen(2, 17, false)], [4, 1]);
        for (threads, rows) in [(1, 5000), (2, 100), (16, 5000)] {
            let team = Team::whole(threads);
            let grid = segments.grid(team, &sums, rows, Tiles::of_rows(team, rows));
            for tile in 0..grid.count() {
                assert_eq!(grid.tile(tile).0, (0, rows));
            }
            assert_eq!(grid.count(), threads.min(4));
        }
        let (forward, backward, buffers) = ops();
        let without = Segments::new(true, (&forward, &backward), &buffers, true);
        assert!(without.by_rows().is_empty());
    }

    #[test]
    fn several_threads_go_by_columns_where_weights_are_many() {
        let (forward, backward, buffers) = ops();
        let segments = Segments::new(true, (&forward, &backward), &buffers, false);
        let by_columns = |segments: &Segments, team, elements| {
            let choice = (Tiles::of_rows(team, ROWS), true);
            let chosen = segments.for_team(team, elements, choice);
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
