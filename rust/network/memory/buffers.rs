//! The matrices between two ops: which there are, and where they lie in memory.

use super::view::view;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::panels::Panels;
use crate::runtime::{Arena, memory};
use crate::simd::LANES;

/// Which buffer of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferId(pub usize);

/// A matrix of a workspace.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Buffer {
    at: usize,
    rows: usize,
    cols: usize,
    stride: usize,
}

/// The matrices of a workspace, one after the other. Where they are more than memory can hold, their
/// length stays the largest there is, which no memory has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::network) struct Buffers {
    list: Vec<Buffer>,
    len: usize,
}

impl Buffers {
    /// One more matrix.
    pub(in crate::network) fn add<T: Elementary>(&mut self, rows: usize, cols: usize) -> BufferId {
        self.add_of_size(rows, cols, size_of::<T>())
    }

    /// One more matrix, of elements of `size` bytes.
    pub(in crate::network) fn add_of_size(
        &mut self,
        rows: usize,
        cols: usize,
        size: usize,
    ) -> BufferId {
        let stride = Panels::<u8>::padded_stride(rows, size);
        let at = self.reserve(Panels::<u8>::buffer_len(cols, stride));
        self.list.push(Buffer { at, rows, cols, stride });
        BufferId(self.list.len() - 1)
    }

    /// Room for `len` elements more, for whoever lays them out: where it begins.
    pub(in crate::network) fn reserve(&mut self, len: usize) -> usize {
        let at = self.len;
        self.len = self.len.saturating_add(len);
        at
    }

    pub(in crate::network) fn cols(&self, buffer: BufferId) -> usize {
        self.list[buffer.0].cols
    }

    /// A matrix in memory that these were laid out for.
    pub(in crate::network) fn view<T: Elementary>(
        &self,
        memory: &Arena<T>,
        id: BufferId,
    ) -> Panels<T> {
        let Buffer { at, rows, cols, stride } = self.list[id.0];
        view(memory, at, rows, cols, stride)
    }

    /// Memory for one of each.
    pub(in crate::network) fn memory<T: Elementary>(&self) -> Result<Arena<T>> {
        match self.len.checked_next_multiple_of(LANES) {
            Some(len) => Arena::zeroed(len),
            None => Err(memory::refusal(usize::MAX)),
        }
    }

    /// Elements of the memory for one of each.
    pub(in crate::network) fn elements(&self) -> usize {
        self.len
    }

    /// Bytes of the list.
    pub(in crate::network) fn bytes(&self) -> usize {
        size_of_val(&self.list[..])
    }

    /// Columns of all matrices.
    pub(in crate::network) fn all_cols(&self) -> usize {
        self.list.iter().map(|buffer| buffer.cols).sum()
    }
}
