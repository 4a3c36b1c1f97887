//! The tuned numbers of this floor: nothing but speed and memory depends on them, and no bit.
//!
//! Each says what it was chosen by, and the day; on which machine was not written down.

use std::time::Duration;

/// Bytes of a standardized X up to which a fit of several epochs keeps it beside the given one: as much as
/// workspaces may keep between calls. (2026-11-30.)
pub(super) const COPIED: usize = 64 << 20;

/// A step of this many floating-point operations takes about 20 us on the slowest machine that we
/// know of (1 GFLOP/s without FMA): the clock is read no more often than that. It takes 50 ns.
/// (2026-11-24.)
pub(super) const CLOCK_FLOPS: f64 = 20_000.0;
/// What a step costs beside its floating-point operations, in these. (2026-11-24.)
pub(super) const STEP_FLOPS: f64 = 500.0;

/// How long batches with a loss of the caller's go by between two looks at what they have left: as long as
/// a slice of training with ours. (2026-11-30.)
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Epochs for whose losses there is room from the start. Who trains until something else ends it asks
/// for more epochs than there is memory for. (2026-11-25.)
pub(super) const RESERVED_EPOCHS: usize = 1 << 16;
