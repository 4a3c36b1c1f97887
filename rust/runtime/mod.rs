//! Memory and threads: what every floor above takes from the operating system.
//!
//! - `memory.rs`: the bytes that this process may still use, and refusals in terms of them.
//! - `arena.rs`: [`Arena`], aligned zeroed buffers.
//! - `threads.rs`: the number of threads.
//! - `callers.rs`: how many threads of the program train at the same time, and share the cores.
//! - `team.rs`: how many threads an op is worth.
//! - `pace.rs`: whether several threads are faster than one.
//! - `pool.rs`: the tiles of an op, run on several threads.
//! - `worker.rs`: a thread's share of them, and how a worker waits for it.
//! - `watch.rs`: whether a long call should end early, as Ctrl-C wants it.
//! - `lock.rs`: locks that nobody waits for.
//! - `fork.rs`: a generation that a fork raises, since no thread survives one.
//! - `per_process.rs`: [`PerProcess`], what threads share and a fork does not copy.
//! - `recent.rs`: [`Recent`], what was used lately, in so many bytes.
//! - `tuning.rs`: the numbers that decide about speed and memory alone.

mod arena;
pub mod callers;
pub mod fork;
pub mod lock;
pub mod memory;
mod pace;
mod per_process;
pub mod pool;
mod recent;
pub mod team;
pub mod threads;
mod tuning;
pub mod watch;
mod worker;

pub use arena::{Arena, Plain};
pub use pace::Pace;
pub use per_process::PerProcess;
pub use recent::{Limits, Recent};
pub use team::Team;
