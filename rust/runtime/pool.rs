//! The tiles of an op, run on several threads.
//!
//! One pool serves the process, and where several of its threads train at the same time, one pool
//! each. Their workers start when an op first wants more than one thread, never touch Python and are
//! never joined: at the end of the process they are parked, or spin, and go with it.
//!
//! A region is one op's tiles, in chunks. The caller deals them out, an equal share to each thread,
//! works on its own, takes what others have not begun, and waits for the rest. Whoever finds no pool
//! that is free, and a tile that runs an op of its own, runs all tiles itself. Which thread runs a
//! tile makes no difference to any bit.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use super::callers;
use super::fork;
use super::memory;
use super::team::Team;
use super::tuning::{CHUNKS, POOLS, WAKE_AFTER};
use super::worker::{CacheLine, Share, spin_until};
use crate::error::{Error, Result};
use crate::simd::environment::FloatEnvironment;

/// In [`ThreadPool::pending`]: the caller sleeps.
const WAITING: u32 = 1 << 31;

type TileWork<'a> = dyn Fn(usize) + Sync + 'a;

thread_local! {
    static CHUNKS_OF_WORKERS: Cell<u64> = const { Cell::new(0) };
    /// The pool that this thread had last: its workers' caches know the thread's network.
    static HOME: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread runs tiles of a region.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Chunks that workers have run for this thread in regions of forced teams: what shows a test that
/// it compared several threads with one.
#[must_use]
pub fn chunks_of_workers() -> u64 {
    CHUNKS_OF_WORKERS.get()
}

/// Where the tiles of an op run.
#[derive(Debug)]
pub struct ThreadPool {
    /// Of [`fork::generation`]: in a child of the process that made it, a pool has no threads.
    generation: u64,
    /// Whether a caller has the pool. Taken by a compare-and-swap, never waited for.
    busy: AtomicBool,
    /// The caller's own.
    crew: UnsafeCell<Crew>,
    /// Chunks that have not ended, and [`WAITING`].
    pending: CacheLine<AtomicU32>,
    sleep: Mutex<()>,
    ended: Condvar,
    /// The first panic of the region.
    panicked: AtomicBool,
    panic: Mutex<Option<Error>>,
}

// SAFETY: `crew` is used by the caller that has set `busy` alone; `busy` hands it on with acquire
// and release.
unsafe impl Sync for ThreadPool {}

/// The threads, the caller's place first.
#[derive(Debug)]
struct Crew {
    members: &'static [Member],
    /// How many have been asked for; the system may have refused some.
    asked: usize,
    /// Nanoseconds of work that some worker slept through since the last call.
    slept_through: f64,
}

#[derive(Clone, Debug)]
struct Member {
    share: &'static Share<Region>,
    /// None for the caller.
    thread: Option<Thread>,
}

#[derive(Clone, Copy, Debug)]
struct Region {
    /// Lives until the region has ended.
    tile: *const TileWork<'static>,
    tiles: usize,
    chunks: u32,
    members: &'static [Member],
    /// Of [`Team`]: each member runs all of its share, and nothing of another's.
    fixed: bool,
}

// SAFETY: what `tile` points to may be called from several threads at once.
unsafe impl Send for Region {}

/// The pools of this process, or of the one it was forked from. Never freed: workers look at theirs as
/// long as they live, and in a child it may be in any state.
static OURS: [AtomicPtr<ThreadPool>; POOLS] = [const { AtomicPtr::new(ptr::null_mut()) }; POOLS];

impl ThreadPool {
    /// Calls `tile(0)` to `tile(tiles - 1)`, each once, on the threads of the team and in any order;
    /// all have ended when this returns. Tiles may run at the same time, so they write to different
    /// places.
    ///
    /// # Errors
    /// `Error::Internal` with a panic's message if a tile panicked; some tiles may then not have
    /// run.
    pub fn run(team: Team, tiles: usize, tile: &TileWork<'_>) -> Result<()> {
        let threads = team.threads.min(tiles);
        if threads > 1
            && !INSIDE.get()
            && let Some(pool) = Self::taken()
        {
            // SAFETY: `busy` was false and stays set until the store below.
            let crew = unsafe { &mut *pool.crew.get() };
            let members = pool.members(crew, team, threads);
            let result = if members.len() > 1 {
                Some(pool.lead(members, team.fixed, tiles, tile))
            } else {
                None
            };
            pool.busy.store(false, Ordering::Release);
            if let Some(result) = result {
                return result;
            }
        }
        caught(|| (0..tiles).for_each(tile))
    }

    /// A pool that was free and is now the caller's: the one that it had last, or where several threads
    /// train at the same time, another.
    fn taken() -> Option<&'static Self> {
        let home = HOME.get();
        let others = if callers::count() > 1 { POOLS } else { 1 };
        (0..others).map(|k| (home + k) % POOLS).find_map(|place| {
            let pool = Self::of_this_process(&OURS[place]);
            // Acquires what the last caller left in `crew`.
            let free =
                pool.busy.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
            free.is_ok().then(|| {
                HOME.set(place);
                pool
            })
        })
    }

    /// The pool in a place, with this process's threads.
    ///
    /// No lock is taken that another thread could hold at a fork. The pool of the parent is left as
    /// it is: its threads do not exist here, and its locks may be held for ever.
    fn of_this_process(place: &AtomicPtr<Self>) -> &'static Self {
        let generation = fork::generation();
        let mut current = place.load(Ordering::Acquire);
        loop {
            // SAFETY: null, or a leaked box, published with release.
            if let Some(pool) = unsafe { current.as_ref() }
                && pool.generation == generation
            {
                return pool;
            }
            let new = Box::into_raw(Box::new(Self::new(generation)));
            match place.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: leaked just now.
                Ok(_) => return unsafe { &*new },
                Err(other) => {
                    // SAFETY: made above and seen by nobody.
                    drop(unsafe { Box::from_raw(new) });
                    current = other;
                }
            }
        }
    }

    fn new(generation: u64) -> Self {
        Self {
            generation,
            busy: AtomicBool::new(false),
            crew: UnsafeCell::new(Crew { members: &[], asked: 0, slept_through: 0.0 }),
            pending: CacheLine::default(),
            sleep: Mutex::new(()),
            ended: Condvar::new(),
            panicked: AtomicBool::new(false),
            panic: Mutex::new(None),
        }
    }

    /// Those who take part in a region of up to `threads` threads: all, or if it does not pay to wake
    /// the parked ones, those before the first of them.
    fn members(&'static self, crew: &mut Crew, team: Team, threads: usize) -> &'static [Member] {
        if crew.asked < team.setting {
            self.grow(crew, team.setting);
        }
        let members = &crew.members[..threads.min(crew.members.len())];
        match members.iter().skip(1).position(|member| member.share.is_parked()) {
            None => members,
            Some(awake) => {
                crew.slept_through += team.nanoseconds;
                if crew.slept_through < WAKE_AFTER {
                    &members[..=awake]
                } else {
                    crew.slept_through = 0.0;
                    members
                }
            }
        }
    }

    /// Starts workers until there are `size` threads with the caller, or as many as the system gives.
    #[cold]
    fn grow(&'static self, crew: &mut Crew, size: usize) {
        crew.asked = size;
        // A thread without memory for its locals would end the process, so without room for more threads
        // those that there are go on.
        let members = memory::room(0).and_then(|()| memory::vector(size));
        let Ok(mut members) = members else { return };
        members.extend_from_slice(crew.members);
        while members.len() < size {
            let me = members.len();
            let share: &'static Share<Region> = Box::leak(Box::new(Share::new()));
            let thread = if me == 0 {
                None
            } else {
                let body = move || {
                    // A new thread has that of the thread which started it.
                    let _environment = FloatEnvironment::enter();
                    INSIDE.set(true);
                    share.serve(|| self.join(me, share));
                };
                let builder = thread::Builder::new().name(format!("ironmlp-{me}"));
                match builder.spawn(body) {
                    Ok(handle) => Some(handle.thread().clone()),
                    Err(_) => break,
                }
            };
            members.push(Member { share, thread });
        }
        // Workers still hold the shorter list, of which there are few.
        crew.members = members.leak();
    }

    /// Runs a region as its caller, member 0.
    ///
    /// A claimed chunk keeps the region alive: this returns only when every chunk has ended, and a
    /// worker uses the region only between a claim and the end of what it has claimed. A worker that
    /// comes late finds its share empty, or with chunks of the next region, and then works on that.
    fn lead(
        &self,
        members: &'static [Member],
        fixed: bool,
        tiles: usize,
        tile: &TileWork<'_>,
    ) -> Result<()> {
        let threads = members.len();
        let chunks = tiles.min(threads * CHUNKS).min(u32::MAX as usize >> 1) as u32;
        let region = Region {
            // SAFETY: only the lifetime changes; see above for how long it is used.
            tile: unsafe {
                std::mem::transmute::<*const TileWork<'_>, *const TileWork<'static>>(tile)
            },
            tiles,
            chunks,
            members,
            fixed,
        };
        // The offers publish this, too: workers subtract only after a claim.
        self.pending.0.store(chunks, Ordering::Relaxed);
        for (me, member) in members.iter().enumerate().rev() {
            let [first, end] = [me, me + 1].map(|i| split(chunks as usize, i, threads) as u32);
            // SAFETY: the last region has ended, which is when all of its chunks have.
            unsafe { member.share.offer(region, first, end) };
        }
        wake(members, 0);
        INSIDE.set(true);
        let ran = self.work(&region, 0, 0);
        INSIDE.set(false);
        if ran < chunks {
            self.wait(ran);
        }
        if fixed {
            CHUNKS_OF_WORKERS.set(CHUNKS_OF_WORKERS.get() + u64::from(chunks - ran));
        }
        if self.panicked.load(Ordering::Relaxed) {
            self.panicked.store(false, Ordering::Relaxed);
            if let Some(error) = lock(&self.panic).take() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Runs a region as a worker, if there is one.
    fn join(&self, me: usize, share: &Share<Region>) {
        let Some((chunk, region)) = share.begin() else { return };
        wake(region.members, me);
        self.chunk(&region, chunk);
        let ran = self.work(&region, me, 1);
        // Releases what the tiles wrote, and acquires for the last of all, who tells the caller.
        if self.pending.0.fetch_sub(ran, Ordering::AcqRel) == ran | WAITING {
            // With the lock the caller either has not looked at `pending` yet, or waits.
            drop(lock(&self.sleep));
            self.ended.notify_one();
        }
    }

    /// Claims and runs chunks, first its own, then those of others unless the shares are fixed, until
    /// there are none; gives how many, `ran` of which it had run before.
    fn work(&self, region: &Region, me: usize, mut ran: u32) -> u32 {
        let own = region.members[me].share;
        while let Some(chunk) = own.first() {
            self.chunk(region, chunk);
            ran += 1;
        }
        if region.fixed {
            return ran;
        }
        let (before, after) = region.members.split_at(me);
        for other in after[1..].iter().chain(before) {
            while let Some(chunk) = other.share.last() {
                self.chunk(region, chunk);
                ran += 1;
            }
        }
        ran
    }

    fn chunk(&self, region: &Region, chunk: u32) {
        let (chunk, chunks) = (chunk as usize, region.chunks as usize);
        // SAFETY: the caller of `lead` lends it until the region has ended.
        let tile = unsafe { &*region.tile };
        let tiles = split(region.tiles, chunk, chunks)..split(region.tiles, chunk + 1, chunks);
        if let Err(error) = caught(|| tiles.for_each(tile)) {
            lock(&self.panic).get_or_insert(error);
            // Ordered by `pending`.
            self.panicked.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until all chunks have ended, `ran` of which the caller has run.
    ///
    /// First it spins, then it sleeps: if a worker has lost its core to another process in the
    /// middle of a chunk, the system can move it to this one.
    fn wait(&self, ran: u32) {
        // Acquires what tiles wrote, here and below: each subtraction continues the last one's.
        if self.pending.0.fetch_sub(ran, Ordering::Acquire) == ran {
            return;
        }
        if spin_until(|| self.pending.0.load(Ordering::Acquire) == 0) {
            return;
        }
        let mut guard = lock(&self.sleep);
        while self.pending.0.fetch_or(WAITING, Ordering::AcqRel) & !WAITING != 0 {
            guard = self.ended.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Wakes two parked members, each of which wakes two more: a call takes 5 us.
fn wake(members: &[Member], me: usize) {
    for child in members.iter().skip(2 * me + 1).take(2) {
        if child.share.is_parked()
            && let Some(thread) = &child.thread
        {
            thread.unpark();
        }
    }
}

/// Where part `part` of `parts` of `n` starts: n * part / parts, without the overflow.
fn split(n: usize, part: usize, parts: usize) -> usize {
    n / parts * part + n % parts * part / parts
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `work` gives back.
///
/// # Errors
/// `Error::Internal` with a panic's message if it panicked.
pub fn caught<R>(work: impl FnOnce() -> R) -> Result<R> {
    // What a panic leaves half-written belongs to the call that now fails.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Error::Internal(message(&*panic)))
}

#[cold]
#[inline(never)]
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
