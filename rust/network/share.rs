//! The row phase in parts, for threads that share wide layers.
//!
//! By rows, each thread goes through the whole network with some of them, and so reads all weights, of
//! which other cores have just updated most; and their updates wait until the lines that it read are
//! theirs again. By columns, a thread makes some of a wide layer's outputs for all rows. Those are the
//! outputs whose weights it updates, so they stay in its cache; what goes from core to core is the
//! activations. Each wide layer is then a part of its own, with a barrier after it.

use std::ops::Range;

use super::batch::Reach;
use super::cost::Tiles;
use super::memory::Buffers;
use super::op::RowOp;
use crate::runtime::Team;
use crate::simd::LANES;

/// Weights and panels of outputs from which a layer is wide: fewer are read faster than a barrier
/// takes.
const WIDE_WEIGHTS: usize = 1 << 14;
const WIDE_PANELS: usize = 4;
/// Panels that go together: what the registers of a product's tile hold, at most.
const UNIT: usize = 2;
/// Nanoseconds of a barrier, the wait for the slowest thread included, and its share of a part at most.
const BARRIER: f64 = 1000.0;
const MOST: f64 = 0.05;

/// All panels of any layer.
pub(super) const ALL: Range<usize> = 0..1 << 40;

/// Some of the row phase's work, in this order, and then a barrier.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Part {
    /// Panels of the columns among which threads are to share; 0 where they share rows.
    pub panels: usize,
    /// Whether it begins with the rows of X.
    pub gather: bool,
    /// Ops of the forward pass.
    pub forward: Range<usize>,
    /// Whether the loss comes next.
    pub loss: bool,
    /// Ops of the way back.
    pub backward: Range<usize>,
}

/// The row phase by columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    list: Vec<Part>,
    /// Weights of the wide layers, as often as they are read.
    weights: usize,
    /// Whether all layers count as wide, and go by columns whatever it costs.
    forced: bool,
}

impl Parts {
    /// Those of a network with these ops.
    pub(super) fn new(
        (forward, backward): (&[RowOp], &[RowOp]),
        buffers: &Buffers,
        forced: bool,
    ) -> Self {
        let mut parts = Self { forced, ..Self::default() };
        let mut part = Part { gather: true, ..Part::default() };
        for (index, op) in forward.iter().enumerate() {
            parts.make_room(&mut part, op, buffers);
            extend(&mut part.forward, index);
        }
        parts.by_rows(&mut part);
        part.loss = true;
        for (index, op) in backward.iter().enumerate() {
            parts.make_room(&mut part, op, buffers);
            extend(&mut part.backward, index);
        }
        parts.list.push(part);
        parts
    }

    /// The parts, if several threads of a team are better off so with rows that have so many elements in
    /// all buffers. At 1.4 times the weights the two ways are as fast (784-128-10 with 128 rows 1.03x,
    /// 1024 x 4 with 1024 rows 0.92 to 1.02x).
    pub(super) fn for_team(&self, team: Team, elements: usize) -> Option<&[Part]> {
        let barriers = BARRIER * (self.list.len() as f64 - 1.0);
        let paid = barriers * team.threads() as f64 <= MOST * team.nanoseconds();
        let pays = team.threads() > 1 && paid && self.weights >= elements;
        (pays || self.forced).then_some(&self.list)
    }

    /// The tiles of a part by columns.
    pub(super) fn grid(&self, team: Team, panels: usize, rows: usize) -> Grid {
        let units = panels.div_ceil(UNIT);
        let shares = if self.forced { units } else { team.threads() };
        let columns = units.min(shares);
        Grid { panels, columns, rows: Tiles::equal(rows, shares.div_ceil(columns)) }
    }

    /// Begins another part if the op does not belong to this one.
    fn make_room(&mut self, part: &mut Part, op: &RowOp, buffers: &Buffers) {
        match *op {
            RowOp::Linear { input, output, .. }
            | RowOp::InputGradient { grad: input, target: output, .. } => {
                let weights = buffers.cols(input) * buffers.cols(output);
                let panels = buffers.cols(output).div_ceil(LANES);
                let wide = weights >= WIDE_WEIGHTS && panels >= WIDE_PANELS;
                if !wide && !self.forced {
                    return self.by_rows(part);
                }
                self.weights += weights;
                self.list.push(std::mem::replace(part, Part { panels, ..Part::default() }));
            }
            // Its mask is drawn row by row; rows of images are in the lanes.
            RowOp::Dropout { .. } | RowOp::ImageLinear { .. } | RowOp::ImageGradient { .. } => {
                self.by_rows(part);
            }
            // Rows have to be whole.
            RowOp::Normalize { .. } | RowOp::NormalizeGradient { .. } => self.by_rows(part),
            RowOp::Activation { .. }
            | RowOp::Add { .. }
            | RowOp::ActivationGradient { .. }
            | RowOp::DropoutGradient { .. } => {}
        }
    }

    fn by_rows(&mut self, part: &mut Part) {
        if part.panels > 0 {
            self.list.push(std::mem::take(part));
        }
    }
}

/// One more op for a part.
fn extend(ops: &mut Range<usize>, index: usize) {
    let start = if ops.start == ops.end { index } else { ops.start };
    *ops = start..index + 1;
}

impl Part {
    /// Everything, by rows; what comes before the ops may have gathered X.
    pub(super) fn whole(gather: bool, forward: usize, backward: usize) -> Self {
        Self { panels: 0, gather, forward: 0..forward, loss: true, backward: 0..backward }
    }

    /// Whether a pass that goes so far has something to do here.
    pub(super) fn is_reached(&self, reach: Reach) -> bool {
        let forward = self.gather || self.forward.start < self.forward.end;
        match reach {
            Reach::Outputs => forward,
            Reach::Loss => forward || self.loss,
            Reach::Gradients => true,
        }
    }
}

/// Tiles of a part: equal shares of the rows, or of the panels, and of the rows too where those are
/// too few for the threads.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    panels: usize,
    columns: usize,
    rows: Tiles,
}

impl Grid {
    /// All panels of some rows.
    pub(super) fn by_rows(rows: Tiles) -> Self {
        Self { panels: ALL.end, columns: 1, rows }
    }

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
    fn wide_layers_are_parts_of_their_own() {
        let (forward, backward, buffers) = ops();
        let parts = Parts::new((&forward, &backward), &buffers, false);
        let none = Part::default();
        assert_eq!(
            parts.list,
            [
                Part { gather: true, ..none.clone() },
                Part { panels: 32, forward: 0..2, ..none.clone() },
                Part { panels: 16, forward: 2..4, ..none.clone() },
                Part { forward: 4..5, loss: true, backward: 0..2, ..none.clone() },
                Part { panels: 32, backward: 2..4, ..none },
            ]
        );
        assert_eq!(parts.weights, 784 * 512 + 2 * 512 * 256);
        let forced = Parts::new((&forward, &backward), &buffers, true);
        let panels: Vec<_> = forced.list.iter().map(|part| part.panels).collect();
        assert_eq!(panels, [0, 32, 16, 1, 0, 16, 32]);
    }

    #[test]
    fn several_threads_go_by_columns_where_weights_are_many() {
        let (forward, backward, buffers) = ops();
        let parts = Parts::new((&forward, &backward), &buffers, false);
        let most = parts.weights;
        assert!(parts.for_team(Team::whole(2), most).is_some());
        assert!(parts.for_team(Team::whole(1), most).is_none());
        assert!(parts.for_team(Team::whole(2), most + 1).is_none());
        assert!(parts.for_team(Team::for_cost(2, 1e5), most).is_none(), "4 barriers");
        let forced = Parts::new((&forward, &backward), &buffers, true);
        assert!(forced.for_team(Team::whole(1), usize::MAX).is_some());
    }

    #[test]
    fn tiles_by_columns_cover_all_once() {
        for forced in [false, true] {
            let parts = Parts { forced, ..Parts::default() };
            for (threads, panels, rows) in
                [(1, 1, 1), (2, 4, 100), (3, 7, 17), (16, 5, 128), (7, 64, 3), (16, 3, 20)]
            {
                let grid = parts.grid(Team::whole(threads), panels, rows);
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
