//! NumPy arrays that come in; `output.rs` has those that go out.
//!
//! Another thread may write to an array at any time, so no reference to its memory is ever made:
//! elements are copied out with raw reads ([`crate::kernels::gather`]).
//! What keeps the memory in place is a reference to the array, which also makes its `resize` fail.
//!
//! An array may be of a class of the user's own, whose methods and attributes say what they like. So a
//! plain array of the same memory is taken first, sizes are read from that alone, and copies are made
//! by NumPy's own functions.

use std::{mem, ptr};

use numpy::npyffi::{NPY_ORDER, NpyTypes, PY_ARRAY_API, get_type_object};
use numpy::{Element, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::PyClass;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::{PyList, PyTuple};

use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{DType, Matrix, Source};
use crate::runtime::memory;

/// The element types of models.
pub trait Float: Elementary + Element {}
impl Float for f32 {}
impl Float for f64 {}

/// An array as a matrix, to be read, and the reference that keeps it alive.
pub struct View {
    // Valid while `owner` is there.
    elements: Matrix<'static>,
    shape: Vec<usize>,
    owner: Py<PyUntypedArray>,
}

/// Something made from the elements of arrays, and the reference that keeps them alive.
pub struct Held<R> {
    // Before the owner: it is dropped first.
    value: R,
    owner: Py<PyAny>,
}

impl<R> Held<R> {
    pub fn get(&self) -> &R {
        &self.value
    }

    pub fn get_mut(&mut self) -> &mut R {
        &mut self.value
    }

    /// Takes it apart; the arrays may go when `end` returns.
    pub fn end<Q>(self, end: impl FnOnce(R) -> Q) -> Q {
        end(self.value)
    }

    /// Both, and the references of both.
    pub fn beside<Q>(self, py: Python<'_>, other: Held<Q>) -> PyResult<Held<(R, Q)>> {
        let owner = PyTuple::new(py, [self.owner, other.owner])?.into_any().unbind();
        Ok(Held { value: (self.value, other.value), owner })
    }

    /// What `make` makes of it, which keeps no other copy of the elements' addresses.
    pub fn map<Q>(self, make: impl FnOnce(R) -> PyResult<Q>) -> PyResult<Held<Q>> {
        Ok(Held { value: make(self.value)?, owner: self.owner })
    }
}

/// An object of ours that holds a matrix, and never gives it up.
pub trait Lends: PyClass<Frozen = True> + Sync {
    fn source(&self) -> Source<'_>;

    fn lent(owner: &Bound<'_, Self>) -> Held<Source<'static>> {
        // SAFETY: only the lifetime changes. Python neither moves nor, as it is frozen, changes the
        // object, which holds the matrix as long as it lives itself; and `Held` refers to it.
        let value = unsafe { mem::transmute::<Source<'_>, Source<'static>>(owner.get().source()) };
        Held { value, owner: owner.clone().into_any().unbind() }
    }
}

impl View {
    /// An array of one dimension, as a column, or of two.
    pub fn matrix(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Self> {
        let array = &ndarray(name, array)?;
        let (shape, strides) = (array.shape(), array.strides());
        match (shape, strides) {
            (&[rows], &[stride]) => Self::new(name, array, (rows, 1), (stride, 0)),
            (&[rows, cols], &[row, col]) => Self::new(name, array, (rows, cols), (row, col)),
            _ => Err(one_or_two(name, array).into()),
        }
    }

    /// An array of one dimension, as a column.
    pub fn column(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Self> {
        let array = &ndarray(name, array)?;
        match (array.shape(), array.strides()) {
            (&[rows], &[stride]) => Self::new(name, array, (rows, 1), (stride, 0)),
            (shape, _) => Err(Error::Shape(format!(
                "{name} has shape {}, it must have 1 dimension",
                tuple(shape)
            ))
            .into()),
        }
    }

    /// An array whose first dimension, or with `one` none, counts rows, and whose others a row's
    /// elements. Where these do not follow each other in several dimensions, all of them are copied.
    pub fn rows(name: &str, array: &Bound<'_, PyUntypedArray>, one: bool) -> PyResult<Self> {
        let size = array.dtype().itemsize() as isize;
        let (dims, strides) = (array.shape(), array.strides());
        let first = usize::from(!one);
        if dims.len() <= first {
            return Err(Error::Shape(format!("{name} has shape {}", tuple(dims))).into());
        }
        let (rows, row) = if one { (1, 0) } else { (dims[0], strides[0]) };
        if let (&[cols], &[col]) = (&dims[first..], &strides[first..]) {
            return Self::new(name, array, (rows, cols), (row, col));
        }
        let mut step = size;
        let mut contiguous = true;
        let mut cols = 1_usize;
        for axis in (first..dims.len()).rev() {
            contiguous &= dims[axis] == 1 || strides[axis] == step;
            step = step.saturating_mul(dims[axis] as isize);
            cols = cols.checked_mul(dims[axis]).ok_or_else(|| {
                Error::Shape(format!("{name} has shape {}: too many", tuple(dims)))
            })?;
        }
        if contiguous {
            return Self::new(name, array, (rows, cols), (row, size));
        }
        let copy = &contiguous_copy(array)?;
        Self::new(name, copy, (rows, cols), (step, size))
    }

    /// An array of any shape, as one row of its elements in row-major order.
    pub fn flat(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut array = ndarray(name, array)?;
        if !array.is_c_contiguous() {
            array = contiguous_copy(&array)?;
        }
        let size = array.dtype().itemsize() as isize;
        Self::new(name, &array, (1, array.len()), (0, size))
    }

    fn new(
        name: &str,
        array: &Bound<'_, PyUntypedArray>,
        shape: (usize, usize),
        strides: (isize, isize),
    ) -> PyResult<Self> {
        let dtype = dtype(name, array)?;
        // SAFETY: the pointer is to a live array, of which only a field is read; shape and strides
        // are that array's, or describe the elements of a contiguous one one by one. `View` and
        // `Held` keep a reference to the array for as long as they or the sources that they lend
        // are in use, and NumPy keeps an array's memory while someone refers to it, unless it is
        // told not to look (`resize(refcheck=False)`), which the documentation forbids.
        let elements = unsafe {
            let data = (*array.as_array_ptr()).data;
            Matrix::new(data.cast_const().cast(), dtype, shape, strides)
        };
        Ok(Self { elements, shape: array.shape().to_vec(), owner: array.clone().unbind() })
    }

    /// The elements, for as long as this view is there.
    pub fn elements(&self) -> Matrix<'_> {
        self.elements
    }

    /// The array's own shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// # Errors
    /// `Error::Shape` unless the array has this shape.
    pub fn check_shape(&self, name: &str, must: &[usize]) -> Result<()> {
        if self.shape == must {
            return Ok(());
        }
        let (is, must) = (tuple(&self.shape), tuple(must));
        Err(Error::Shape(format!("{name} has shape {is}, it must have {must}")))
    }

    /// The elements with the reference to them, and the array's shape.
    pub fn hold(self) -> (Held<Source<'static>>, Vec<usize>) {
        let held = Held { value: Source::Matrix(self.elements), owner: self.owner.into_any() };
        (held, self.shape)
    }

    /// What `make` makes of the elements of several arrays, which keeps no other copy of their addresses.
    pub fn hold_all<R>(
        py: Python<'_>,
        views: Vec<Self>,
        make: impl FnOnce(Vec<Matrix<'static>>) -> PyResult<R>,
    ) -> PyResult<Held<R>> {
        let mut elements = memory::vector(views.len())?;
        let owners = PyList::empty(py);
        for view in views {
            owners.append(view.owner)?;
            elements.push(view.elements);
        }
        Ok(Held { value: make(elements)?, owner: owners.to_tuple().into_any().unbind() })
    }
}

/// `object`, if it is an array, as a plain one: of an instance of a subclass a view of its memory, for
/// which nothing of the subclass is called.
pub fn ndarray<'py>(
    name: &str,
    object: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = object.py();
    let array = object.cast::<PyUntypedArray>().map_err(|_| match object.get_type().name() {
        Ok(kind) => {
            PyTypeError::new_err(format!("{name} is of type {kind}, it must be a NumPy array"))
        }
        Err(error) => error,
    })?;
    if array.is_exact_instance_of::<PyUntypedArray>() {
        return Ok(array.clone());
    }
    if array.hasattr("mask")? && array.hasattr("filled")? {
        let message = "a masked array, it must be a plain one: fill or drop the mask";
        return Err(PyTypeError::new_err(format!("{name} is {message}")));
    }
    // SAFETY: NumPy gets a live array and its own type, and gives a new reference to a new array, or
    // null with an exception set.
    let view = unsafe {
        let plain = get_type_object(py, NpyTypes::PyArray_Type);
        let view = PY_ARRAY_API.PyArray_View(py, array.as_array_ptr(), ptr::null_mut(), plain);
        Bound::from_owned_ptr_or_err(py, view)?
    };
    Ok(view.cast_into::<PyUntypedArray>()?)
}

/// A copy of a plain array in row-major order, without gaps.
fn contiguous_copy<'py>(
    array: &Bound<'py, PyUntypedArray>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = array.py();
    // SAFETY: NumPy gets a live array, and gives a new reference to a new array, or null with an
    // exception set.
    let copy = unsafe {
        let copy = PY_ARRAY_API.PyArray_NewCopy(py, array.as_array_ptr(), NPY_ORDER::NPY_CORDER);
        Bound::from_owned_ptr_or_err(py, copy)?
    };
    let copy = copy.cast_into::<PyUntypedArray>()?;
    if copy.is_c_contiguous() && copy.shape() == array.shape() {
        Ok(copy)
    } else {
        Err(Error::Internal(format!("a copy of shape {}", tuple(copy.shape()))).into())
    }
}

/// The element type of an array.
fn dtype(name: &str, array: &Bound<'_, PyUntypedArray>) -> Result<DType> {
    let descriptor = array.dtype();
    let native = descriptor.is_native_byteorder() != Some(false);
    match (descriptor.kind(), descriptor.itemsize()) {
        (b'f', 2) if native => Ok(DType::F16),
        (b'f', 4) if native => Ok(DType::F32),
        (b'f', 8) if native => Ok(DType::F64),
        (b'i', 1) => Ok(DType::I8),
        (b'i', 2) if native => Ok(DType::I16),
        (b'i', 4) if native => Ok(DType::I32),
        (b'i', 8) if native => Ok(DType::I64),
        (b'u', 1) => Ok(DType::U8),
        (b'u', 2) if native => Ok(DType::U16),
        (b'u', 4) if native => Ok(DType::U32),
        (b'u', 8) if native => Ok(DType::U64),
        (b'b', _) => Ok(DType::Bool),
        _ => Err(Error::Type(format!(
            "{name} has dtype {descriptor}, it must be a native float16, float32, float64, integer \
             or bool"
        ))),
    }
}

pub fn one_or_two(name: &str, array: &Bound<'_, PyUntypedArray>) -> Error {
    let dimensions = plural(array.ndim(), "dimension");
    Error::Shape(format!("{name} has {dimensions}, it must have 1 or 2"))
}

/// "1 row", "3 rows".
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A shape as Python writes it.
pub fn tuple(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => {
            let sizes: Vec<_> = shape.iter().map(ToString::to_string).collect();
            format!("({})", sizes.join(", "))
        }
    }
}
