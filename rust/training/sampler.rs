//! The order of the rows in an epoch.

use crate::error::{Error, Result};
use crate::kernels::gather::RowOrder;
use crate::kernels::random::permutation;
use crate::runtime::memory;

/// Cuts an epoch into batches.
///
/// A batch of all rows is never shuffled: its sums would only be rounded in another order.
#[derive(Debug)]
pub struct Sampler {
    rows: usize,
    batch: usize,
    /// The rows that take part; empty if all do.
    among: Vec<u32>,
    /// The permutation of the present epoch; empty where rows keep their order.
    order: Vec<u32>,
}

impl Sampler {
    /// Batches of `batch` rows, the last one perhaps shorter.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for the permutation, `Error::Value` if the rows are more
    /// than 32 bits count.
    pub fn new(rows: usize, batch: usize, shuffle: bool) -> Result<Self> {
        Self::of(rows, batch, shuffle, Vec::new())
    }

    /// The same, of these rows alone: an epoch's order is a permutation of their list.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn among(list: Vec<u32>, batch: usize, shuffle: bool) -> Result<Self> {
        Self::of(list.len(), batch, shuffle, list)
    }

    fn of(rows: usize, batch: usize, shuffle: bool, among: Vec<u32>) -> Result<Self> {
        let mut order = Vec::new();
        if shuffle && batch < rows {
            let count = u32::try_from(rows).map_err(|_| {
                Error::Value(format!("X has {rows} rows, at most 2^32 - 1 can be shuffled"))
            })?;
            order = memory::vector(rows)?;
            order.extend(0..count);
        }
        Ok(Self { rows, batch, among, order })
    }

    /// Batches of an epoch.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.rows.div_ceil(self.batch)
    }

    /// Draws the order of an epoch.
    pub fn begin(&mut self, seed: u64, epoch: u64) {
        if self.order.is_empty() {
            return;
        }
        permutation(seed, epoch, &mut self.order);
        if !self.among.is_empty() {
            for row in &mut self.order {
                *row = self.among[*row as usize];
            }
        }
    }

    /// The rows of a batch, and how many they are.
    #[must_use]
    pub fn batch(&self, index: usize) -> (RowOrder<'_>, usize) {
        let start = index * self.batch;
        let left = self.rows - start;
        let rows = if left < self.batch { left } else { self.batch };
        let list = if self.order.is_empty() { &self.among } else { &self.order };
        if list.is_empty() {
            (RowOrder::From(start), rows)
        } else {
            (RowOrder::List(&list[start..start + rows]), rows)
        }
    }
}
