//! X of a network: rows of its columns, or images that fit its layers.

use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Held, Lends, View, ndarray, one_or_two, plural, tuple};
use super::table::Table;
use crate::error::{Error, Result};
use crate::kernels::gather::Source;
use crate::kernels::images::{ImageShape, PixelOrder};
use crate::network::Spec;

/// Samples, to be read, and the reference that keeps them alive.
pub struct Samples {
    source: Held<Source<'static>>,
    shape: Vec<usize>,
    image: Option<ImageShape>,
    table: Option<Py<Table>>,
}

impl Samples {
    /// X, at least one row: an array, or a table.
    pub fn x(object: &Bound<'_, PyAny>, spec: &Spec) -> PyResult<Self> {
        let Some(array) = array_of("X", object)? else {
            return Self::table("X", object, spec);
        };
        let array = &array;
        if array.ndim() > 0 && array.shape()[0] == 0 {
            return Err(Error::Shape("X has 0 rows, it must have at least 1".into()).into());
        }
        if spec.takes_images() {
            if array.ndim() != 4 {
                return Err(not_images("X", array.shape(), spec).into());
            }
            return Self::images("X", array, spec);
        }
        let &[_, cols] = array.shape() else {
            return Err(Error::Shape(format!(
                "X has {}, it must have 2: rows and columns",
                plural(array.ndim(), "dimension")
            ))
            .into());
        };
        check_columns("X", cols, spec.in_features())?;
        Self::of("X", array, false, None)
    }

    /// One row of X or one image, or some of them.
    pub fn rows(name: &str, object: &Bound<'_, PyAny>, spec: &Spec) -> PyResult<Self> {
        let Some(array) = array_of(name, object)? else {
            return Self::table(name, object, spec);
        };
        let array = &array;
        if spec.takes_images() {
            return match array.ndim() {
                3 | 4 => Self::images(name, array, spec),
                _ => Err(not_images(name, array.shape(), spec).into()),
            };
        }
        match array.shape() {
            &[cols] | &[_, cols] => {
                check_columns(name, cols, spec.in_features())?;
                Self::of(name, array, array.ndim() == 1, None)
            }
            _ => Err(one_or_two(name, array).into()),
        }
    }

    fn images(name: &str, array: &Bound<'_, PyUntypedArray>, spec: &Spec) -> PyResult<Self> {
        let image = image(name, array.shape(), spec)?;
        Self::of(name, array, array.ndim() == 3, Some(image))
    }

    fn of(
        name: &str,
        array: &Bound<'_, PyUntypedArray>,
        one: bool,
        image: Option<ImageShape>,
    ) -> PyResult<Self> {
        let (source, shape) = View::rows(name, array, one)?.hold();
        Ok(Self { source, shape, image, table: None })
    }

    #[cold]
    fn table(name: &str, object: &Bound<'_, PyAny>, spec: &Spec) -> PyResult<Self> {
        let table = object.cast::<Table>()?;
        let source = Table::lent(table);
        let shape = vec![source.get().rows(), source.get().cols()];
        if spec.takes_images() {
            return Err(not_images(name, &shape, spec).into());
        }
        check_columns(name, shape[1], spec.in_features())?;
        if shape[0] == 0 {
            return Err(Error::Shape(format!("{name} has 0 rows, it must have at least 1")).into());
        }
        Ok(Self { source, shape, image: None, table: Some(table.clone().unbind()) })
    }

    /// The elements, for as long as these samples are there.
    pub fn source(&self) -> Source<'_> {
        *self.source.get()
    }

    /// The size of the images that the rows hold, if they do.
    pub fn image(&self) -> Option<ImageShape> {
        self.image
    }

    /// The name of a column, or its number; `None` of a pixel.
    pub fn column(&self, column: usize) -> Option<String> {
        match &self.table {
            Some(table) => table.get().column(column),
            None => (self.shape.len() == 2).then(|| column.to_string()),
        }
    }

    /// The shape of what was given.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What `make` makes of the elements, and of those of a second X if there is one. They stay in
    /// place as long as it lives; `make` keeps no other copy of the sources.
    pub fn hold<R>(
        self,
        py: Python<'_>,
        second: Option<Self>,
        make: impl FnOnce(Source<'static>, Option<Source<'static>>) -> PyResult<R>,
    ) -> PyResult<Held<R>> {
        match second {
            None => self.source.map(|source| make(source, None)),
            Some(second) => {
                let both = self.source.beside(py, second.source)?;
                both.map(|(source, second)| make(source, Some(second)))
            }
        }
    }
}

/// `object` as an array, `None` if it is a table.
fn array_of<'py>(
    name: &str,
    object: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyUntypedArray>>> {
    match ndarray(name, object) {
        Ok(array) => Ok(Some(array)),
        Err(_) if object.is_instance_of::<Table>() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The size of the images of an array of three or four dimensions, which fit the network.
fn image(name: &str, shape: &[usize], spec: &Spec) -> Result<ImageShape> {
    let &[.., first, second, third] = shape else { return Err(not_images(name, shape, spec)) };
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

fn not_images(name: &str, shape: &[usize], spec: &Spec) -> Error {
    let channels = spec.in_channels().map_or_else(|| "C".into(), |count| count.to_string());
    let takes = match spec.input.order {
        PixelOrder::ChannelsFirst => format!("(n, {channels}, H, W)"),
        PixelOrder::ChannelsLast => format!("(n, H, W, {channels})"),
    };
    Error::Shape(format!("{name} has shape {}, the network takes images {takes}", tuple(shape)))
}

fn check_columns(name: &str, columns: usize, takes: usize) -> Result<()> {
    if columns == takes {
        return Ok(());
    }
    let columns = plural(columns, "column");
    Err(Error::Shape(format!("{name} has {columns}, the network takes {takes}")))
}
