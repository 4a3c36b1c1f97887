//! The tuned numbers of this floor: nothing but speed and memory depends on them, and no bit.
//!
//! Each says what it was chosen by, and the day; on which machine was not written down.

use crate::runtime::Limits;

// What a process keeps from call to call.

/// Bytes of all plans: small networks take 3 KB each, one of 4096 x 4096 weights 1 MB. A plan is made
/// in 5 us, or in 10 us for each MB. (2026-11-30.)
pub const PLANS: Limits = Limits { bytes: 16 << 20, values: 256 };
/// Bytes of the memory of steps, or [`GRADIENTS`] times the parameters of the network that was used
/// last if that is more. To make and clear as much takes 10 ms. (2026-11-30.)
pub const MEMORY: Limits = Limits { bytes: 64 << 20, values: 64 };
/// Gradients take as much as parameters, and are the memory of which a step makes least use: these many
/// networks may have their gradients taken in turn. (2026-11-30.)
pub const GRADIENTS: usize = 4;
/// Shapes of networks that new models are compared with. (2026-11-30.)
pub const SHAPES: Limits = Limits { bytes: usize::MAX, values: 64 };

// Single calls.

/// Rows of a forward pass that are in memory at a time: 8 tiles for threads to share, and 1 MB of
/// f32 for a layer of 256 units. (2026-11-24.)
pub const FORWARD_ROWS: usize = 1024;
/// A predictor's call of so many floating-point operations or fewer, about 20 us, keeps the GIL: letting
/// go of it takes 0.1 us, but to have it back may take the 5 ms that other threads keep it. (2026-11-24.)
pub const SMALL_FLOPS: f64 = 500_000.0;
/// Elements of an array function between two looks for Ctrl-C: about 1 ms. (2026-11-30.)
pub const PIECE: usize = 1 << 20;

/// Rows of a first fit that are looked at for columns of very different scales: one of 30 columns takes
/// 20 us. (2026-11-30.)
pub const LOOKED_AT: usize = 1000;

// The search for what is not finite in X.

/// Elements of a tile: 1 MB of f32, about 50 us. (2026-11-25.)
pub const SEARCH_TILE: usize = 1 << 18;
/// Nanoseconds of an element: 20 GB/s of f32. (2026-11-25.)
pub const SEARCHED: f64 = 0.2;
