//! Memory and threads: what every floor above takes from the operating system.
//!
//! - `memory.rs`: the bytes that this process may still use, and refusals in terms of them.
//! - `arena.rs`: [`Arena`], aligned zeroed buffers.
//! - `threads.rs`: the number of threads.
//! - `pool.rs`: the tiles of an op, run.
//! - `fork.rs`: a generation that a fork raises, since no thread survives one.

mod arena;
pub mod fork;
pub mod memory;
pub mod pool;
pub mod threads;

pub use arena::{Arena, Plain};
