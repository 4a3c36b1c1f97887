//! The order of the rows in an epoch.

use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::kernels::gather::RowOrder;
use crate::kernels::random::{Mt19937, permutation};
use crate::runtime::{lock, memory};

/// Where the orders of epochs come from.
#[derive(Clone, Debug)]
pub enum Order {
    /// Rows keep the one that they have.
    Kept,
    /// From seed and epoch. A batch of all rows is not shuffled: its sums would only be rounded in another
    /// order.
    Seeded,
    /// Each epoch shuffles the order of the one before, also that of one batch, with a generator that others
    /// may draw from between runs.
    Legacy(Arc<Mutex<Mt19937>>),
    /// The caller gives them: see [`Sampler::give`].
    Given,
}

/// Cuts an epoch into batches.
#[derive(Debug)]
pub struct Sampler {
    rows: usize,
    batch: usize,
    /// The rows that take part; empty if all do.
    among: Vec<u32>,
    from: Order,
    /// The rows of the present epoch; empty where they keep their order.
    order: Vec<u32>,
}

impl Sampler {
    /// Batches of `batch` rows, the last one perhaps shorter.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for the permutation, `Error::Value` if the rows are more
    /// than 32 bits count.
    pub fn new(rows: usize, batch: usize, from: Order) -> Result<Self> {
        Self::of(rows, batch, from, Vec::new())
    }

    /// The same, of these rows alone: an epoch's order is a permutation of their list.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn among(list: Vec<u32>, batch: usize, from: Order) -> Result<Self> {
        Self::of(list.len(), batch, from, list)
    }

    fn of(rows: usize, batch: usize, from: Order, among: Vec<u32>) -> Result<Self> {
        let mut order = Vec::new();
        let shuffled = match from {
            Order::Kept => false,
            Order::Seeded => batch < rows,
            Order::Legacy(_) | Order::Given => true,
        };
        if shuffled {
            let count = u32::try_from(rows).map_err(|_| {
                Error::Value(format!("X has {rows} rows, at most 2^32 - 1 can be shuffled"))
            })?;
            order = memory::vector(rows)?;
            match among.is_empty() {
                true => order.extend(0..count),
                false => order.extend_from_slice(&among),
            }
        }
        Ok(Self { rows, batch, among, from, order })
    }

    /// Batches of an epoch.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.rows.div_ceil(self.batch)
    }

    /// Whether all epochs have the rows in one order.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.order.is_empty()
    }

    /// Makes the order of an epoch.
    ///
    /// # Errors
    /// `Error::Busy` if another thread draws from the generator, `Error::Memory`.
    pub fn begin(&mut self, seed: u64, epoch: u64) -> Result<()> {
        match &self.from {
            Order::Kept | Order::Given => {}
            Order::Seeded if self.order.is_empty() => {}
            Order::Seeded => {
                permutation(seed, epoch, &mut self.order);
                if !self.among.is_empty() {
                    for row in &mut self.order {
                        *row = self.among[*row as usize];
                    }
                }
            }
            Order::Legacy(generator) => {
                let busy = "another thread draws from this run's generator";
                lock::take_now(generator, busy)?.shuffle_by_places(&mut self.order)?;
            }
        }
        Ok(())
    }

    /// Takes the order of the epochs from the next on: places in the list of rows that take part.
    ///
    /// # Errors
    /// `Error::Value` if the run makes its own, or if these are not as many places as rows.
    pub fn give(&mut self, places: &[i64]) -> Result<()> {
        if !matches!(self.from, Order::Given) {
            return Err(Error::Value("the run has an order of its own".into()));
        }
        if places.len() != self.rows {
            let (given, rows) = (places.len(), self.rows);
            return Err(Error::Value(format!("order has {given} places, the run has {rows} rows")));
        }
        let out = |place: &&i64| usize::try_from(**place).map_or(true, |place| place >= self.rows);
        if let Some(place) = places.iter().find(out) {
            let rows = self.rows;
            return Err(Error::Value(format!("order has place {place}, the run has {rows} rows")));
        }
        for (row, &place) in self.order.iter_mut().zip(places) {
            *row = match self.among.is_empty() {
                true => place as u32,
                false => self.among[place as usize],
            };
        }
        Ok(())
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
