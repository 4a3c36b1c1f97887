//! `LegacyShuffle`: the order of epochs from NumPy's legacy generator.

use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::prelude::*;

use super::array::View;
use super::entry::entry;
use super::output::array;
use crate::error::{Error, Result};
use crate::kernels::gather;
use crate::kernels::random::Mt19937;
use crate::runtime::{lock, memory};
use crate::training::Order;

/// NumPy's MT19937 at `key` (624,) and `pos`, as `RandomState.get_state` gives them: the `order` of a
/// `Model.fit`, each of whose epochs shuffles the order before as `sklearn.utils.shuffle` does.
#[pyclass(frozen, module = "ironmlp._core")]
pub struct LegacyShuffle(Arc<Mutex<Mt19937>>);

impl LegacyShuffle {
    fn generator(&self) -> Result<MutexGuard<'_, Mt19937>> {
        lock::take_now(&self.0, "another thread draws from this generator")
    }
}

#[pymethods]
impl LegacyShuffle {
    #[new]
    fn new(key: &Bound<'_, PyAny>, pos: usize) -> PyResult<Self> {
        entry(|| {
            let words = gather::to_i64(&View::column("key", key)?.elements())?;
            let mut key = memory::vector(words.len())?;
            for word in words {
                let out = |_| Error::Value(format!("key has {word}, which is no uint32"));
                key.push(u32::try_from(word).map_err(out)?);
            }
            Ok(Self(Arc::new(Mutex::new(Mt19937::new(&key, pos)?))))
        })
    }

    /// `key` and `pos` after what has been drawn.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, usize)> {
        entry(|| {
            let generator = self.generator()?;
            let (key, position) = generator.state();
            Ok((array(py, memory::copied(key)?, &[key.len()])?, position))
        })
    }

    /// What `RandomState.shuffle` makes of `arange(n)`, as uint32.
    fn permutation<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Bound<'py, PyAny>> {
        entry(|| {
            let count = u32::try_from(n)
                .map_err(|_| Error::Value(format!("n is {n}, it must be below 2^32")))?;
            let mut list = memory::vector(n)?;
            list.extend(0..count);
            self.generator()?.shuffle(&mut list);
            array(py, list, &[n])
        })
    }
}

/// The order that a fit's arguments ask for.
pub fn order(shuffle: bool, given: Option<&Bound<'_, PyAny>>) -> PyResult<Order> {
    let Some(given) = given else {
        return Ok(if shuffle { Order::Seeded } else { Order::Kept });
    };
    if let Ok(legacy) = given.cast::<LegacyShuffle>() {
        return Ok(if shuffle { Order::Legacy(Arc::clone(&legacy.get().0)) } else { Order::Kept });
    }
    match given.extract::<&str>() {
        Ok("given") => Ok(if shuffle { Order::Given } else { Order::Kept }),
        _ => Err(Error::Value("order must be None, a LegacyShuffle or 'given'".into()).into()),
    }
}
