//! What a process keeps of calls that have ended, for the next ones: plans, and the memory of steps.
//!
//! All models share it, so that it is bounded whatever their number. What belongs to a shape of
//! networks goes when its last model does.

use std::any::{Any, TypeId};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::route::Key;
use super::tuning::{GRADIENTS, MEMORY, PLANS, SHAPES};
use crate::error::Result;
use crate::network::Spec;
use crate::runtime::{Limits, PerProcess, Recent};
use crate::simd::Isa;

type Shared = dyn Any + Send + Sync;

#[derive(Default)]
struct Kept {
    shapes: Recent<SharedKey, Weak<Shared>>,
    plans: Recent<(u64, Key), Arc<Shared>>,
    memory: Recent<(u64, Key), Box<dyn Any + Send>>,
}

static KEPT: PerProcess<Kept> = PerProcess::new();

/// What models that share plans have in common.
#[derive(Clone, PartialEq)]
struct SharedKey {
    element: TypeId,
    isa: Isa,
    spec: Arc<Spec>,
}

/// What is kept of the calls of models of one shape.
pub struct Calls {
    shape: u64,
}

impl Calls {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { shape: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// The `S` that living models with elements `T` of such a network share, or one that `make` makes.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn shared<T: 'static, S: Send + Sync + 'static>(
        spec: Spec,
        isa: Isa,
        make: impl FnOnce(Self, Arc<Spec>) -> Result<S>,
    ) -> Result<Arc<S>> {
        let shape = SharedKey { element: TypeId::of::<T>(), isa, spec: Arc::new(spec) };
        let find = |kept: &mut Kept| kept.shapes.find(|other, _| *other == shape)?.upgrade();
        if let Some(Ok(shared)) = KEPT.with(find).map(|shared| shared.downcast::<S>()) {
            return Ok(shared);
        }
        let made: Arc<S> = Arc::new(make(Self::new(), Arc::clone(&shape.spec))?);
        let weak = Arc::downgrade(&made) as Weak<Shared>;
        drop(KEPT.with(|kept| kept.shapes.keep((shape, weak), 0, SHAPES)));
        Ok(made)
    }

    /// A plan that was kept.
    pub fn plan<P: Send + Sync + 'static>(&self, key: Key) -> Option<Arc<P>> {
        let place = (self.shape, key);
        let plan = KEPT.with(|kept| kept.plans.find(|at, _| *at == place).cloned())?;
        plan.downcast().ok()
    }

    /// Keeps a plan of so many bytes.
    pub fn keep_plan<P: Send + Sync + 'static>(&self, key: Key, plan: Arc<P>, bytes: usize) {
        let plan = plan as Arc<Shared>;
        drop(KEPT.with(|kept| kept.plans.keep(((self.shape, key), plan), bytes, PLANS)));
    }

    /// Takes out memory that was kept and that is `enough`.
    pub fn memory<W: Send + 'static>(&self, key: Key, enough: impl Fn(&W) -> bool) -> Option<W> {
        let place = (self.shape, key);
        let memory = KEPT.with(|kept| {
            kept.memory
                .take(|at, memory| *at == place && memory.downcast_ref::<W>().is_some_and(&enough))
        })?;
        memory.downcast().ok().map(|memory| *memory)
    }

    /// Keeps the memory of a step, of so many bytes where all parameters take so many. Memory within the
    /// limits is kept, and other too unless it is `easily` made.
    pub fn keep_memory<W: Send + 'static>(
        &self,
        key: Key,
        memory: W,
        (bytes, parameters): (usize, usize),
        easily: bool,
    ) {
        let limit = MEMORY.bytes.max(parameters.saturating_mul(GRADIENTS));
        if easily && bytes > limit {
            return;
        }
        let memory = Box::new(memory) as Box<dyn Any + Send>;
        let limits = Limits { bytes: limit, ..MEMORY };
        drop(KEPT.with(|kept| kept.memory.keep(((self.shape, key), memory), bytes, limits)));
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        let of = |&(shape, _): &(u64, Key)| shape == self.shape;
        drop(KEPT.with(|kept| (kept.plans.take_all(of), kept.memory.take_all(of))));
    }
}
