//! How steps are done, and by which plan.

use super::tuning::FORWARD_ROWS;
use crate::error::{Error, Result};
use crate::kernels::images::ImageShape;
use crate::network::{SLAB_ROWS, Task};

/// How training steps are done; all routes give the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// As it is fastest.
    #[default]
    Auto,
    /// In panels, also where the network fits into L1.
    General,
    /// Gradients first, then updates.
    Unfused,
    /// Threads share all layers by columns.
    Columns,
    /// In slabs of so many rows.
    Slabs(usize),
}

impl Route {
    /// That of a name.
    pub fn named(name: &str) -> Result<Self> {
        let slab = |rows: &usize| rows.is_power_of_two() && (256..=1 << 24).contains(rows);
        let rows = name.strip_prefix("slabs:").and_then(|rows| rows.parse().ok()).filter(slab);
        match (name, rows) {
            ("auto", _) => Ok(Self::Auto),
            ("general", _) => Ok(Self::General),
            ("unfused", _) => Ok(Self::Unfused),
            ("columns", _) => Ok(Self::Columns),
            (_, Some(rows)) => Ok(Self::Slabs(rows)),
            _ => Err(Error::Value(format!(
                "route is {name:?}, known are auto, general, unfused, columns, and slabs:N with a \
                 power of two from 256 to 2^24"
            ))),
        }
    }
}

/// Which plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub task: Task,
    /// The size of the images, if the network takes some.
    pub image: Option<ImageShape>,
    pub slab: usize,
    pub fused: bool,
    pub columns: bool,
    /// Whether a plan for small networks may be taken.
    pub any: bool,
}

impl Key {
    /// The plan for calls of so many rows or images of a size. Numbers of rows share plans by powers of two.
    pub fn new(task: Task, x: (usize, Option<ImageShape>), route: Route) -> Self {
        let (rows, image) = x;
        let all = rows.min(SLAB_ROWS).next_power_of_two();
        let slab = match (task, route) {
            (_, Route::Slabs(slab)) => slab,
            (Task::Forward, _) => FORWARD_ROWS.min(all),
            (Task::Train | Task::Gradients { .. } | Task::Trace, _) => SLAB_ROWS.min(all),
        };
        let (fused, columns) = (route != Route::Unfused, route == Route::Columns);
        Self { task, image, slab, fused, columns, any: route == Route::Auto }
    }

    /// The same, never a plan for small networks: with a loss of the caller's those have no steps of their own.
    pub fn general(self) -> Self {
        Self { any: false, ..self }
    }

    /// The same with all of so many rows in one slab, where a layer takes statistics of them. Numbers of rows
    /// share plans here too; many are not rounded up to twice as many.
    pub fn of_one_slab(self, rows: usize) -> Self {
        if rows <= self.slab {
            return self;
        }
        let few = rows < SLAB_ROWS;
        let slab = if few { rows.next_power_of_two() } else { rows.next_multiple_of(SLAB_ROWS) };
        Self { slab, ..self }
    }

    /// The plan for many steps of so many rows or images of a size.
    pub fn exactly(task: Task, x: (usize, Option<ImageShape>), route: Route) -> Self {
        let shared = Self::new(task, x, route);
        let rows = x.0;
        if rows < shared.slab { Self { slab: rows, ..shared } } else { shared }
    }
}
