//! A plan: the ops of one kind of step of one network.
//!
//! A plan is immutable and shared; the number of rows is an argument of each run. Its ops fall into
//! two phases with a barrier between: the row phase does everything that the rows of a batch do
//! independently (gather, forward pass, loss, all input gradients), the weight phase sums over the
//! rows (weight gradients) and updates.

use std::sync::Arc;

use super::memory::{Buffers, State, Workspace};
use super::row_phase::RowPhase;
use super::tiny::Tiny;
use super::trace::Traces;
use super::update::Updates;
use super::weight_phase::WeightPhase;
use crate::error::Result;
use crate::kernels::elementary::Elementary;
use crate::simd::Isa;

/// The ops of one kind of step of one network.
pub struct Plan<T: Elementary> {
    pub(super) isa: Isa,
    /// Of the network: [`Spec::fingerprint`](super::Spec::fingerprint).
    pub(super) fingerprint: u64,
    /// Rows that are in memory at a time.
    pub(super) slab_rows: usize,
    /// The matrices of a workspace.
    pub(super) buffers: Arc<Buffers>,
    pub(super) row_phase: RowPhase<T>,
    pub(super) weight_phase: WeightPhase,
    /// Whether the weight phase updates while it has a gradient in registers.
    pub(super) fused: bool,
    /// Updates from gradients that are kept.
    pub(super) updates: Updates,
    /// How a network that fits into L1 trains.
    pub(super) tiny: Option<Tiny>,
    /// What is looked at, for `Task::Trace`.
    pub(super) traces: Traces,
}

impl<T: Elementary> Plan<T> {
    /// The memory of one running step on up to `batch_rows` rows.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn workspace(&self, batch_rows: usize) -> Result<Workspace<T>> {
        Workspace::new(&self.buffers, batch_rows)
    }

    /// About how many bytes it takes: nearly all are tiles and ops.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.weight_phase.bytes()
            + self.row_phase.bytes()
            + self.buffers.bytes()
    }

    /// Refuses a state of another network and a workspace of another plan: kernels rely on sizes.
    ///
    /// # Panics
    /// If there is one.
    #[inline]
    pub(super) fn check(&self, state: &State<T>, workspace: &Workspace<T>) {
        assert!(state.is_of(self.fingerprint), "the state is another network's");
        assert!(workspace.is_of(&self.buffers), "the workspace is another plan's");
    }

    /// The instruction set of its kernels.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Columns of the network's output.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.row_phase.loss().outputs()
    }

    /// Whether its network penalizes weights.
    #[must_use]
    pub fn penalizes(&self) -> bool {
        self.updates.method.options.penalize()
    }

    /// An estimate of a training step's floating-point operations.
    #[must_use]
    pub fn step_flops(&self, rows: usize) -> f64 {
        self.row_phase.step_flops(rows)
    }
}
