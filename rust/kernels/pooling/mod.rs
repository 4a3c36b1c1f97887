//! Pools on images of 16 samples (`images.rs`): one number for each window of an image.
//!
//! - `pool.rs`: which windows, and what becomes of them.
//! - `window.rs`: the pixels of one.
//! - `forward.rs`, `backward.rs`: the pool and the gradient at its input.
//! - `activated.rs`: both, together with the activation before the pool.

mod activated;
mod backward;
mod forward;
mod pool;
mod window;

pub use activated::{ActivatedPoolBackward, ActivatedPoolForward};
pub use backward::PoolBackward;
pub use forward::PoolForward;
pub use pool::{Pool, PoolKind};
