//! The tuned numbers of this floor: nothing but speed and memory depends on them, and no bit.
//!
//! Each says what it was chosen by, and the day. The machine is named where it was written down;
//! docs/design.md has the tables of what was tried on which.

use crate::kernels::reduce::BLOCK_ROWS;
use crate::simd::LANES;

// How a batch is cut.

/// Rows that are in memory at a time; a larger batch goes through in slabs. 16 of N2's blocks of 256
/// rows: a whole slab is one node of the tree. (2026-11-24; by the size of activations, not timed.)
pub const SLAB_ROWS: usize = 4096;

/// Rows of a slab of images: one of N2's blocks. Each 16 rows leave gradients of their own for the
/// convolutions, which would be many in a larger slab. (2026-11-25; by their size, not timed.)
pub(super) const IMAGE_SLAB_ROWS: usize = BLOCK_ROWS;

/// Rows of a tile of the row phase: enough that each weight read from L2 or L3 is used 256 times.
/// (2026-11-26, Sapphire Rapids: with 64 rows small networks take 0.99 to 1.01x.)
pub(super) const TILE_ROWS: usize = 256;

/// Where there are threads for more tiles than that gives, tiles have fewer rows, but so many.
/// (2026-11-25; a block of 16 samples, which is the least that lanes take.)
pub(super) const LEAST_ROWS: usize = LANES;

/// Tiles of the row phase for each thread: a thread that is held up leaves half of its share to the
/// others. (2026-11-25.)
pub(super) const TILES_PER_THREAD: usize = 2;

/// Rows of a tile of the gather of labels, one or two cache misses each. (2026-11-25.)
pub(super) const LABEL_ROWS: usize = 2048;

// What work costs, from which the number of threads follows: nanoseconds on one core. (2026-11-25; a
// wrong one is corrected by the clock, see `runtime/pace.rs`.)

/// A multiply-add of f32, at 100 GFLOP/s.
pub(super) const MULTIPLY_ADD: f64 = 0.02;
/// An element that is gathered, activated or updated.
pub(super) const ELEMENT: f64 = 0.3;
/// A label from somewhere in memory.
pub(super) const LABEL: f64 = 2.0;
/// An element of the search for what is not finite: 20 GB/s of f32. (2026-11-30.)
pub(super) const SEARCHED: f64 = 0.2;
/// Elements of a tile of that search: 1 MB of f32, about 50 us. (2026-11-30.)
pub(super) const SEARCH_TILE: usize = 1 << 18;

// Layers that threads share by columns. (2026-11-26, two threads: mnist 1.16x to all by rows,
// 784-2048-1024-10 with 64 rows 1.3x. Zen 4, two threads, all layers by columns: cancer 0.99x, digits
// 0.89x.)

/// Weights and panels of outputs from which a layer is wide: fewer are read faster than a barrier
/// takes.
pub(super) const WIDE_WEIGHTS: usize = 1 << 14;
/// See [`WIDE_WEIGHTS`].
pub(super) const WIDE_PANELS: usize = 4;
/// Panels that go together: what the registers of a product's tile hold, at most.
pub(super) const UNIT: usize = 2;
/// Nanoseconds of a barrier, the wait for the slowest thread included.
pub(super) const BARRIER: f64 = 1000.0;
/// The share of a segment that its barrier may take.
pub(super) const BARRIER_SHARE: f64 = 0.05;

// Networks that fit into L1.

/// Steps of so few rows take 256-bit registers at most: xor 0.18 us instead of 0.20 with AVX-512, in
/// f64 0.20 instead of 0.25; 13-16-8-1 is a tie. (2026-11-25.)
pub(super) const NARROW_ROWS: usize = 4;
/// Columns of X and units of any layer: one panel. With 24 inputs the general plan was 20 % faster.
/// (2026-11-25.)
pub(super) const TINY_WIDTH: usize = LANES;
/// Weights of all layers. Beyond about 400 (13-16-8-1, batch 32) the two plans are a tie. (2026-11-25.)
pub(super) const TINY_WEIGHTS: usize = 512;

// Images.

/// Rows of a weight that go together through the product with several blocks of 16 samples: an L2 holds
/// them until the last of these has read them (of 120 outputs in f32, 245 KB). (2026-11-27.)
pub(super) const WEIGHT_ROWS: usize = 512;

/// Bytes of a network's Linear weights up to which a tile has one block of 16 samples: they are in a
/// cache when the next tile reads them. (2026-11-25.)
pub(super) const CACHED_WEIGHTS: usize = 1 << 20;
/// Blocks of a tile where they are more: what comes from memory then serves 64 samples (LeNet-5 at
/// 227 x 227, 24 MB: 1.04x to 2 blocks). Of images it has 43 MB a block there. (2026-11-26.)
pub(super) const TILE_BLOCKS: usize = 4;

/// Bytes of images that stay in memory while the caller computes a loss; with more, which few batches have,
/// the forward pass is made again. (2026-11-30; by the size of activations, not timed.)
pub(super) const KEPT_IMAGES: usize = 256 << 20;

/// Columns of X that are gathered together: with their pixels 32 KB of f32, which stay in an L1.
/// (2026-11-26.)
pub(super) const GATHERED: usize = 256;

/// Bytes of a band: half of an L2 of 512 KB. What an op leaves is there when the next reads it.
/// (2026-11-26, Zen 4: with 64, 96 or 128 KB LeNet-5 at 28 x 28 1.00x, 24 channels 0.99x.)
pub(super) const BAND_BYTES: usize = 256 << 10;
/// How many times as large as a weight gradient's sums a band is at least: the sums come from memory
/// and go back once a band. (2026-11-26.)
pub(super) const BAND_SUMS: usize = 4;

// Initial values.

/// Elements between two looks whether the call should end: about 1 ms of normal ones. Of normal
/// elements 16 are made at a time. (2026-11-30.)
pub(super) const DRAWN: usize = LANES << 12;

// What X is standardized by.

/// Nanoseconds of an element in a pass over it. (2026-11-30.)
pub(super) const SUMMED: f64 = 0.6;
/// Tiles of such a pass, about: enough to be shared, and a few hundred KB of sums. (2026-11-30; by their
/// size, not timed.)
pub(super) const SUMS_TILES: usize = 64;
