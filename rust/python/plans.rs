//! The plans of one network, made when first needed, and the memory of their steps.
//!
//! Models of one shape share both, copies among them; `kept.rs` has what is kept from call to call.

use std::marker::PhantomData;
use std::sync::Arc;

use super::array::Float;
use super::kept::Calls;
use crate::error::Result;
use crate::kernels::images::ImageShape;
use crate::network::{Plan, Purpose, SLAB_ROWS, Spec, Updates, Workspace};
use crate::simd::Isa;

/// Rows of a forward pass that are in memory at a time: 8 tiles for threads to share, and 1 MB of
/// f32 for a layer of 256 units.
const FORWARD_ROWS: usize = 1024;

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
        let all = rows.min(SLAB_ROWS).next_power_of_two();
        let slab = match (purpose, route) {
            (_, Route::Slabs(slab)) => slab,
            (Purpose::Forward, _) => FORWARD_ROWS.min(all),
            (Purpose::Train | Purpose::Gradients { .. } | Purpose::Trace, _) => SLAB_ROWS.min(all),
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

/// The plans of all models of one shape.
pub struct Plans<T: Float> {
    pub spec: Arc<Spec>,
    pub isa: Isa,
    pub updates: Updates,
    calls: Calls,
    /// Bytes of all parameters.
    parameters: usize,
    element: PhantomData<T>,
}

impl<T: Float> Plans<T> {
    /// Those that models of such a network share.
    pub fn shared(spec: Spec, isa: Isa) -> Result<Arc<Self>> {
        Calls::shared::<T, Self>(spec, isa, |calls, spec| {
            let updates = Updates::new(&spec, isa)?;
            let count = spec.parameter_count()?;
            let parameters = count.saturating_mul(size_of::<T>() as u64);
            let parameters = usize::try_from(parameters).unwrap_or(usize::MAX);
            Ok(Self { spec, isa, updates, calls, parameters, element: PhantomData })
        })
    }

    pub fn plan(&self, key: Key) -> Result<Arc<Plan<T>>> {
        if let Some(plan) = self.calls.plan(key) {
            return Ok(plan);
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
        self.calls.keep_plan(key, Arc::clone(&plan), plan.bytes());
        Ok(plan)
    }

    /// Memory for a step of a plan on up to `rows` rows.
    pub fn workspace(&self, key: Key, plan: &Plan<T>, rows: usize) -> Result<Workspace<T>> {
        match self.calls.memory(key, |workspace: &Workspace<T>| workspace.batch_rows() >= rows) {
            Some(workspace) => Ok(workspace),
            None => plan.workspace(if rows > key.slab { rows } else { key.slab }),
        }
    }

    /// Keeps the memory of a step that has ended.
    pub fn keep(&self, key: Key, mut workspace: Workspace<T>) {
        workspace.shrink();
        let bytes = workspace.bytes();
        // What many rows need beside a slab is small work to make again for them.
        let many_rows = workspace.batch_rows() > key.slab;
        self.calls.keep_memory(key, workspace, (bytes, self.parameters), many_rows);
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
