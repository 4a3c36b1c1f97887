//! What one running thread needs besides the state: activations, deltas, the batch's labels.

use super::op::{BufferId, view};
use super::parameters::Layout;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::{Panels, Span};
use crate::runtime::{Arena, Pace, Plain};
use crate::simd::LANES;

/// A matrix of a workspace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffer {
    pub at: usize,
    pub rows: usize,
    pub cols: usize,
    pub stride: usize,
}

/// The matrices of a workspace, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    list: Vec<Buffer>,
    len: usize,
}

impl Buffers {
    /// One more matrix.
    pub(super) fn add<T: Elementary>(&mut self, rows: usize, cols: usize) -> BufferId {
        let stride = Panels::<T>::padded_stride(rows, size_of::<T>());
        self.list.push(Buffer { at: self.len, rows, cols, stride });
        self.len += Panels::<T>::buffer_len(cols, stride);
        BufferId(self.list.len() - 1)
    }

    pub(super) fn cols(&self, buffer: BufferId) -> usize {
        self.list[buffer.0].cols
    }

    /// Columns of all matrices.
    pub(super) fn all_cols(&self) -> usize {
        self.list.iter().map(|buffer| buffer.cols).sum()
    }
}

/// The memory of one running step; made for a plan and a largest batch.
#[derive(Debug)]
pub struct Workspace<T: Elementary> {
    buffers: Vec<Buffer>,
    memory: Arena<T>,
    row_loss: Arena<f64>,
    classes: Arena<i32>,
    weights: Arena<T>,
    /// Gradients of finished slabs on their way through the tree of N2; the first is the result.
    pub(super) gradients: Vec<Arena<T>>,
    /// How training steps here go best.
    pub(super) pace: Pace,
    batch_rows: usize,
}

impl<T: Elementary> Workspace<T> {
    pub(super) fn new(buffers: &Buffers, batch_rows: usize) -> Result<Self> {
        let rows = batch_rows.next_multiple_of(LANES);
        Ok(Self {
            buffers: buffers.list.clone(),
            memory: Arena::zeroed(buffers.len)?,
            row_loss: Arena::zeroed(rows)?,
            classes: Arena::zeroed(rows)?,
            weights: Arena::zeroed(rows)?,
            gradients: Vec::new(),
            pace: Pace::default(),
            batch_rows,
        })
    }

    /// The largest batch that it takes.
    #[must_use]
    pub fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    /// A matrix.
    #[inline]
    pub(super) fn buffer(&self, id: BufferId) -> Panels<T> {
        let Buffer { at, rows, cols, stride } = self.buffers[id.0];
        view(&self.memory, at, rows, cols, stride)
    }

    /// The loss of each row of the batch.
    pub(super) fn row_loss(&self) -> Span<f64> {
        whole(&self.row_loss)
    }

    /// The class of each row of the batch.
    pub(super) fn classes(&self) -> Span<i32> {
        whole(&self.classes)
    }

    /// The weight of each row of the batch.
    pub(super) fn weights(&self) -> Span<T> {
        whole(&self.weights)
    }

    /// The gradient that [`super::Plan::gradients`] left, in the layout of the parameters.
    ///
    /// # Panics
    /// If none was computed yet.
    #[must_use]
    pub fn gradient(&self) -> &Arena<T> {
        &self.gradients[0]
    }

    /// Makes sure of `count` buffers for gradients.
    pub(super) fn reserve_gradients(&mut self, layout: &Layout, count: usize) -> Result<()> {
        while self.gradients.len() < count {
            self.gradients.push(layout.buffer()?);
        }
        Ok(())
    }
}

fn whole<U: Plain>(arena: &Arena<U>) -> Span<U> {
    view(arena, 0, 1, arena.len(), LANES).flat()
}
