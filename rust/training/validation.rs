//! What rows that do not train say of the network at the end of epochs.
//!
//! A forward pass reads the state and changes nothing: no bit of the training depends on it.

use std::sync::Arc;

use super::data::Data;
use super::score::{Score, evaluate};
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::RowOrder;
use crate::network::{Plan, State, Workspace};
use crate::runtime::{memory, watch};
use crate::simd::Isa;

/// Which rows validate.
#[derive(Debug)]
pub enum Watched<'x, T> {
    /// All rows of data of their own.
    Data(Data<'x, T>),
    /// These of the rows of the training's data, which no batch has.
    HeldOut(Vec<u32>),
}

impl<T: Elementary> Watched<'_, T> {
    /// How many.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Data(data) => data.rows(),
            Self::HeldOut(rows) => rows.len(),
        }
    }
}

/// A number of each finished epoch; NaN where none was found.
#[derive(Debug)]
pub struct Column {
    /// What Python calls it, after "val_".
    pub name: &'static str,
    /// As many as epochs.
    pub values: Vec<f64>,
}

/// The loss, if the plan computes one, and the score, if there is one.
pub type Columns = [Option<Column>; 2];

/// The validation of a run: its rows, and what was found.
pub struct Validation<'x, T: Elementary> {
    isa: Isa,
    /// Of `Task::Forward`.
    plan: Arc<Plan<T>>,
    workspace: Workspace<T>,
    watched: Watched<'x, T>,
    /// Epochs that are a multiple of this are due, counted from the model's birth.
    every: u64,
    score: Option<Score>,
    columns: Columns,
    /// Of the last epoch that was due, row-major.
    outputs: Vec<T>,
    /// Whether to end early: many rows take longer than a step.
    look: watch::Look,
    /// What is validated in place of a state that keeps an average of its parameters.
    averaged: Option<State<T>>,
}

impl<'x, T: Elementary> Validation<'x, T> {
    /// A validation after each `every`th epoch, of what is computed by `plan`; `look` says whether to end
    /// early.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for the outputs.
    pub fn new(
        isa: Isa,
        plan: Arc<Plan<T>>,
        workspace: Workspace<T>,
        watched: Watched<'x, T>,
        every: u64,
        (loss, score): (bool, Option<Score>),
        look: watch::Look,
    ) -> Result<Self> {
        let outputs = memory::filled(T::ZERO, watched.rows().saturating_mul(plan.outputs()))?;
        Ok(Self {
            isa,
            plan,
            workspace,
            watched,
            every,
            score,
            columns: [loss.then_some("loss"), score.map(Score::name)].map(column),
            outputs,
            look,
            averaged: None,
        })
    }

    /// Epochs from here to the end of the next that is due, at least one.
    pub(super) fn until_due(&self, epoch: u64) -> u64 {
        self.every - epoch % self.every
    }

    /// Notes that the run has finished `epochs` epochs, and validates if the state's last one was due.
    /// Gives an estimate of the floating-point operations that it took. If it ends early, the epoch has
    /// no numbers.
    ///
    /// # Errors
    /// `Error::Memory`, `Error::Interrupted`, and `Error::Internal` if a tile panicked.
    ///
    /// # Panics
    /// If rows are held out and there is no data that is `trained` on.
    pub fn end_epoch(
        &mut self,
        threads: usize,
        state: &State<T>,
        trained: Option<&Data<'x, T>>,
        epochs: usize,
    ) -> Result<f64> {
        for Column { values, .. } in self.columns.iter_mut().flatten() {
            memory::reserve(values, epochs - values.len())?;
            values.resize(epochs, f64::NAN);
        }
        if !state.epoch.is_multiple_of(self.every) {
            return Ok(0.0);
        }
        let rows = self.watched.rows();
        let batch = match &self.watched {
            Watched::Data(data) => data.all(),
            Watched::HeldOut(list) => {
                trained.expect("the data of a run").batch(RowOrder::List(list), rows)
            }
        };
        if self.averaged.is_none() {
            self.averaged = state.averaged()?;
        }
        let state = match &mut self.averaged {
            Some(averaged) => {
                averaged.take_average(state);
                &*averaged
            }
            None => state,
        };
        let (plan, workspace, outputs) = (&self.plan, &mut self.workspace, &mut self.outputs);
        let (isa, score, has_loss) = (self.isa, self.score, self.columns[0].is_some());
        let found = watch::watched(self.look, || {
            if has_loss {
                return evaluate(plan, isa, threads, state, workspace, &batch, score, outputs);
            }
            plan.forward(threads, state, workspace, &batch, false, outputs)?;
            Ok((f64::NAN, f64::NAN))
        })?;
        let found = [found.0, found.1];
        for (column, number) in self.columns.iter_mut().zip(found) {
            if let Some(Column { values, .. }) = column {
                values[epochs - 1] = number;
            }
        }
        Ok(self.plan.step_flops(rows) / 3.0)
    }

    /// What was found so far.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Columns of the outputs.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.plan.outputs()
    }

    /// The outputs of the last epoch that was due, row-major.
    #[must_use]
    pub fn outputs(&self) -> &[T] {
        &self.outputs
    }

    /// The memory of a step, for the next call, and what was found.
    #[must_use]
    pub fn into_parts(self) -> (Workspace<T>, Columns) {
        (self.workspace, self.columns)
    }
}

fn column(name: Option<&'static str>) -> Option<Column> {
    name.map(|name| Column { name, values: Vec::new() })
}
