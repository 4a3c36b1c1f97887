//! NumPy arrays that go out: the caller's own, and new ones.
//!
//! NumPy may have no memory for an array; what makes one here looks, and gives its MemoryError on.

use std::marker::PhantomData;
use std::ptr;

use numpy::npyffi::{NPY_ARRAY_CARRAY, NPY_ARRAY_WRITEABLE, NpyTypes, get_type_object, npy_intp};
use numpy::{Element, PY_ARRAY_API, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::array::{Float, ndarray, tuple};
use crate::error::{Error, Result};
use crate::runtime::memory;

/// A user's array to write results to.
pub struct Out<'py, T> {
    /// What was given, to be given back.
    given: Bound<'py, PyAny>,
    array: Bound<'py, PyUntypedArray>,
    element: PhantomData<T>,
}

impl<'py, T: Float> Out<'py, T> {
    /// Checks type, shape, order and that it may be written to.
    pub fn new(given: &Bound<'py, PyAny>, shape: &[usize]) -> PyResult<Self> {
        Self::named("out", given, shape)
    }

    /// The same, of another argument.
    pub fn named(name: &str, given: &Bound<'py, PyAny>, shape: &[usize]) -> PyResult<Self> {
        let py = given.py();
        let array = ndarray(name, given)?;
        let must = numpy::dtype::<T>(py);
        if !array.dtype().is_equiv_to(&must) {
            let message = format!("{name} has dtype {}, the network has {must}", array.dtype());
            return Err(Error::Type(message).into());
        }
        if array.shape() != shape {
            return Err(Error::Shape(format!(
                "{name} has shape {}, the output has {}",
                tuple(array.shape()),
                tuple(shape)
            ))
            .into());
        }
        // SAFETY: the pointer is to a live array, of which only a field is read.
        let writeable = unsafe { (*array.as_array_ptr()).flags } & NPY_ARRAY_WRITEABLE != 0;
        let faults = [
            (writeable, "read-only, it must be writable"),
            (array.is_c_contiguous(), "not C-contiguous, it must be"),
            (array.is_aligned(), "not aligned, it must be"),
        ];
        match faults.iter().find(|(good, _)| !good) {
            Some((_, fault)) => Err(Error::Value(format!("{name} is {fault}")).into()),
            None => Ok(Self { given: given.clone(), array, element: PhantomData }),
        }
    }

    /// Fills the array and gives it back.
    pub fn fill(self, values: &[T]) -> Bound<'py, PyAny> {
        assert_eq!(values.len(), self.array.len());
        // SAFETY: the array is contiguous, aligned, writable, of type T and of that many elements
        // (see `new`); its memory is not ours, so it does not overlap `values`.
        unsafe {
            let target = (*self.array.as_array_ptr()).data.cast::<T>();
            target.copy_from_nonoverlapping(values.as_ptr(), values.len());
        }
        self.given
    }
}

/// A new array that takes over the memory of `values`, which are row-major.
pub fn array<'py, T: Element + 'static>(
    py: Python<'py>,
    mut values: Vec<T>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    check_size(values.len(), shape)?;
    if values.is_empty() {
        // SAFETY: no memory of ours.
        return unsafe { new(py, ptr::null_mut::<T>(), shape) };
    }
    let data = values.as_mut_ptr();
    let owner = PyCapsule::new_with_value(py, values, c"ironmlp memory")?;
    // SAFETY: the memory is that of the vector, which does not move, and goes when the capsule does. That
    // the array keeps, or it goes before the capsule; NumPy takes over the reference, also when it fails.
    unsafe {
        let array = new(py, data, shape)?;
        match PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), owner.into_ptr()) {
            0 => Ok(array),
            _ => Err(PyErr::fetch(py)),
        }
    }
}

/// A new array of NumPy's own memory with a copy of `values`: for few of them the faster way.
pub fn copied<'py, T: Float>(
    py: Python<'py>,
    values: &[T],
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    check_size(values.len(), shape)?;
    // SAFETY: T is a plain number, and all elements are written before anyone reads them; the new
    // array is contiguous, aligned and of that many elements.
    unsafe {
        let array = new(py, ptr::null_mut::<T>(), shape)?;
        let target = (*array.cast_unchecked::<PyUntypedArray>().as_array_ptr()).data.cast::<T>();
        target.copy_from_nonoverlapping(values.as_ptr(), values.len());
        Ok(array)
    }
}

fn check_size(len: usize, shape: &[usize]) -> Result<()> {
    if shape.iter().product::<usize>() == len {
        return Ok(());
    }
    Err(Error::Internal(format!("{len} values for a result of shape {shape:?}")))
}

/// A new row-major array of memory at `data`, or if that is null of its own, which holds anything.
///
/// # Safety
/// `data` is null, or has room for the elements as long as the array lives.
unsafe fn new<'py, T: Element>(
    py: Python<'py>,
    data: *mut T,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    let mut dims = [0 as npy_intp; MOST_DIMENSIONS];
    for (dim, size) in dims.iter_mut().zip(shape) {
        *dim = *size as npy_intp;
    }
    assert!(shape.len() <= MOST_DIMENSIONS);
    // SAFETY: as many dimensions as are said; NumPy takes over the reference to the dtype. The caller
    // vouches for the memory, which `NPY_ARRAY_CARRAY` describes. The result is null or a new reference.
    let array = unsafe {
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            get_type_object(py, NpyTypes::PyArray_Type),
            T::get_dtype(py).into_dtype_ptr(),
            shape.len() as i32,
            dims.as_mut_ptr(),
            ptr::null_mut(),
            data.cast(),
            if data.is_null() { 0 } else { NPY_ARRAY_CARRAY },
            ptr::null_mut(),
        );
        Bound::from_owned_ptr_or_err(py, array)
    };
    array.map_err(|error| {
        if data.is_null() && error.is_instance_of::<PyMemoryError>(py) {
            // NumPy's own says what is needed, not what is there.
            return memory::refusal(size_of::<T>() * shape.iter().product::<usize>()).into();
        }
        error
    })
}

/// Dimensions that NumPy allows.
const MOST_DIMENSIONS: usize = 64;
