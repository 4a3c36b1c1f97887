//! The plans of one network, made when first needed, and the memory of their steps.
//!
//! Models of one shape share both, copies among them; `kept.rs` has what is kept from call to call.

use std::marker::PhantomData;
use std::sync::Arc;

use super::array::Float;
use super::kept::Calls;
use super::route::Key;
use crate::error::Result;
use crate::network::{Plan, Spec, Task, Updates, Workspace};
use crate::simd::Isa;

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
        let Key { task, image, slab, .. } = key;
        let plan = match image {
            Some(image) => Plan::of_images(&self.spec, image, task, slab, self.isa),
            None if key.any && task == Task::Train => Plan::new(&self.spec, task, slab, self.isa),
            None => Plan::with_slab(&self.spec, task, slab, self.isa),
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
