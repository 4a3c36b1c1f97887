//! The tuned numbers of this floor: nothing but speed depends on them, and no bit.
//!
//! Each says what it was chosen by, and the day; the machine is named where it was written down. The
//! heights of tiles follow from the registers: `gemm/tile.rs`.

use crate::simd::halve_registers;

// Products of matrices.

/// k in one sweep over C: 256 rows of a panel of B are 16 KB of f32, half of a 32 KB L1. (2026-11-24;
/// Sapphire Rapids: blocks of 128 or 512 within noise.)
pub(super) const SWEEP: usize = 256;

/// Rows of A at a time: with k in such sweeps, 128 rows are 128 KB of f32, which stay in L2. (2026-11-24.)
pub(super) const ROWS_OF_A: usize = 128;

/// Columns of A up to which all rows of a weight gradient are one tile: a layer of so few outputs has its
/// inputs in the lanes, which those outputs would fill in part. (2026-11-26: a step of 30-64-64-1 1.02x,
/// of 64-100-10 1.03x.)
pub const THIN: usize = 12;

/// How many rows ahead of the one that is summed a weight gradient's are fetched into L1: 130 cycles of a
/// tile of 8 x 2, more than an L2 takes. (2026-11-26: 1024 rows x 1024 x 1024 1.1x; Sapphire Rapids: without,
/// small networks 1.00x and wide 0.98x; 56 rows ahead 1.00x.)
pub(super) const ROWS_AHEAD: usize = 16;

// What is in which cache.

/// Bytes from which a matrix is in no cache when the weight phase comes. (2026-11-27: LeNet-5 at 227 x 227,
/// 22 MB, 1.01x; 784-512-256-10, 2 MB, 1.00x.)
pub(super) const FAR: usize = 8 << 20;

/// Bytes of the least L2 that we know of with AVX-512 (Zen 4). An X that fits is there anyway; of rows of
/// the next batch half as much is fetched at most, for weights are there too. (2026-11-26: 784-128-10 with
/// 128 rows 1.03x.)
pub(super) const X_IN_L2: usize = 1 << 20;

/// Elements that are looked through between questions whether one of them was not finite: long enough for
/// the question to cost nothing, short enough for the second look to come from L1 or L2. (2026-11-24.)
pub(super) const SEARCHED: usize = 4096;

/// Elements that are converted between looks whether the call should end: about 1 ms. (2026-11-30.)
pub(super) const CONVERTED: usize = 1 << 20;

// Convolutions.

/// Rows of the weight that all pixels of an image row go over before the next are read: 256 rows of a
/// panel are 16 KB of f32, half of a 32 KB L1. (2026-11-25.)
pub(super) const CHUNK_TAPS: usize = 256;

/// Bytes of the source that a row of the result then meets: its tiles, one for each 8 channels, find them
/// in an L1 of 32 KB. (2026-11-27: 24 and 96 channels of 3 x 3 1.05x of 96 KB, AVX2 1.08x.)
pub(super) const CHUNK_BYTES: usize = 28 << 10;

/// Fewer taps cost more, for loads and stores of the sums, than that gains. (2026-11-27.)
pub(super) const LEAST_TAPS: usize = 72;

/// In any case the next row, which meets most of the source again, should find it in L2. (2026-11-27: with
/// 560 KB a wide image took 1.4 times as long.)
pub(super) const MOST_CHUNK_BYTES: usize = 96 << 10;

/// Bytes of the sums of the outputs that go over all pixels together in a weight gradient: half of an L2 of
/// 256 KB. (2026-11-25.)
pub(super) const SUMS_BYTES: usize = 128 << 10;

/// Bytes of the gradients of a tile's outputs and of one row of the input that they meet, over the
/// pixels between which a tile's sums rest in memory: three quarters of an L1 of 32 KB, or more of one
/// of 48 KB, which most machines with 32 registers have (2026-11-25; there with 96 channels 40 KB are 1.06x
/// of 24 KB, 96 KB 1.01x). Where a store takes 1.5 multiply-adds and L2 is fast enough for one a cycle, bands
/// go far beyond L1 (2026-11-27, Zen 4: of 40 KB LeNet-5's two weight gradients are 1.04x and 1.00x, with 24
/// to 96 channels 1.04 to 1.07x).
pub(super) fn band_bytes(registers: usize) -> usize {
    match registers {
        32 if halve_registers() => 512 << 10,
        32 => 40 << 10,
        _ => 24 << 10,
    }
}
