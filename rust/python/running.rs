//! Running statistics as arrays, there and back: for each node that keeps some the means and variances of
//! its channels, in the type of the parameters, and the number of batches, one int64.

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::array::{Float, View};
use super::data::tensor;
use super::output::array;
use crate::error::{Error, Result};
use crate::kernels::gather;
use crate::network::{Layout, NodeStatistics};
use crate::simd::Isa;

/// Arrays of a node.
const ARRAYS: usize = 3;

/// Adds what a model keeps to a list.
pub fn append<T: Float>(list: &Bound<'_, PyList>, nodes: Vec<NodeStatistics<T>>) -> PyResult<()> {
    let py = list.py();
    for NodeStatistics { mean, variance, batches } in nodes {
        let shape = [mean.len()];
        list.append(array(py, mean, &shape)?)?;
        list.append(array(py, variance, &shape)?)?;
        list.append(array(py, vec![i64::try_from(batches).unwrap_or(i64::MAX)], &[])?)?;
    }
    Ok(())
}

/// What [`append`] added, of the layout's shapes; with `check` all finite and no variance negative.
pub fn read<T: Float>(
    name: &str,
    views: &[View],
    layout: &Layout,
    check: Option<Isa>,
) -> Result<Vec<NodeStatistics<T>>> {
    let (names, channels) = (layout.running.names(), layout.running.channels());
    let mut nodes = Vec::new();
    for ((views, names), channels) in views.chunks_exact(ARRAYS).zip(names).zip(channels) {
        let [mean, variance, batches] = views else { continue };
        let [mean_name, variance_name, batches_name] = names.map(|key| format!("{name}['{key}']"));
        let mean = tensor(&mean_name, mean, &[channels], check)?;
        let variance: Vec<T> = tensor(&variance_name, variance, &[channels], check)?;
        if check.is_some()
            && let Some(negative) = variance.iter().find(|value| **value < T::ZERO)
        {
            let text = format!("{variance_name} has {negative}, a variance is at least 0");
            return Err(Error::Value(text));
        }
        nodes.push(NodeStatistics { mean, variance, batches: count(&batches_name, batches)? });
    }
    Ok(nodes)
}

/// How many arrays [`append`] adds.
pub fn arrays(layout: &Layout) -> usize {
    ARRAYS * layout.running.names().len()
}

/// 2^63, which is no int64.
const TOO_MANY: f64 = 9_223_372_036_854_775_808.0;

/// A number of batches.
fn count(name: &str, view: &View) -> Result<u64> {
    view.check_shape(name, &[])?;
    let elements = view.elements();
    let wrong = |value: &dyn std::fmt::Display| {
        Error::Value(format!("{name} is {value}, it must be an integer from 0 to 2^63 - 1"))
    };
    if elements.dtype().is_float() {
        let value: f64 = gather::to_vec(&elements)?[0];
        let is_count = (0.0..TOO_MANY).contains(&value) && value.fract() == 0.0;
        return if is_count { Ok(value as u64) } else { Err(wrong(&value)) };
    }
    let value = gather::to_i64(&elements)?[0];
    u64::try_from(value).map_err(|_| wrong(&value))
}
