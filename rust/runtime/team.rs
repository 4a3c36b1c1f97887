//! How many threads an op is worth.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::callers;
use super::tuning::GRAIN;

thread_local! {
    /// Of the caller: no other thread can change what a step has already counted on.
    static FORCED: Cell<bool> = const { Cell::new(false) };
}

/// Whether ops that this thread calls run on all threads of their setting, whatever their cost and
/// the cores, each thread on the whole of its share and on nothing else: for tests, which would
/// compare one thread with itself on a host of few cores and in networks of little work. Gives what
/// was said before.
pub fn force(on: bool) -> bool {
    FORCED.replace(on)
}

/// What [`force`] said last on this thread.
pub(super) fn is_forced() -> bool {
    FORCED.get()
}

/// The threads of one op.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Team {
    pub(super) setting: usize,
    pub(super) threads: usize,
    pub(super) nanoseconds: f64,
    /// Whether no thread takes over what another has not begun.
    pub(super) fixed: bool,
}

impl Team {
    /// Of up to `setting` threads as many as an op pays for that takes one thread about so many
    /// nanoseconds. More than the cores never pay, whatever the setting, nor more than a share of them
    /// where several threads train at the same time. [`force`] overrules all that.
    #[must_use]
    pub fn for_cost(setting: usize, nanoseconds: f64) -> Self {
        if setting > 1 && is_forced() {
            return Self { fixed: true, ..Self::whole(setting) };
        }
        // A cost that is no number, or none, stays on the caller.
        let paid = (nanoseconds / GRAIN) as usize;
        let alone = Self { setting: setting.max(1), threads: 1, nanoseconds, fixed: false };
        if paid < 2 || setting < 2 {
            return alone;
        }
        let (cores, callers) = (cores(), callers::count());
        if callers < 2 {
            return Self { threads: setting.min(paid).min(cores), ..alone };
        }
        let share = setting.min(cores / callers).max(1);
        Self { setting: share, threads: share.min(paid), ..alone }
    }

    /// All of `setting` threads, whatever the cost and the cores: for tests and timings.
    #[must_use]
    pub fn whole(setting: usize) -> Self {
        Self { setting, threads: setting, nanoseconds: f64::INFINITY, fixed: false }
    }

    /// What the work takes one thread.
    #[must_use]
    pub fn nanoseconds(self) -> f64 {
        self.nanoseconds
    }

    /// How many threads.
    #[must_use]
    pub fn threads(self) -> usize {
        self.threads
    }
}

/// The cores that affinity and control group leave to this process, asked for once, as the question
/// takes 20 us. Two threads at once may both ask; a lock could be held at a fork.
fn cores() -> usize {
    static CORES: AtomicUsize = AtomicUsize::new(0);
    match CORES.load(Ordering::Relaxed) {
        0 => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            CORES.store(cores, Ordering::Relaxed);
            cores
        }
        cores => cores,
    }
}
