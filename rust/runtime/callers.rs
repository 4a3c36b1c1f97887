//! How many threads of the program train at the same time: they share the cores.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fork;

/// The count in the low half, and above it the generation of processes that it is of: threads that a
/// parent counts do not exist in its child.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A thread that trains, as long as this lives.
#[derive(Debug)]
pub struct Caller {
    generation: u32,
    /// It belongs to its thread.
    thread: PhantomData<*const ()>,
}

impl Caller {
    /// Counts the calling thread.
    #[must_use]
    pub fn enter() -> Self {
        let generation = fork::generation() as u32;
        let count = |word| Some(join(generation, of(generation, word) + 1));
        // Always Ok. No memory depends on the order in which threads see the count.
        let _ = COUNT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        Self { generation, thread: PhantomData }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let generation = self.generation;
        // In a child that was forked meanwhile nobody has counted this one.
        let count = |word| match of(generation, word) {
            0 => None,
            n => Some(join(generation, n - 1)),
        };
        let _ = COUNT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }
}

/// How many threads of this process train.
#[must_use]
pub fn count() -> usize {
    of(fork::generation() as u32, COUNT.load(Ordering::Relaxed)) as usize
}

fn of(generation: u32, word: u64) -> u32 {
    if (word >> 32) as u32 == generation { word as u32 } else { 0 }
}

fn join(generation: u32, count: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(count)
}
