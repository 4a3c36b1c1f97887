//! The optimizer's state as a dict, there and back.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::array::{Float, View};
use super::data::tensors;
use super::output::array;
use crate::error::{Error, Result};
use crate::kernels::optimizer::Clock;
use crate::network::State;
use crate::simd::Isa;

/// Counters, learning rate and copies of the moments.
pub struct Exported<T> {
    epoch: u64,
    learning_rate: f64,
    factor: Option<f64>,
    clock: Clock,
    moments: Vec<Vec<Vec<T>>>,
    average: Option<Vec<Vec<T>>>,
    shapes: Vec<Vec<usize>>,
}

impl<T: Float> Exported<T> {
    pub fn new(state: &State<T>) -> Result<Self> {
        let State { epoch, clock, .. } = *state;
        let learning_rate = state.next_rate().unwrap_or(state.learning_rate);
        let factor = state.scheduled.as_ref().map(|scheduled| scheduled.factor);
        let moments = state.moments.iter().map(|moment| state.layout.export(moment));
        let moments = moments.collect::<Result<_>>()?;
        let average = state.average.as_ref().map(|average| state.layout.export(average));
        let average = average.transpose()?;
        let shapes = state.layout.shapes();
        Ok(Self { epoch, learning_rate, factor, clock, moments, average, shapes })
    }

    pub fn dict(self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let shapes = &self.shapes;
        let moments = self.moments.into_iter().map(|moment| list(py, moment, shapes));
        let moments = PyList::new(py, moments.collect::<PyResult<Vec<_>>>()?)?;
        let dict = PyDict::new(py);
        dict.set_item("epoch", self.epoch)?;
        dict.set_item("steps", self.clock.steps)?;
        dict.set_item("learning_rate", self.learning_rate)?;
        if let Some(factor) = self.factor {
            dict.set_item("factor", factor)?;
        }
        dict.set_item("scalars", self.clock.scalars)?;
        dict.set_item("moments", moments)?;
        if let Some(average) = self.average {
            dict.set_item("average", list(py, average, shapes)?)?;
        }
        Ok(dict)
    }
}

/// Tensors as a list of arrays.
pub fn list<'py, T: Float>(
    py: Python<'py>,
    tensors: Vec<Vec<T>>,
    shapes: &[Vec<usize>],
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (values, shape) in tensors.into_iter().zip(shapes) {
        list.append(array(py, values, shape)?)?;
    }
    Ok(list)
}

/// What [`Exported::dict`] gave, read but not yet compared with a model.
pub struct Parts {
    epoch: u64,
    learning_rate: f64,
    factor: Option<f64>,
    clock: Clock,
    moments: Vec<Vec<View>>,
    average: Option<Vec<View>>,
}

impl Parts {
    pub fn new(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        let views = |name: &'static str, tensors: Vec<Bound<'_, PyAny>>| {
            let views = tensors.iter().map(|tensor| View::flat(name, tensor));
            views.collect::<PyResult<Vec<_>>>()
        };
        let mut moments = Vec::new();
        for tensors in get::<Vec<Vec<Bound<'_, PyAny>>>>(dict, "moments")? {
            moments.push(views("moments", tensors)?);
        }
        let average = match dict.contains("average")? {
            true => Some(views("average", get(dict, "average")?)?),
            false => None,
        };
        let parts = Self {
            epoch: get(dict, "epoch")?,
            learning_rate: checked_rate("learning_rate", get(dict, "learning_rate")?)?,
            factor: match dict.contains("factor")? {
                true => Some(checked_rate("factor", get(dict, "factor")?)?),
                false => None,
            },
            clock: Clock { steps: get(dict, "steps")?, scalars: get(dict, "scalars")? },
            moments,
            average,
        };
        for scalar in parts.clock.scalars {
            if !(0.0..=1.0).contains(&scalar) {
                let message = format!("scalars has {scalar}, each must be from 0 to 1");
                return Err(Error::Value(message).into());
            }
        }
        Ok(parts)
    }

    /// Checks the moments' shapes and, if `check` is there, values, then replaces the state's.
    pub fn import<T: Float>(&self, state: &mut State<T>, check: Option<Isa>) -> Result<()> {
        let mut moments = Vec::new();
        for (index, views) in self.moments.iter().enumerate() {
            moments.push(tensors(&format!("moments[{index}]"), views, &state.layout, check)?);
        }
        let average = self.average.as_ref();
        let average = average.map(|views| tensors("average", views, &state.layout, check));
        let average = average.transpose()?;
        if self.factor.is_some() != state.scheduled.is_some() {
            let (has, has_not) = match self.factor {
                Some(_) => ("optimizer state has a factor", "model no schedule"),
                None => ("model has a schedule", "optimizer state no factor"),
            };
            return Err(Error::Value(format!("the {has}, the {has_not} for the learning rate")));
        }
        state.set_optimizer_state(&moments, average.as_deref(), self.clock, self.epoch)?;
        state.learning_rate = self.learning_rate;
        if let (Some(factor), Some(scheduled)) = (self.factor, &mut state.scheduled) {
            scheduled.factor = factor;
        }
        Ok(())
    }
}

/// A learning rate, or a factor on one.
pub fn checked_rate(name: &str, rate: f64) -> Result<f64> {
    if rate.is_finite() && rate >= 0.0 {
        return Ok(rate);
    }
    Err(Error::Value(format!("{name} is {rate}, it must be finite and at least 0")))
}

fn get<'py, V>(dict: &Bound<'py, PyDict>, name: &str) -> PyResult<V>
where
    V: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    match dict.get_item(name)? {
        Some(value) => value.extract().map_err(Into::into),
        None => Err(PyValueError::new_err(format!("the optimizer state lacks {name:?}"))),
    }
}
