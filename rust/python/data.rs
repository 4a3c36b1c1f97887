//! Arguments of a call as numbers, copied and checked.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use super::array::{Float, View};
use super::samples::Samples;
use super::tuning::{SEARCH_TILE, SEARCHED};
use crate::error::{Error, Result};
use crate::kernels::gather::{self, Source, first_non_finite, non_finite_column};
use crate::kernels::loss::{Loss, RowWeights};
use crate::kernels::standard::Standardizer;
use crate::network::{Layout, Spec, Standards};
use crate::runtime::{Team, watch};
use crate::simd::Isa;
use crate::training::OwnedTargets;

/// X, targets and weights as they came.
pub struct Inputs {
    pub x: Samples,
    pub targets: Option<View>,
    pub weights: Option<View>,
}

impl Inputs {
    pub fn new(
        spec: &Spec,
        x: &Bound<'_, PyAny>,
        targets: Option<&Bound<'_, PyAny>>,
        weights: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self {
            x: Samples::x(x, spec)?,
            targets: targets.map(|targets| View::matrix("y", targets)).transpose()?,
            weights: weights.map(|weights| View::matrix("sample_weight", weights)).transpose()?,
        })
    }

    pub fn rows(&self) -> usize {
        self.x.source().rows()
    }

    /// The targets, for the loss of the network, standardized if there is something to do it by.
    pub fn targets<T: Float>(
        &self,
        spec: &Spec,
        isa: Isa,
        standardizer: Option<&Standardizer>,
    ) -> Result<OwnedTargets<T>> {
        let outputs = spec.out_features();
        let (loss, y) = match (&spec.loss, &self.targets) {
            (None, None) => return Ok(OwnedTargets::None),
            (Some((loss, _)), Some(y)) => (loss, y),
            (None, Some(_)) => {
                return Err(Error::Type("the model's loss is a function, y must be None".into()));
            }
            (Some(_), None) => return Err(Error::Type("y is None, the loss needs targets".into())),
        };
        let elements = y.elements();
        match (loss, y.shape().len()) {
            (Loss::SoftmaxCrossEntropy { .. }, 1) => {
                if elements.dtype().is_float() {
                    return Err(Error::Type("y holds floats, class indices are integers".into()));
                }
                y.check_shape("y", &[self.rows()])?;
                let classes = loss.classes("y", &gather::to_i64(&elements)?, outputs)?;
                Ok(OwnedTargets::Classes(classes))
            }
            _ => {
                let cols = spec.targets();
                y.check_shape("y", &[self.rows(), cols])?;
                let values = match standardizer {
                    Some(standardizer) => {
                        let source = Source::Matrix(elements);
                        // Outputs have to reach it in the network's type.
                        if let Some(row) = first_non_finite::<T>(isa, &source, 0..source.rows()) {
                            return Err(Error::NonFinite { argument: "y", row, column: None });
                        }
                        standardizer.copy_all(isa, source)?
                    }
                    None => gather::to_vec(&elements)?,
                };
                finite("y", isa, &values, cols)?;
                Ok(OwnedTargets::Values(values))
            }
        }
    }

    /// The weights of the rows.
    pub fn weights(&self) -> Result<Option<RowWeights>> {
        let Some(view) = &self.weights else { return Ok(None) };
        view.check_shape("sample_weight", &[self.rows()])?;
        let weights: Vec<f64> = gather::to_vec(&view.elements())?;
        match weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
            Some(row) => Err(Error::Value(format!(
                "sample_weight[{row}] is {}, it must be finite and at least 0",
                weights[row]
            ))),
            None => Ok(Some(RowWeights::new(weights))),
        }
    }
}

/// Refuses an X with NaNs, infinities, or numbers that are infinite as `T`.
pub fn finite_x<T: Float>(isa: Isa, threads: usize, samples: &Samples) -> Result<()> {
    let x = &samples.source();
    let found = AtomicUsize::new(usize::MAX);
    let tiles = x.elements().div_ceil(SEARCH_TILE).min(x.rows());
    watch::run(Team::for_cost(threads, SEARCHED * x.elements() as f64), tiles, &|tile| {
        let at = |tile: usize| (x.rows() as u128 * tile as u128 / tiles as u128) as usize;
        if let Some(row) = first_non_finite::<T>(isa, x, at(tile)..at(tile + 1)) {
            found.fetch_min(row, Ordering::Relaxed);
        }
    })?;
    match found.into_inner() {
        usize::MAX => Ok(()),
        row => {
            let column = non_finite_column::<T>(isa, x, row);
            let column = column.and_then(|column| samples.column(column));
            Err(Error::NonFinite { argument: "X", row, column })
        }
    }
}

/// As [`finite_x`], of an X that is standardized before it is rounded to `T`, or not.
pub fn finite_for<T: Float>(
    isa: Isa,
    threads: usize,
    x: &Samples,
    standards: Option<&Standards>,
) -> Result<()> {
    match standards {
        Some(Standards { x: Some(_), .. }) => finite_x::<f64>(isa, threads, x),
        _ => finite_x::<T>(isa, threads, x),
    }
}

/// Refuses values, `cols` in a row, with a NaN or an infinity.
pub fn finite<T: Float>(argument: &'static str, isa: Isa, values: &[T], cols: usize) -> Result<()> {
    let source = Source::of_slice(values, cols);
    match first_non_finite::<T>(isa, &source, 0..source.rows()) {
        Some(row) => Err(Error::NonFinite { argument, row, column: None }),
        None => Ok(()),
    }
}

/// Tensors as a layout has them, all finite if `check` is there.
pub fn tensors<T: Float>(
    name: &str,
    views: &[View],
    layout: &Layout,
    check: Option<Isa>,
) -> Result<Vec<Vec<T>>> {
    let (keys, shapes) = (layout.names(), layout.shapes());
    if views.len() != shapes.len() {
        let (given, must) = (views.len(), shapes.len());
        return Err(Error::Value(format!("{name} has {given} arrays, the network has {must}")));
    }
    let mut tensors = Vec::new();
    for ((view, key), shape) in views.iter().zip(&keys).zip(&shapes) {
        tensors.push(tensor(&format!("{name}['{key}']"), view, shape, check)?);
    }
    Ok(tensors)
}

/// A tensor of this shape, finite if `check` is there.
pub fn tensor<T: Float>(
    name: &str,
    view: &View,
    shape: &[usize],
    check: Option<Isa>,
) -> Result<Vec<T>> {
    view.check_shape(name, shape)?;
    let values: Vec<T> = gather::to_vec(&view.elements())?;
    let source = Source::of_slice(&values, 1);
    let wrong = |isa| first_non_finite::<T>(isa, &source, 0..values.len()).is_some();
    if check.is_some_and(wrong) {
        let text = format!("{name} has a NaN or infinite value, all must be finite");
        return Err(Error::Value(text));
    }
    Ok(values)
}
