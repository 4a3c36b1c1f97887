//! The tuned numbers of this floor: nothing but speed and memory depends on them, and no bit.
//!
//! Each says what it was chosen by, and the day; the machine is named where it was written down.

use std::time::Duration;

// How many threads an op gets, and by whose word.

/// Nanoseconds of work for each thread of an op. To hand out an op and to wait for its end takes
/// 0.3 us on two threads, and as much again goes to tiles of unequal length: with 2.5 us each, two
/// threads take 3.1 us for what one does in 5. (2026-11-25.)
pub(super) const GRAIN: f64 = 2500.0;

/// Nanoseconds of a trial of the other number of threads: twenty times what a worker takes to wake up.
/// (2026-11-25.)
pub(super) const TRIAL: f64 = 1e6;
/// Windows of that length between two trials: one after a change, twice as many after each trial that was
/// lost, up to these, and [`TRIALS_PAID`]. (2026-11-25.)
pub(super) const MOST_WINDOWS: f64 = 256.0;
/// So many times as long as what a lost trial has cost passes before the next, which makes that 2 %: where
/// another process holds a core, a trial may wait for its turn to end, which is 3 ms, and a step alone may
/// be longer than a window. (2026-11-25.)
pub(super) const TRIALS_PAID: f64 = 50.0;
/// Nanoseconds of work for one that is timed: a clock may take 1 us where it is not the processor's.
/// (2026-11-25.)
pub(super) const TIMED: f64 = 4e4;

// The pool of threads.

/// Chunks for each thread: what another thread takes over at a time, and what the last thread may
/// still have to do when the others have finished, is an eighth of a share. A claim takes 10 ns.
/// (2026-11-25. Zen 4, two threads, shares in one piece or two: cancer 1.00x, digits 0.94x.)
pub(super) const CHUNKS: usize = 8;

/// Threads that train at the same time and get workers of their own; others do without. On so many
/// cores that more could be of use, each of these has several. (2026-12-01.)
pub(super) const POOLS: usize = 8;

/// Nanoseconds of work between two calls of parked workers, which take the caller 5 us each: at
/// most 5 % of its time, also where nothing comes of it because each op is over before a worker has
/// woken up. (2026-11-25.)
pub(super) const WAKE_AFTER: f64 = 100_000.0;

/// How long a thread spins before it lets go of its core. To wake a parked one takes 5 us of the
/// thread that wakes and about 50 us until it runs: who spins as long as that loses at most as much
/// again as by the best choice, and the gaps within a training step are well below. (2026-11-25.)
pub(super) const SPIN: Duration = Duration::from_micros(50);
/// Looks before the first reading of the clock, which takes 25 ns: 1 us at 40 cycles a pause (Zen),
/// 3 us at 140 (Intel since Skylake). (2026-11-25.)
pub(super) const LOOKS: usize = 64;
/// Looks between two offers of the core to whoever else is to run on it: without them a worker that
/// shares the caller's core keeps it from going on. An offer that nobody takes is 0.4 us. (2026-11-25.)
pub(super) const LOOKS_BETWEEN_YIELDS: usize = 16;

// Whether a long call should end early.

/// From one look to the next: half of what an answer may take, for a look comes only after the piece
/// of work that is in progress. (2026-11-30.)
pub(super) const APART: Duration = Duration::from_millis(50);
/// Nanoseconds of a region's work below which nobody reads the clock between its tiles. (2026-11-30.)
pub(super) const LONG: f64 = 1_000_000.0;

// Memory.

/// A huge page of x86-64, and of aarch64 with pages of 4 KB. Buffers of that size start on one, so
/// that the kernel can back all of them with huge pages: 5 % of a step's time at 5 MB. (2026-11-24.
/// Granite Rapids, from 32 KB on: LeNet-5 at 28 x 28 1.01x, cancer 0.99x, others 1.00x.)
pub(super) const HUGE_PAGE: usize = 2 << 20;

/// From this many bytes on an allocation asks for the available memory first: the kernel hands out
/// more than it has, and kills the process that then writes to it. Asking takes about 20 us, writing
/// this much takes milliseconds. (2026-11-24.)
pub(super) const CHECKED: usize = 64 << 20;

/// Bytes that lists, texts and the system's own bookkeeping take at most beside the arrays of a call:
/// what is small is made without asking, so large allocations see to it that there is room. (2026-11-30.)
pub(super) const SMALL: usize = 1 << 20;
/// Bytes that a layer adds to them: its ops, its names and places in a plan. (2026-11-30.)
pub(super) const SMALL_OF_LAYER: usize = 4 << 10;
