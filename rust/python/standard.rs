//! What models standardize their data by: learned, given in, and given out.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::array::{Float, View};
use super::data::finite_x;
use super::entry::compute;
use super::output::array;
use super::samples::Samples;
use super::shared::Typed;
use super::tuning::LOOKED_AT;
use crate::error::{Error, Result};
use crate::kernels::gather::{self, RowOrder, Source};
use crate::kernels::images::PixelOrder;
use crate::kernels::standard::Standardizer;
use crate::network::{Sample, Standards, State};
use crate::runtime::memory;

impl<T: Float> Typed<T> {
    /// Refuses a model that standardizes and knows nothing yet.
    pub fn check_standards(&self, state: &State<T>) -> Result<()> {
        let standardizes = self.plans.spec.input.standardize != (false, false);
        if standardizes && state.standards.is_none() { Err(unknown()) } else { Ok(()) }
    }

    /// What this model's data are standardized by, for a call with such an X; `None` where they are not.
    pub fn standards_for<'s>(
        &self,
        state: &'s State<T>,
        x: &Samples,
    ) -> Result<Option<&'s Arc<Standards>>> {
        self.check_standards(state)?;
        let Some(standards) = &state.standards else { return Ok(None) };
        match (&standards.x, x.image()) {
            (Some(known), Some(image)) if known.means().len() != image.channels => {
                Err(Error::Shape(format!(
                    "X has images of {} channels, those that the model is standardized by have {}",
                    image.channels,
                    known.means().len()
                )))
            }
            _ => Ok(Some(standards)),
        }
    }

    /// Learns mean and deviation of X and y, which a model keeps until it learns others; of these `rows`
    /// alone, if there are some.
    pub fn learn(
        &self,
        py: Python<'_>,
        x: &Samples,
        y: Option<&View>,
        rows: Option<&View>,
    ) -> PyResult<()> {
        self.access.check_idle()?;
        let (isa, threads) = (self.plans.isa, self.threads()?);
        let spec = &self.plans.spec;
        let (of_x, of_y) = spec.input.standardize;
        let standards = compute(py, || {
            let source = x.source();
            let list = rows.map(|rows| row_list(rows, source.rows())).transpose()?;
            let rows = match &list {
                Some(list) => (RowOrder::List(list), list.len()),
                None => (RowOrder::From(0), source.rows()),
            };
            let mut standards = Standards::default();
            if of_x {
                let count = x.image().map_or(source.cols(), |image| image.channels);
                let sample = Sample {
                    name: "X",
                    source,
                    rows,
                    divisor: spec.input.scale.unwrap_or(1.0),
                    channels: (count, spec.input.order),
                };
                let learned = sample.learn(isa, threads);
                standards.x = Some(learned.or_else(|error| {
                    finite_x::<f64>(isa, threads, x)?;
                    Err(error)
                })?);
            }
            if let (true, Some(y)) = (of_y, y) {
                y.check_shape("y", &[source.rows(), spec.targets()])?;
                let source = Source::Matrix(y.elements());
                let channels = (source.cols(), PixelOrder::ChannelsFirst);
                let sample = Sample { name: "y", source, rows, divisor: 1.0, channels };
                standards.y = Some(sample.learn(isa, threads)?);
            }
            Ok(standards)
        })?;
        if of_y && standards.y.is_none() {
            return Err(Error::Type("y is None, standardize_y needs it".into()).into());
        }
        self.access.write(py)?.standards = Some(Arc::new(standards));
        Ok(())
    }

    /// How many times as wide as the narrowest column the widest is, constant ones left out, and the
    /// largest magnitude in y: of up to [`LOOKED_AT`] rows, at even distances.
    pub fn scales(
        &self,
        py: Python<'_>,
        x: Option<&Samples>,
        y: Option<&View>,
    ) -> PyResult<(f64, f64)> {
        let ranges = |name, source: Source<'_>| {
            let isa = self.plans.isa;
            let all = source.rows();
            let count = all.min(LOOKED_AT);
            let row = |i: usize| u32::try_from(i as u128 * all as u128 / count as u128);
            let list: Vec<u32> = memory::collected((0..count).map(|i| row(i).unwrap_or(0)))?;
            let rows = (RowOrder::List(&list), count);
            let channels = (source.cols(), PixelOrder::ChannelsFirst);
            Sample { name, source, rows, divisor: 1.0, channels }.ranges(isa)
        };
        Ok(compute(py, || {
            let (mut narrow, mut wide, mut largest) = (f64::INFINITY, 0.0, 0.0);
            for (least, most) in x.map_or_else(|| Ok(Vec::new()), |x| ranges("X", x.source()))? {
                let width = most - least;
                if width > 0.0 {
                    narrow = if width < narrow { width } else { narrow };
                    wide = if width > wide { width } else { wide };
                }
            }
            for (least, most) in
                y.map_or_else(|| Ok(Vec::new()), |y| ranges("y", Source::Matrix(y.elements())))?
            {
                let size = if -least > most { -least } else { most };
                largest = if size > largest { size } else { largest };
            }
            Ok((if wide > narrow { wide / narrow } else { 1.0 }, largest))
        })?)
    }

    /// Means and deviations of "X" and "y" in a dict; `None` before they are known.
    pub fn standards_dict<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(standards) = self.access.read(py)?.standards.clone() else { return Ok(None) };
        let dict = PyDict::new(py);
        for (name, standardizer) in [("X", &standards.x), ("y", &standards.y)] {
            if let Some(standardizer) = standardizer {
                let count = standardizer.means().len();
                let list = |values: &[f64]| array(py, memory::copied(values)?, &[count]);
                let pair = (list(standardizer.means())?, list(standardizer.deviations())?);
                dict.set_item(name, pair)?;
            }
        }
        Ok(Some(dict))
    }

    /// Takes over what [`Self::standards_dict`] gave.
    pub fn take_standards(&self, py: Python<'_>, dict: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let spec = &self.plans.spec;
        let Some(dict) = dict else {
            self.access.write(py)?.standards = None;
            return Ok(());
        };
        let (of_x, of_y) = spec.input.standardize;
        let columns = match (spec.takes_images(), spec.in_channels()) {
            (true, channels) => channels,
            (false, _) => Some(spec.in_features()),
        };
        let read = |name, wanted, count, divisor, order| -> PyResult<Option<Standardizer>> {
            match dict.get_item(name)? {
                Some(pair) if wanted => Ok(Some(standardizer(name, &pair, count, divisor, order)?)),
                None if !wanted => Ok(None),
                _ => {
                    let what = if wanted { "lacks" } else { "has" };
                    Err(PyValueError::new_err(format!("the standards: it {what} those of {name}")))
                }
            }
        };
        let (scale, targets) = (spec.input.scale.unwrap_or(1.0), Some(spec.targets()));
        let x = read("X", of_x, columns, scale, spec.input.order)?;
        let y = read("y", of_y, targets, 1.0, PixelOrder::ChannelsFirst)?;
        self.access.write(py)?.standards = Some(Arc::new(Standards { x, y }));
        Ok(())
    }
}

/// The error of a model that is used before anything is known.
#[cold]
fn unknown() -> Error {
    Error::Unready(
        "the model standardizes its data and knows no mean and deviation yet: call fit(X, y), or \
         adapt(X) for streams and loops of your own"
            .into(),
    )
}

/// A pair of arrays, finite, with `count` entries if that is known, and deviations above 0.
fn standardizer(
    name: &str,
    pair: &Bound<'_, PyAny>,
    count: Option<usize>,
    divisor: f64,
    order: PixelOrder,
) -> PyResult<Standardizer> {
    let [means, deviations]: [Bound<'_, PyAny>; 2] = pair.extract()?;
    let read = |what: &str, values| -> PyResult<Vec<f64>> {
        Ok(gather::to_vec(&View::flat(&format!("the {what} of {name}"), values)?.elements())?)
    };
    let (means, deviations) = (read("mean", &means)?, read("deviation", &deviations)?);
    let must = count.unwrap_or(means.len());
    let good = means.iter().all(|mean| mean.is_finite())
        && deviations
            .iter()
            .all(|deviation| deviation.is_finite() && *deviation >= f64::MIN_POSITIVE);
    if means.len() != must || deviations.len() != must || must == 0 || !good {
        return Err(PyValueError::new_err(format!(
            "the mean and deviation of {name} must be {must} finite numbers each, deviations above 0"
        )));
    }
    Ok(Standardizer::new(divisor, means, deviations, order))
}

/// Rows by their numbers, each below `count`.
fn row_list(rows: &View, count: usize) -> Result<Vec<u32>> {
    let numbers = gather::to_i64(&rows.elements())?;
    let mut list = memory::vector(numbers.len())?;
    for number in numbers {
        match u32::try_from(number) {
            Ok(row) if (row as usize) < count => list.push(row),
            _ => return Err(Error::Value(format!("there is no row {number}, X has {count} rows"))),
        }
    }
    Ok(list)
}
