//! One thread's share of a region, and how a worker waits for the next one: it spins, then parks.
//!
//! A share is a range of chunks in one atomic word. Its owner claims from the front, threads that
//! have run out of their own claim from the back, so a thread keeps meeting the same tiles, and a
//! thread that the system has not scheduled loses what it has not begun.

use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::tuning::{LOOKS, LOOKS_BETWEEN_YIELDS, SPIN};

/// Spins until `ready`; gives up after [`SPIN`], and then gives false.
pub(super) fn spin_until(ready: impl Fn() -> bool) -> bool {
    let look = |times| {
        (0..times).any(|_| {
            spin_loop();
            ready()
        })
    };
    if ready() || look(LOOKS) {
        return true;
    }
    let start = Instant::now();
    while start.elapsed() < SPIN {
        thread::yield_now();
        if look(LOOKS_BETWEEN_YIELDS) {
            return true;
        }
    }
    ready()
}

/// A thread's share of a region `R`.
#[derive(Debug)]
pub(super) struct Share<R> {
    offer: CacheLine<Offer<R>>,
    /// Whether the worker has parked, or is about to. Hardly ever written.
    parked: CacheLine<AtomicBool>,
}

/// On cache lines of its own: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct CacheLine<T>(pub T);

/// The region lies beside its chunks, so that one cache line takes both from core to core.
#[derive(Debug)]
struct Offer<R> {
    /// The chunks that nobody has claimed: the first in the low half, one past the last in the high.
    chunks: AtomicU64,
    /// Written while there are no chunks; read by the owner of the share after a claim from it, and
    /// until that chunk has ended.
    region: UnsafeCell<Option<R>>,
}

// SAFETY: see `region` for who reads and writes it when.
unsafe impl<R: Copy + Send> Sync for Offer<R> {}

fn ends(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

impl<R: Copy + Send> Share<R> {
    /// A share without chunks, of a worker that has yet to start.
    pub(super) fn new() -> Self {
        Self {
            offer: CacheLine(Offer { chunks: AtomicU64::new(0), region: UnsafeCell::new(None) }),
            parked: CacheLine(AtomicBool::new(true)),
        }
    }

    /// Offers the chunks `first..end` of a region, and with them everything that the caller has
    /// written before.
    ///
    /// This store and a load by [`Self::is_parked`] after it, like the store and the load in
    /// [`Self::park`], are sequentially consistent: of two such pairs at least one sees the other's
    /// store. So either the worker sees its chunks and does not park, or the caller sees that it has
    /// parked. The same holds for the load of a worker that has acquired the offer by a claim.
    ///
    /// # Safety
    /// All chunks that were offered here before have been claimed and have ended.
    pub(super) unsafe fn offer(&self, region: R, first: u32, end: u32) {
        let CacheLine(offer) = &self.offer;
        // SAFETY: the owner reads it between a claim and the end of that chunk.
        unsafe { *offer.region.get() = Some(region) };
        offer.chunks.store(u64::from(end) << 32 | u64::from(first), Ordering::SeqCst);
    }

    /// The first chunk with its region, claimed by the owner.
    pub(super) fn begin(&self) -> Option<(u32, R)> {
        let chunk = self.first()?;
        // SAFETY: whoever offers the next region waits for the end of the chunk that this thread
        // has just claimed, and the claim has acquired what was written before the offer.
        unsafe { *self.offer.0.region.get() }.map(|region| (chunk, region))
    }

    /// Claims the first chunk.
    pub(super) fn first(&self) -> Option<u32> {
        self.claim(|first, end| (first, first + 1, end))
    }

    /// Claims the last chunk.
    pub(super) fn last(&self) -> Option<u32> {
        self.claim(|first, end| (end - 1, first, end - 1))
    }

    /// `take` gives the chunk and the range that is left.
    ///
    /// A claim that succeeds acquires what the offer released: only claims, which are
    /// read-modify-writes, come between, and they carry it on. A word that has come back from one
    /// region to the next does no harm: the claim is one of the region that is on offer.
    fn claim(&self, take: impl Fn(u32, u32) -> (u32, u32, u32)) -> Option<u32> {
        let chunks = &self.offer.0.chunks;
        let mut word = chunks.load(Ordering::Relaxed);
        loop {
            let (first, end) = ends(word);
            if first >= end {
                return None;
            }
            let (chunk, first, end) = take(first, end);
            let left = u64::from(end) << 32 | u64::from(first);
            match chunks.compare_exchange_weak(word, left, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(chunk),
                Err(now) => word = now,
            }
        }
    }

    fn any(&self, ordering: Ordering) -> bool {
        let (first, end) = ends(self.offer.0.chunks.load(ordering));
        first < end
    }

    /// Whether the worker must be woken to see an offer.
    pub(super) fn is_parked(&self) -> bool {
        self.parked.0.load(Ordering::SeqCst)
    }

    /// Parks the calling worker, unless there are chunks, until it is woken; see [`Self::offer`].
    ///
    /// The region that it was woken for may be over by then, and no other has chunks for a worker
    /// that is said to be parked: so it does not park again before it has spun.
    fn park(&self) {
        self.parked.0.store(true, Ordering::SeqCst);
        if !self.any(Ordering::SeqCst) {
            thread::park();
        }
        self.parked.0.store(false, Ordering::Relaxed);
    }

    /// What a worker does for ever: calls `work` whenever its share has chunks.
    ///
    /// A new worker parks at once: one that the cost rule never calls must not burn a core.
    pub(super) fn serve(&self, work: impl Fn()) {
        loop {
            self.park();
            while spin_until(|| self.any(Ordering::Relaxed)) {
                work();
            }
        }
    }
}
