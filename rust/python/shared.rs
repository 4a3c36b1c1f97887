//! What a model of one element type has, and what its runs and predictors share with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use super::access::Access;
use super::array::Float;
use super::data::{Inputs, finite_for};
use super::entry::compute;
use super::plans::Plans;
use super::route::{Key, Route};
use super::samples::Samples;
use crate::error::Result;
use crate::kernels::gather::RowOrder;
use crate::network::{
    Batch, Head, LearningRate, Plan, Spec, Standards, State, Statistics, StepLoss, Targets, Task,
    Workspace,
};
use crate::runtime::{memory, threads};
use crate::simd::Isa;
use crate::training::Data;

/// A model.
pub struct Typed<T: Float> {
    pub plans: Arc<Plans<T>>,
    pub access: Access<State<T>>,
    pub n_threads: Option<usize>,
    /// Of [`Route`]: 0 is `Auto`, 1 `Unfused`, 2 `General`, 3 `Columns`, others the rows of `Slabs`.
    route: AtomicUsize,
}

impl<T: Float> Typed<T> {
    /// A model with initial values from `seed`, which are made without the GIL.
    pub fn new(
        py: Python<'_>,
        spec: Spec,
        rate: &LearningRate,
        seed: u64,
        n_threads: Option<usize>,
    ) -> Result<Self> {
        let isa = Isa::chosen()?;
        compute(py, || {
            let mut state = State::new(&spec, 0.0, seed, isa)?;
            state.follow(rate, false, isa);
            Ok(Self::of(Plans::shared(spec, isa)?, state, n_threads))
        })
    }

    pub fn of(plans: Arc<Plans<T>>, state: State<T>, n_threads: Option<usize>) -> Self {
        let access = Access::new(state);
        Self { plans, access, n_threads, route: AtomicUsize::new(0) }
    }

    /// The most threads of a call by the calling thread.
    pub fn threads(&self) -> Result<usize> {
        Ok(threads::capped(self.n_threads.map_or_else(threads::num_threads, Ok)?))
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

    /// Everything that a loss needs, checked but for the finiteness of X.
    pub fn data<'a>(&self, inputs: &'a Inputs, state: &State<T>) -> Result<Data<'a, T>> {
        let standards = self.standards_for(state, &inputs.x)?.cloned();
        let y = standards.as_ref().and_then(|standards| standards.y.as_ref());
        Ok(Data {
            source: inputs.x.source(),
            targets: inputs.targets(&self.plans.spec, self.plans.isa, y)?,
            weights: inputs.weights()?,
            standards,
            copied: None,
        })
    }

    /// As `data`, of a model that has a loss; X is finite.
    pub fn finite_data<'a>(
        &self,
        threads: usize,
        inputs: &'a Inputs,
        state: &State<T>,
    ) -> Result<Data<'a, T>> {
        let data = self.data(inputs, state)?;
        finite_for::<T>(self.plans.isa, threads, &inputs.x, data.standards.as_deref())?;
        Ok(data)
    }

    /// The loss and the gradients of a batch, and with `input_grad` the one with respect to X. With
    /// `penalized` gradients have the penalty on weights, which is given with the loss.
    pub fn gradients(
        &self,
        state: &State<T>,
        (plan, workspace): (&Plan<T>, &mut Workspace<T>),
        batch: &Batch<'_, T>,
        head: (Head<'_, T>, bool),
        (input_grad, penalized): (bool, bool),
    ) -> Result<Found<T>> {
        let (threads, rows) = (self.threads()?, batch.rows);
        let mut by_input = match input_grad {
            true => Some(memory::filled(T::ZERO, rows.saturating_mul(batch.source.cols()))?),
            false => None,
        };
        let mut loss = match &mut by_input {
            Some(by_input) => {
                plan.gradients_by_input(threads, state, workspace, batch, head, by_input)
            }
            None => plan.gradients(threads, state, workspace, batch, head.0, head.1),
        }?;
        if penalized {
            loss.penalty = plan.penalize(threads, state, workspace, batch)?;
        }
        let gradients = state.layout.export(workspace.gradient())?;
        let statistics = match head.1 && loss.is_finite() {
            true => workspace.take_statistics().filter(|_| are_finite(&gradients)),
            false => None,
        };
        Ok(Found { loss, gradients, by_input, statistics })
    }

    /// Which plan a call for X takes, in training or not.
    pub fn key(&self, task: Task, x: &Samples, training: bool) -> Key {
        let rows = x.source().rows();
        let key = Key::new(task, (rows, x.image()), self.route());
        if training { self.training_key(key, rows) } else { key }
    }

    /// The same in training on batches of so many rows.
    pub fn training_key(&self, key: Key, rows: usize) -> Key {
        match self.plans.spec.tracked().next() {
            Some(_) => key.of_one_slab(rows),
            None => key,
        }
    }
}

/// What a pass over a batch has found.
pub struct Found<T> {
    pub loss: StepLoss,
    pub gradients: Tensors<T>,
    /// The gradient with respect to X, if it was wanted.
    pub by_input: Option<Vec<T>>,
    /// What running statistics are to move towards: none where there are none, or no step could be made.
    pub statistics: Option<Statistics>,
}

fn are_finite<T: Float>(tensors: &Tensors<T>) -> bool {
    tensors.iter().all(|tensor| tensor.iter().all(|value| value.is_finite()))
}

/// Tensors in canonical order, each row-major.
pub type Tensors<T> = Vec<Vec<T>>;

/// X alone as a batch.
pub fn batch<'a, T>(x: &'a Samples, standards: Option<&'a Arc<Standards>>) -> Batch<'a, T> {
    let (source, order) = (x.source(), RowOrder::From(0));
    let standards = standards.map(|standards| &**standards);
    let rows = source.rows();
    Batch { source, order, rows, targets: Targets::None, weights: None, standards }
}
