//! X, targets and weights.

use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{RowOrder, Source};
use crate::kernels::loss::RowWeights;
use crate::network::{Batch, Targets};

/// Targets of all rows.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedTargets<T> {
    /// The caller computes the loss.
    None,
    /// A class for each row; a negative one is ignored.
    Classes(Vec<i32>),
    /// Row-major, as many columns as the network has outputs.
    Values(Vec<T>),
}

/// The data of a run or a call: X where it lies, copies of targets and weights.
#[derive(Debug)]
pub struct Data<'x, T> {
    /// X.
    pub source: Source<'x>,
    /// Targets of all rows.
    pub targets: OwnedTargets<T>,
    /// Weights of all rows.
    pub weights: Option<RowWeights>,
}

impl<T: Elementary> Data<'_, T> {
    /// Rows of X.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.source.rows()
    }

    /// Rows of the data as a batch.
    #[must_use]
    pub fn batch<'a>(&'a self, order: RowOrder<'a>, rows: usize) -> Batch<'a, T> {
        Batch {
            source: self.source,
            order,
            rows,
            targets: match &self.targets {
                OwnedTargets::None => Targets::None,
                OwnedTargets::Classes(classes) => Targets::Classes(classes),
                OwnedTargets::Values(values) => Targets::Values(values),
            },
            weights: self.weights.as_ref(),
        }
    }

    /// All rows as one batch.
    #[must_use]
    pub fn all(&self) -> Batch<'_, T> {
        self.batch(RowOrder::From(0), self.rows())
    }
}
