//! The tiles of an op, run.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Result};

/// Where the tiles of an op run: on the calling thread.
#[derive(Debug)]
pub struct Pool;

impl Pool {
    /// Calls `tile(0)` to `tile(tiles - 1)`, each once, on up to `threads` threads and in any order;
    /// all have ended when this returns. Tiles may run at the same time, so they write to different
    /// places.
    ///
    /// # Errors
    /// `Error::Internal` with a panic's message if a tile panicked; some tiles may then not have
    /// run.
    pub fn run(threads: usize, tiles: usize, tile: &(dyn Fn(usize) + Sync)) -> Result<()> {
        debug_assert!(threads > 0);
        caught(|| (0..tiles).for_each(tile))
    }
}

/// What `work` gives back.
///
/// # Errors
/// `Error::Internal` with a panic's message if it panicked.
pub fn caught<R>(work: impl FnOnce() -> R) -> Result<R> {
    // What a panic leaves half-written belongs to the call that now fails.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Error::Internal(message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else {
        "(no message)"
    };
    format!("internal error: {text}")
}
