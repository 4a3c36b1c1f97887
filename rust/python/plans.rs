//! The plans of one network, made when first needed, and the memory of steps that have ended.
//!
//! Copies of a model share them. Nobody waits for the caches: who finds one in use, which after a
//! fork may be for ever, makes a plan or a workspace of its own.

use std::sync::{Arc, Mutex};

use super::array::Float;
use crate::error::Result;
use crate::kernels::images::ImageShape;
use crate::network::{Plan, Purpose, SLAB_ROWS, Spec, Updates, Workspace};
use crate::simd::Isa;

/// Rows of a forward pass that are in memory at a time: 8 tiles for threads to share, and 1 MB of
/// f32 for a layer of 256 units.
const FORWARD_ROWS: usize = 1024;

/// Kept plans; runs of many batch sizes make many. The oldest goes first.
const PLANS: usize = 32;

/// Kept workspaces, as many as threads that use one model at the same time, usually. The oldest
/// goes first.
const WORKSPACES: usize = 8;

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

/// Which plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    purpose: Purpose,
    /// The size of the images, if the network takes some.
    image: Option<ImageShape>,
    slab: usize,
    fused: bool,
    columns: bool,
    /// Whether a plan for small networks may be taken.
    any: bool,
}

impl Key {
    /// The plan for calls of so many rows or images of a size. Numbers of rows share plans by powers of two.
    pub fn new(purpose: Purpose, x: (usize, Option<ImageShape>), route: Route) -> Self {
        let (rows, image) = x;
        let all = rows.next_power_of_two();
        let slab = match (purpose, route) {
            // These look at the whole batch afterwards.
            (Purpose::Trace | Purpose::Gradients { input_grad: true }, _) => all,
            (_, Route::Slabs(slab)) => slab,
            (Purpose::Forward, _) => FORWARD_ROWS.min(all),
            (Purpose::Train | Purpose::Gradients { .. }, _) => SLAB_ROWS.min(all),
        };
        let (fused, columns) = (route != Route::Unfused, route == Route::Columns);
        Self { purpose, image, slab, fused, columns, any: route == Route::Auto }
    }

    /// The plan for many steps of so many rows or images of a size.
    pub fn exactly(purpose: Purpose, x: (usize, Option<ImageShape>), route: Route) -> Self {
        let shared = Self::new(purpose, x, route);
        let rows = x.0;
        if rows < shared.slab { Self { slab: rows, ..shared } } else { shared }
    }
}

/// The plans of one network.
pub struct Plans<T: Float> {
    pub spec: Spec,
    pub isa: Isa,
    pub updates: Updates,
    plans: Mutex<Vec<(Key, Arc<Plan<T>>)>>,
    workspaces: Mutex<Vec<(Key, Workspace<T>)>>,
}

impl<T: Float> Plans<T> {
    pub fn new(spec: Spec, isa: Isa) -> Result<Self> {
        let updates = Updates::new(&spec, isa)?;
        Ok(Self {
            spec,
            isa,
            updates,
            plans: Mutex::new(Vec::new()),
            workspaces: Mutex::new(Vec::new()),
        })
    }

    pub fn plan(&self, key: Key) -> Result<Arc<Plan<T>>> {
        let cache = self.plans.try_lock();
        if let Ok(cache) = &cache
            && let Some((_, plan)) = cache.iter().find(|(cached, _)| *cached == key)
        {
            return Ok(Arc::clone(plan));
        }
        let Key { purpose, image, slab, .. } = key;
        let plan = match image {
            Some(image) => Plan::of_images(&self.spec, image, purpose, slab, self.isa),
            None if key.any && purpose == Purpose::Train => {
                Plan::new(&self.spec, purpose, slab, self.isa)
            }
            None => Plan::with_slab(&self.spec, purpose, slab, self.isa),
        }?;
        let plan = if key.fused { plan } else { plan.unfused() };
        let plan = Arc::new(if key.columns { plan.by_columns() } else { plan });
        if let Ok(mut cache) = cache {
            if cache.len() == PLANS {
                cache.remove(0);
            }
            cache.push((key, Arc::clone(&plan)));
        }
        Ok(plan)
    }

    /// Memory for a step of a plan on up to `rows` rows.
    pub fn workspace(&self, key: Key, plan: &Plan<T>, rows: usize) -> Result<Workspace<T>> {
        if let Ok(mut cache) = self.workspaces.try_lock() {
            let fits = |(cached, workspace): &(Key, Workspace<T>)| {
                *cached == key && workspace.batch_rows() >= rows
            };
            if let Some(index) = cache.iter().position(fits) {
                return Ok(cache.remove(index).1);
            }
        }
        plan.workspace(if rows > key.slab { rows } else { key.slab })
    }

    /// Keeps the memory of a step that has ended.
    pub fn keep(&self, key: Key, workspace: Workspace<T>) {
        if let Ok(mut cache) = self.workspaces.try_lock() {
            if cache.len() == WORKSPACES {
                cache.remove(0);
            }
            cache.push((key, workspace));
        }
    }

    /// Does something with a plan and its memory.
    pub fn run<R>(
        &self,
        key: Key,
        rows: usize,
        work: impl FnOnce(&Plan<T>, &mut Workspace<T>) -> Result<R>,
    ) -> Result<R> {
        let plan = self.plan(key)?;
        let mut workspace = self.workspace(key, &plan, rows)?;
        let result = work(&plan, &mut workspace)?;
        self.keep(key, workspace);
        Ok(result)
    }
}
