//! What a model of one element type has, and what its runs and predictors share with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use super::access::Access;
use super::array::Float;
use super::entry::compute;
use super::plans::Plans;
use super::route::{Key, Route};
use super::samples::Samples;
use crate::error::Result;
use crate::kernels::gather::RowOrder;
use crate::network::{Batch, Spec, State, Targets, Task};
use crate::runtime::threads;
use crate::simd::Isa;

/// A model.
pub struct Typed<T: Float> {
    pub plans: Arc<Plans<T>>,
    pub access: Access<State<T>>,
    pub first_learning_rate: f64,
    pub n_threads: Option<usize>,
    /// Of [`Route`]: 0 is `Auto`, 1 `Unfused`, 2 `General`, 3 `Columns`, others the rows of `Slabs`.
    route: AtomicUsize,
}

impl<T: Float> Typed<T> {
    /// A model with initial values from `seed`, which are made without the GIL.
    pub fn new(
        py: Python<'_>,
        spec: Spec,
        learning_rate: f64,
        seed: u64,
        n_threads: Option<usize>,
    ) -> Result<Self> {
        let isa = Isa::chosen()?;
        compute(py, || {
            let state = State::new(&spec, learning_rate, seed, isa)?;
            Ok(Self::of(Plans::shared(spec, isa)?, state, learning_rate, n_threads))
        })
    }

    pub fn of(
        plans: Arc<Plans<T>>,
        state: State<T>,
        first_learning_rate: f64,
        n_threads: Option<usize>,
    ) -> Self {
        let access = Access::new(state);
        Self { plans, access, first_learning_rate, n_threads, route: AtomicUsize::new(0) }
    }

    /// The most threads of a call.
    pub fn threads(&self) -> Result<usize> {
        self.n_threads.map_or_else(threads::num_threads, Ok)
    }

    pub fn route(&self) -> Route {
        match self.route.load(Ordering::Relaxed) {
            0 => Route::Auto,
            1 => Route::Unfused,
            2 => Route::General,
            3 => Route::Columns,
            rows => Route::Slabs(rows),
        }
    }

    /// Takes this route from the next call on.
    pub fn take_route(&self, route: Route) {
        let number = match route {
            Route::Auto => 0,
            Route::Unfused => 1,
            Route::General => 2,
            Route::Columns => 3,
            Route::Slabs(rows) => rows,
        };
        self.route.store(number, Ordering::Relaxed);
    }

    /// Which plan a call for X takes.
    pub fn key(&self, task: Task, x: &Samples) -> Key {
        Key::new(task, (x.source().rows(), x.image()), self.route())
    }
}

/// X alone as a batch.
pub fn batch<'a, T>(x: &'a Samples) -> Batch<'a, T> {
    let source = x.source();
    let rows = source.rows();
    Batch { source, order: RowOrder::From(0), rows, targets: Targets::None, weights: None }
}
