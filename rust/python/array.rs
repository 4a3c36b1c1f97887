//! NumPy arrays that come in; `output.rs` has those that go out.
//!
//! Another thread may write to an array at any time, so no reference to its memory is ever made:
//! elements are copied out with raw reads ([`crate::kernels::gather`]).
//! What keeps the memory in place is a reference to the array, which also makes its `resize` fail.
//!
//! An array may be of a class of the user's own, whose methods and attributes say what they like. So a
//! plain array of the same memory is taken first, sizes are read from that alone, and copies are made
//! by NumPy's own functions.

use std::ptr;

use numpy::npyffi::{NPY_ORDER, NpyTypes, PY_ARRAY_API, get_type_object};
use numpy::{Element, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{DType, Source};
use crate::kernels::images::{ImageShape, PixelOrder};
use crate::network::Spec;

/// The element types of models.
pub trait Float: Elementary + Element {}
impl Float for f32 {}
impl Float for f64 {}

/// An array as a matrix, to be read, and the reference that keeps it alive.
pub struct View {
    // Valid while `owner` is there.
    source: Source<'static>,
    shape: Vec<usize>,
    image: Option<ImageShape>,
    owner: Py<PyUntypedArray>,
}

/// Something made from the sources of one view or two, and these views' references.
pub struct Held<R> {
    // Before the owners: it is dropped first.
    value: R,
    _owners: (Py<PyUntypedArray>, Option<Py<PyUntypedArray>>),
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

    /// X of a network, at least one row: rows of its columns, or images that fit its layers.
    pub fn x(array: &Bound<'_, PyAny>, spec: &Spec) -> PyResult<Self> {
        let array = &ndarray("X", array)?;
        if array.ndim() > 0 && array.shape()[0] == 0 {
            return Err(Error::Shape("X has 0 rows, it must have at least 1".into()).into());
        }
        if spec.takes_images() {
            if array.ndim() != 4 {
                return Err(not_images("X", array, spec).into());
            }
            return Self::images("X", array, spec);
        }
        let (&[rows, cols], &[row, col]) = (array.shape(), array.strides()) else {
            return Err(Error::Shape(format!(
                "X has {}, it must have 2: rows and columns",
                plural(array.ndim(), "dimension")
            ))
            .into());
        };
        check_columns("X", cols, spec.in_features())?;
        Self::new("X", array, (rows, cols), (row, col))
    }

    /// One row of a network's X or one image, or some of them.
    pub fn rows(name: &str, array: &Bound<'_, PyAny>, spec: &Spec) -> PyResult<Self> {
        let array = &ndarray(name, array)?;
        if spec.takes_images() {
            return match array.ndim() {
                3 | 4 => Self::images(name, array, spec),
                _ => Err(not_images(name, array, spec).into()),
            };
        }
        match (array.shape(), array.strides()) {
            (&[cols], &[col]) => {
                check_columns(name, cols, spec.in_features())?;
                Self::new(name, array, (1, cols), (0, col))
            }
            (&[rows, cols], &[row, col]) => {
                check_columns(name, cols, spec.in_features())?;
                Self::new(name, array, (rows, cols), (row, col))
            }
            _ => Err(one_or_two(name, array).into()),
        }
    }

    /// Images as rows of their pixels: three dimensions for one, four for several. Where the pixels
    /// of an image do not follow each other, all of them are copied.
    fn images(name: &str, array: &Bound<'_, PyUntypedArray>, spec: &Spec) -> PyResult<Self> {
        let image = image(name, array, spec)?;
        let size = array.dtype().itemsize() as isize;
        let (dims, strides) = (array.shape(), array.strides());
        let first = dims.len() - 3;
        let mut step = size;
        let mut contiguous = true;
        for axis in (first..dims.len()).rev() {
            contiguous &= dims[axis] == 1 || strides[axis] == step;
            step = step.saturating_mul(dims[axis] as isize);
        }
        let (rows, row) = if first == 0 { (1, 0) } else { (dims[0], strides[0]) };
        let view = if contiguous {
            Self::new(name, array, (rows, image.features()), (row, size))?
        } else {
            let copy = &contiguous_copy(array)?;
            Self::new(name, copy, (rows, image.features()), (step, size))?
        };
        Ok(Self { image: Some(image), ..view })
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
        let source = unsafe {
            let data = (*array.as_array_ptr()).data;
            Source::new(data.cast_const().cast(), dtype, shape, strides)
        };
        let shape = array.shape().to_vec();
        Ok(Self { source, shape, image: None, owner: array.clone().unbind() })
    }

    /// The elements, for as long as this view is there.
    pub fn source(&self) -> Source<'_> {
        self.source
    }

    /// The size of the images that the rows hold, if they do.
    pub fn image(&self) -> Option<ImageShape> {
        self.image
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

    /// What `make` makes of the elements, and of those of a second view if there is one. They stay in
    /// place as long as it lives; `make` keeps no other copy of the sources.
    pub fn hold<R>(
        self,
        second: Option<Self>,
        make: impl FnOnce(Source<'static>, Option<Source<'static>>) -> PyResult<R>,
    ) -> PyResult<Held<R>> {
        let value = make(self.source, second.as_ref().map(|view| view.source))?;
        Ok(Held { value, _owners: (self.owner, second.map(|view| view.owner)) })
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

fn one_or_two(name: &str, array: &Bound<'_, PyUntypedArray>) -> Error {
    let dimensions = plural(array.ndim(), "dimension");
    Error::Shape(format!("{name} has {dimensions}, it must have 1 or 2"))
}

/// The size of the images of an array of three or four dimensions, which fit the network.
fn image(name: &str, array: &Bound<'_, PyUntypedArray>, spec: &Spec) -> Result<ImageShape> {
    let shape = array.shape();
    let &[.., first, second, third] = shape else { return Err(not_images(name, array, spec)) };
    let last = spec.input.order == PixelOrder::ChannelsLast;
    let (channels, height, width) =
        if last { (third, first, second) } else { (first, second, third) };
    let other = if last { first } else { third };
    if let Some(takes) = spec.in_channels()
        && takes != channels
    {
        let hint = match (other == takes, last) {
            (false, _) => "",
            (true, false) => "; for images (n, H, W, C) make it with channels_last=True",
            (true, true) => "; images (n, C, H, W) are for channels_last=False",
        };
        return Err(Error::Shape(format!(
            "{name} has shape {}, {}, the network takes {takes}{hint}",
            tuple(shape),
            plural(channels, "channel")
        )));
    }
    if shape[shape.len() - 3..].contains(&0) {
        return Err(Error::Shape(format!("{name} has shape {}: no pixels", tuple(shape))));
    }
    let too_large = || Error::Shape(format!("{name} has shape {}: too many", tuple(shape)));
    channels.checked_mul(height).and_then(|n| n.checked_mul(width)).ok_or_else(too_large)?;
    let image = ImageShape { channels, height, width };
    spec.shapes(Some(image))?;
    Ok(image)
}

fn not_images(name: &str, array: &Bound<'_, PyUntypedArray>, spec: &Spec) -> Error {
    let channels = spec.in_channels().map_or_else(|| "C".into(), |count| count.to_string());
    let takes = match spec.input.order {
        PixelOrder::ChannelsFirst => format!("(n, {channels}, H, W)"),
        PixelOrder::ChannelsLast => format!("(n, H, W, {channels})"),
    };
    Error::Shape(format!(
        "{name} has shape {}, the network takes images {takes}",
        tuple(array.shape())
    ))
}

fn check_columns(name: &str, columns: usize, takes: usize) -> Result<()> {
    if columns == takes {
        return Ok(());
    }
    let columns = plural(columns, "column");
    Err(Error::Shape(format!("{name} has {columns}, the network takes {takes}")))
}

/// "1 row", "3 rows".
fn plural(count: usize, noun: &str) -> String {
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
