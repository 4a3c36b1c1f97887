//! Memory and threads: what every floor above takes from the operating system.
//!
//! - `memory.rs`: the bytes that this process may still use, and refusals in terms of them.
//! - `arena.rs`: [`Arena`], aligned zeroed buffers.
//! - `threads.rs`: the number of threads.
//! - `team.rs`: how many threads an op is worth.
//! - `pace.rs`: whether several threads are faster than one.
//! - `pool.rs`: the tiles of an op, run on several threads.
//! - `worker.rs`: a thread's share of them, and how a worker waits for it.
//! - `watch.rs`: whether a long call should end early, as Ctrl-C wants it.
//! - `fork.rs`: a generation that a fork raises, since no thread survives one.

mod arena;
pub mod fork;
pub mod memory;
mod pace;
pub mod pool;
pub mod team;
pub mod threads;
pub mod watch;
mod worker;

pub use arena::{Arena, Plain};
pub use pace::Pace;
pub use team::Team;
