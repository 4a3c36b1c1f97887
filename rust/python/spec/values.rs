//! Attributes of specs, and the errors for what they may not be.

use pyo3::prelude::*;

use crate::error::Error;
use crate::runtime::memory;

pub(super) fn class(object: &Bound<'_, PyAny>) -> PyResult<String> {
    object.get_type().name()?.extract()
}

pub(super) fn get<'py, V>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<V>
where
    V: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    object.getattr(name)?.extract().map_err(Into::into)
}

/// No numbers, one, or several.
pub(super) fn numbers(object: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<f64>> {
    let value = object.getattr(name)?;
    if value.is_none() {
        return Ok(Vec::new());
    }
    if let Ok(number) = value.extract::<f64>() {
        return Ok(vec![number]);
    }
    let mut numbers = memory::vector(value.len()?)?;
    for number in value.try_iter()? {
        memory::reserve(&mut numbers, 1)?;
        numbers.push(number?.extract()?);
    }
    Ok(numbers)
}

pub(super) fn no_such(kind: &str, class: &str) -> PyErr {
    Error::Type(format!("{class} is no {kind} of this package")).into()
}

pub(super) fn unknown(name: &str, value: &str, known: &str) -> PyErr {
    Error::Value(format!("{name} is {value:?}, known are {known}")).into()
}
