//! From a fit's arguments to the [`Validation`] of its run.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::array::{Float, Held, View};
use super::data::Inputs;
use super::entry::{compute, entry, signalled};
use super::output::array;
use super::plans::Plans;
use super::route::Key;
use super::samples::Samples;
use super::shared::Typed;
use crate::error::{Error, Result};
use crate::kernels::gather::{Source, to_i64};
use crate::kernels::images::ImageShape;
use crate::kernels::loss::RowWeights;
use crate::kernels::random;
use crate::network::{Spec, Standards, Task};
use crate::runtime::memory;
use crate::training::{Data, OwnedTargets, Score, Validation, Watched};

type Any<'py> = Bound<'py, PyAny>;

/// Rows, after which epochs, and whether a score is computed: see `Model.fit`.
pub type Given<'py> = (Bound<'py, PyTuple>, u64, bool);

/// What validates, as it came.
pub struct Watching {
    rows: Rows,
    every: u64,
    score: bool,
}

enum Rows {
    Data(Inputs),
    Split { trained: View, held_out: View },
}

impl Watching {
    pub fn new(spec: &Spec, given: Option<Given<'_>>) -> PyResult<Option<Self>> {
        let Some((rows, every, score)) = given else { return Ok(None) };
        if every == 0 {
            return Err(Error::Value("validation is due every 0 epochs".into()).into());
        }
        let rows = if rows.len() == 2 {
            let (trained, held_out): (Any<'_>, Any<'_>) = rows.extract()?;
            let trained = View::matrix("trained", &trained)?;
            Rows::Split { trained, held_out: View::matrix("held_out", &held_out)? }
        } else {
            let (x, targets, weights): (Any<'_>, Option<Any<'_>>, Option<Any<'_>>) =
                rows.extract()?;
            Rows::Data(Inputs::new(spec, &x, targets.as_ref(), weights.as_ref())?)
        };
        Ok(Some(Self { rows, every, score }))
    }

    /// The validation of a run that has no rows of X, and the key of its plan.
    pub fn held<T: Float>(
        self,
        py: Python<'_>,
        model: &Typed<T>,
        check_finite: bool,
    ) -> PyResult<(Key, Held<Validation<'static, T>>)> {
        let (prepared, x) = self.prepare(py, model, (0, None), check_finite)?;
        let Some(x) = x else {
            return Err(Error::Value("a stream has no rows to split".into()).into());
        };
        let key = prepared.key;
        let held = x.hold(py, None, |source, _| {
            let plans = &model.plans;
            Ok(compute(py, || prepared.validation(plans, Some(source)))?)
        })?;
        Ok((key, held))
    }

    /// Checks it and copies what is short, for a run with so many rows of X, which are images of some size
    /// or not; and the X of its own, if it has one.
    pub fn prepare<T: Float>(
        self,
        py: Python<'_>,
        model: &Typed<T>,
        x: (usize, Option<ImageShape>),
        check_finite: bool,
    ) -> PyResult<(Prepared<T>, Option<Samples>)> {
        let (spec, route) = (&model.plans.spec, model.route());
        let loss = spec.loss.as_ref();
        let score = loss.filter(|_| self.score);
        let score = score.map(|(loss, reduction)| Score::of(loss, *reduction));
        let every = self.every;
        let (state, threads) = (model.access.read(py)?, model.threads()?);
        Ok(compute(py, || match self.rows {
            Rows::Data(inputs) => {
                let key = model.key(Task::Forward, &inputs.x, false);
                let data = match check_finite {
                    true => model.finite_data(threads, &inputs, &state)?,
                    false => model.data(&inputs, &state)?,
                };
                let Data { targets, weights, standards, .. } = data;
                let rows = PreparedRows::Data(targets, weights, standards);
                let (loss, trained) = (loss.is_some(), Vec::new());
                Ok((Prepared { key, trained, rows, every, loss, score }, Some(inputs.x)))
            }
            Rows::Split { trained, held_out } => {
                let trained = row_list("trained", &trained, x.0)?;
                let held_out = row_list("held_out", &held_out, x.0)?;
                let key = Key::new(Task::Forward, (held_out.len(), x.1), route);
                let (loss, rows) = (loss.is_some(), PreparedRows::HeldOut(held_out));
                Ok((Prepared { key, trained, rows, every, loss, score }, None))
            }
        })?)
    }
}

/// The same, checked.
pub struct Prepared<T> {
    /// Of the plan that validates.
    pub key: Key,
    /// The rows of X that are trained on; empty if all are.
    pub trained: Vec<u32>,
    rows: PreparedRows<T>,
    every: u64,
    loss: bool,
    score: Option<Score>,
}

enum PreparedRows<T> {
    Data(OwnedTargets<T>, Option<RowWeights>, Option<Arc<Standards>>),
    HeldOut(Vec<u32>),
}

impl<T: Float> Prepared<T> {
    /// A run's validation, with the X of its own that it came with.
    pub fn validation<'x>(
        self,
        plans: &Plans<T>,
        source: Option<Source<'x>>,
    ) -> Result<Validation<'x, T>> {
        let isa = plans.isa;
        let watched = match (source, self.rows) {
            (Some(source), PreparedRows::Data(targets, weights, standards)) => {
                let data = Data { source, targets, weights, standards, copied: None };
                Watched::Data(data.standardized(isa)?)
            }
            (_, PreparedRows::HeldOut(rows)) => Watched::HeldOut(rows),
            (None, PreparedRows::Data(..)) => {
                return Err(Error::Internal("validation without its X".into()));
            }
        };
        let plan = plans.plan(self.key)?;
        let workspace = plans.workspace(self.key, &plan, watched.rows())?;
        let computed = (self.loss, self.score);
        Validation::new(isa, plan, workspace, watched, self.every, computed, signalled)
    }
}

/// The outputs (n, K) at the last epoch that was due.
pub fn outputs_of<'py, T: Float>(
    py: Python<'py>,
    validation: &Validation<'_, T>,
) -> PyResult<Any<'py>> {
    let (outputs, cols) = (memory::copied(validation.outputs())?, validation.cols());
    let rows = outputs.len() / cols;
    array(py, outputs, &[rows, cols])
}

/// Rows of X, at least one.
fn row_list(name: &str, view: &View, rows: usize) -> Result<Vec<u32>> {
    let list = to_i64(&view.elements())?;
    let mut checked = memory::vector(list.len())?;
    for &row in &list {
        match (u32::try_from(row), usize::try_from(row)) {
            (Ok(short), Ok(row)) if row < rows => checked.push(short),
            _ => return Err(Error::Value(format!("{name} has row {row}, X has {rows} rows"))),
        }
    }
    if checked.is_empty() {
        return Err(Error::Value(format!("{name} has no rows")));
    }
    Ok(checked)
}

/// The rows 0 to `rows` - 1 in the order in which a split with this seed takes them.
#[pyfunction]
pub fn split_order<'py>(py: Python<'py>, seed: u64, rows: usize) -> PyResult<Any<'py>> {
    entry(|| {
        if u32::try_from(rows).is_err() {
            let message = format!("X has {rows} rows, at most 2^32 - 1 can be split");
            return Err(Error::Value(message).into());
        }
        let order = compute(py, || {
            let mut order = memory::filled(0u32, rows)?;
            random::split_order(seed, &mut order);
            Ok(order)
        })?;
        array(py, order, &[rows])
    })
}
