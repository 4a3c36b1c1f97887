//! X, targets and weights.

use std::sync::Arc;

use super::tuning::COPIED;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{RowOrder, Source};
use crate::kernels::loss::RowWeights;
use crate::kernels::standard::Standardizer;
use crate::network::{Batch, Standards, Targets};
use crate::simd::Isa;

/// Targets of all rows.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedTargets<T> {
    /// The caller computes the loss.
    None,
    /// A class for each row; a negative one is ignored.
    Classes(Vec<i32>),
    /// Row-major, as many columns as the spec's [`targets`](crate::network::Spec::targets).
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
    /// What the rows, where they are still to be, and the targets are standardized by.
    pub standards: Option<Arc<Standards>>,
    /// The rows once more, as the first layer takes them.
    pub copied: Option<Vec<T>>,
}

impl<T: Elementary> Data<'_, T> {
    /// Rows of X.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.source.rows()
    }

    /// The same with all rows standardized beforehand, if they are few: the next epochs find them so. They
    /// are what each batch would get.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for a copy of y's mean and deviation, `Error::Interrupted`.
    pub fn standardized(self, isa: Isa) -> Result<Self> {
        let bytes = self.source.rows().saturating_mul(self.source.cols() * size_of::<T>());
        let Some(standards) = self.standards.as_deref().filter(|_| bytes <= COPIED) else {
            return Ok(self);
        };
        let Some(x) = &standards.x else { return Ok(self) };
        let copied = Some(x.copy_all(isa, self.source)?);
        let y = standards.y.as_ref().map(Standardizer::duplicate).transpose()?;
        Ok(Self { copied, standards: Some(Arc::new(Standards { x: None, y })), ..self })
    }

    /// Rows of the data as a batch.
    #[must_use]
    pub fn batch<'a>(&'a self, order: RowOrder<'a>, rows: usize) -> Batch<'a, T> {
        Batch {
            source: match &self.copied {
                Some(values) => Source::of_slice(values, self.source.cols()),
                None => self.source,
            },
            order,
            rows,
            targets: match &self.targets {
                OwnedTargets::None => Targets::None,
                OwnedTargets::Classes(classes) => Targets::Classes(classes),
                OwnedTargets::Values(values) => Targets::Values(values),
            },
            weights: self.weights.as_ref(),
            standards: self.standards.as_deref(),
        }
    }

    /// All rows as one batch.
    #[must_use]
    pub fn all(&self) -> Batch<'_, T> {
        self.batch(RowOrder::From(0), self.rows())
    }
}
