//! Parameters as weights (in, out) and biases (out,): copied in, out, and kept for later.

use std::any::Any;

use pyo3::prelude::*;

use super::array::{Float, View, tuple};
use super::entry::{change, compute};
use super::output::Out;
use super::shared::Typed;
use crate::error::{Error, Result};
use crate::kernels::gather;
use crate::network::{KeptParameters, Layout, State};
use crate::runtime::memory;

impl<T: Float> Typed<T> {
    /// Takes over arrays, if they differ from what the model has.
    pub fn take_arrays(&self, py: Python<'_>, arrays: [&[View]; 2]) -> PyResult<()> {
        let state = self.access.read(py)?;
        let changed = compute(py, || {
            let list = packed::<T>(&state.layout, arrays)?;
            let mut present = memory::filled(T::ZERO, list.len())?;
            state.layout.export_packed(&state.parameters, &mut present);
            // By their bits: 0 and -0 are two numbers.
            let bits = |value: &T| value.to_f64().to_bits();
            Ok((!list.iter().map(bits).eq(present.iter().map(bits))).then_some(list))
        })?;
        drop(state);
        let Some(list) = changed else { return Ok(()) };
        let mut state = self.access.write(py)?;
        let state: &mut State<T> = &mut state;
        Ok(change(py, || {
            state.set_packed(&list, self.plans.isa);
            Ok(())
        })?)
    }

    /// Writes the parameters into arrays.
    pub fn fill_arrays(&self, py: Python<'_>, arrays: [&[Bound<'_, PyAny>]; 2]) -> PyResult<()> {
        let state = self.access.read(py)?;
        let shapes = state.layout.packed_shapes();
        let mut targets = Vec::new();
        for ((name, arrays), shapes) in NAMES.into_iter().zip(arrays).zip(&shapes) {
            check_count(name, arrays.len(), shapes.len())?;
            for (array, shape) in arrays.iter().zip(shapes) {
                targets.push(Out::<T>::named(name, array, shape)?);
            }
        }
        let list = compute(py, || {
            let mut list = memory::filled(T::ZERO, state.layout.packed_len())?;
            state.layout.export_packed(&state.parameters, &mut list);
            Ok(list)
        })?;
        let mut left = &list[..];
        for (target, shape) in targets.into_iter().zip(shapes.iter().flatten()) {
            let piece;
            (piece, left) = left.split_at(shape.iter().product());
            target.fill(piece);
        }
        Ok(())
    }

    /// A copy of the parameters.
    pub fn kept(&self, py: Python<'_>) -> PyResult<Box<dyn Any + Send>> {
        Ok(Box::new(KeptParameters::of(&*self.access.read(py)?)?))
    }

    /// Copies the parameters to where [`Self::kept`] has copied some.
    pub fn keep(&self, py: Python<'_>, to: &mut (dyn Any + Send)) -> PyResult<()> {
        let kept = to.downcast_mut::<KeptParameters<T>>().ok_or_else(foreign)?;
        Ok(kept.take(&*self.access.read(py)?)?)
    }

    /// Takes over such a copy.
    pub fn take_kept(&self, py: Python<'_>, from: &(dyn Any + Send)) -> PyResult<()> {
        let kept = from.downcast_ref::<KeptParameters<T>>().ok_or_else(foreign)?;
        Ok(kept.restore(&mut *self.access.write(py)?, self.plans.isa)?)
    }
}

fn foreign() -> Error {
    Error::Value("the snapshot is of a model of another dtype".into())
}

/// What the arrays are called.
const NAMES: [&str; 2] = ["coefs", "intercepts"];

/// Arrays as a layout packs them.
fn packed<T: Float>(layout: &Layout, arrays: [&[View]; 2]) -> Result<Vec<T>> {
    let mut list = memory::vector(layout.packed_len())?;
    for ((name, views), shapes) in NAMES.into_iter().zip(arrays).zip(layout.packed_shapes()) {
        check_count(name, views.len(), shapes.len())?;
        for (index, (view, shape)) in views.iter().zip(&shapes).enumerate() {
            if view.shape() != shape {
                let (is, must) = (tuple(view.shape()), tuple(shape));
                return Err(Error::Shape(format!(
                    "{name}[{index}] has shape {is}, it must have {must}"
                )));
            }
            list.extend_from_slice(&gather::to_vec::<T>(&view.elements())?);
        }
    }
    Ok(list)
}

fn check_count(name: &str, given: usize, must: usize) -> Result<()> {
    if given == must {
        return Ok(());
    }
    Err(Error::Value(format!("{name} has {given} arrays, the network has {must}")))
}
