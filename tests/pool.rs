//! The pool: every tile once, whoever calls, panics or forks.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use ironmlp::error::{Error, Result};
use ironmlp::runtime::pool::{ThreadPool, chunks_of_workers};
use ironmlp::runtime::{Pace, Team, team};
use ironmlp::simd::FloatEnvironment;

mod callers;

/// Keeps the other tests of this program from the pool: who finds it in use runs inline.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is wrong with a way to run `tiles` tiles that must run each once.
fn once(tiles: usize, run: impl FnOnce(&(dyn Fn(usize) + Sync)) -> Result<()>) -> Result<()> {
    let counts: Vec<_> = (0..tiles).map(|_| AtomicU32::new(0)).collect();
    run(&|tile| {
        counts[tile].fetch_add(1, Ordering::Relaxed);
    })?;
    match counts.iter().position(|count| count.load(Ordering::Relaxed) != 1) {
        Some(tile) => Err(Error::Internal(format!(
            "of {tiles} tiles, {tile} ran {} times",
            counts[tile].load(Ordering::Relaxed)
        ))),
        None => Ok(()),
    }
}

/// The threads that ran tiles of one region of tiles long enough for all to get some.
fn crew(team: Team) -> HashSet<ThreadId> {
    let seen = Mutex::new(HashSet::new());
    ThreadPool::run(team, 8 * team.threads(), &|_| {
        seen.lock().unwrap().insert(thread::current().id());
        thread::sleep(Duration::from_micros(500));
    })
    .unwrap();
    seen.into_inner().unwrap()
}

/// Whether all of so many threads run tiles, sooner or later, and never more.
fn all_take_part(threads: usize) -> bool {
    (0..200).any(|_| {
        let crew = crew(Team::whole(threads));
        assert!(crew.len() <= threads, "{} of {threads} threads", crew.len());
        crew.len() == threads
    })
}

#[test]
fn each_tile_runs_once() {
    let _alone = alone();
    for threads in [1, 2, 3, 4, 7, 9] {
        for tiles in (0..40).chain([63, 64, 65, 257, 1000]) {
            let run =
                |tile: &(dyn Fn(usize) + Sync)| ThreadPool::run(Team::whole(threads), tiles, tile);
            once(tiles, run).unwrap_or_else(|error| panic!("{threads} threads: {error}"));
        }
    }
}

/// What [`once`] is worth.
#[test]
fn a_tile_left_out_or_run_twice_is_found() {
    let twice = once(20, |tile| {
        (0..20).for_each(tile);
        tile(7);
        Ok(())
    });
    assert!(matches!(twice, Err(Error::Internal(m)) if m.contains("7 ran 2 times")));
    let left_out = once(20, |tile| {
        (0..19).for_each(tile);
        Ok(())
    });
    assert!(matches!(left_out, Err(Error::Internal(m)) if m.contains("19 ran 0 times")));
}

#[test]
fn many_regions_one_after_the_other() {
    let _alone = alone();
    for region in 0..20_000 {
        let (threads, tiles) = (2 + region % 3, 2 + region % 29);
        // What a tile wrote in the last region must be there, and what it writes now, afterwards.
        once(tiles, |tile| ThreadPool::run(Team::whole(threads), tiles, tile)).unwrap();
    }
}

#[test]
fn writes_of_tiles_are_seen_by_the_caller_and_by_the_next_region() {
    let _alone = alone();
    let cells: Vec<_> = (0..64).map(|_| AtomicUsize::new(0)).collect();
    for round in 0..5000 {
        ThreadPool::run(Team::whole(3), cells.len(), &|tile| {
            // Another tile's cell of the last round.
            let other = &cells[(tile * 29 + 1) % cells.len()];
            assert!(other.load(Ordering::Relaxed) >= round);
            cells[tile].store(round + 1, Ordering::Relaxed);
        })
        .unwrap();
        assert!(cells.iter().all(|cell| cell.load(Ordering::Relaxed) == round + 1));
    }
}

#[test]
fn the_pool_starts_and_grows_to_what_is_asked_for() {
    let _alone = alone();
    for threads in [2, 5, 3] {
        assert!(all_take_part(threads), "{threads}");
    }
    if cfg!(target_os = "linux") {
        // An op that is not worth more than one thread starts none; one that is, all.
        let before = workers();
        ThreadPool::run(Team::for_cost(before + 3, 100.0), 8, &|_| ()).unwrap();
        assert_eq!(workers(), before);
        if Team::for_cost(2, f64::INFINITY).threads() > 1 {
            // Some of them may be another pool's.
            let size = before + 2;
            ThreadPool::run(Team::for_cost(size, 1e9), 8, &|_| ()).unwrap();
            let grown = workers();
            assert!(grown > before);
            ThreadPool::run(Team::for_cost(size + 2, 1e9), 8, &|_| ()).unwrap();
            assert_eq!(workers(), grown + 2);
        }
    }
}

/// What the tests of bits rely on: without it an op of little work stays on its caller.
#[test]
fn forced_threads_run_a_share_each() {
    let _alone = alone();
    assert_eq!(Team::for_cost(5, 1.0).threads(), 1);
    assert!(!team::force(true));
    for _ in 0..100 {
        let op = Team::for_cost(5, 1.0);
        assert_eq!(op.threads(), 5);
        let (runners, before) = (Mutex::new(vec![None; 40]), chunks_of_workers());
        ThreadPool::run(op, 40, &|tile| {
            runners.lock().unwrap()[tile] = Some(thread::current().id());
        })
        .unwrap();
        let runners = runners.into_inner().unwrap();
        assert!(runners.chunks(8).all(|share| share.iter().all(|id| *id == share[0])));
        assert_eq!(runners.iter().collect::<HashSet<_>>().len(), 5);
        assert_eq!(chunks_of_workers() - before, 32);
        assert_eq!(Team::for_cost(1, 1e9).threads(), 1);
    }
    // Nor does the clock have a say: several threads are twice as slow as one here.
    let mut pace = Pace::default();
    for _ in 0..100 {
        let threads = pace.threads(5);
        assert_eq!(threads, 5);
        if pace.is_due(1e6) {
            pace.record(1, 2e6);
        }
    }
    assert!(team::force(false));
    assert_eq!(Team::for_cost(5, 1.0).threads(), 1);
    assert!(chunks_of_workers() > 0);
    // Another thread's ops are not forced.
    team::force(true);
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(Team::for_cost(5, 1.0).threads(), 1));
    });
    team::force(false);
}

/// Regions shorter than a worker takes to wake up.
#[test]
fn parked_workers_come_back_to_small_ops() {
    let _alone = alone();
    let team = Team::for_cost(2, 10_000.0);
    if team.threads() < 2 {
        return;
    }
    assert!(all_take_part(2));
    let (me, helped) = (thread::current().id(), AtomicUsize::new(0));
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(5));
        let end = Instant::now() + Duration::from_secs(20);
        helped.store(0, Ordering::Relaxed);
        while helped.load(Ordering::Relaxed) < 10 {
            assert!(Instant::now() < end, "{helped:?}");
            ThreadPool::run(team, 8, &|_| {
                helped.fetch_add(usize::from(thread::current().id() != me), Ordering::Relaxed);
                (0..500).for_each(|_| std::hint::spin_loop());
            })
            .unwrap();
        }
    }
}

/// How many workers this process has. A new thread names itself, so this waits until they all have.
fn workers() -> usize {
    let count = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default()
        };
        tasks.map(name).filter(|name| name.starts_with("ironmlp-")).count()
    };
    let mut counts = vec![count()];
    while !counts.ends_with(&[counts[counts.len() - 1]; 5]) {
        thread::sleep(Duration::from_millis(20));
        counts.push(count());
    }
    counts[counts.len() - 1]
}

#[test]
fn who_finds_the_pool_in_use_runs_inline() {
    let _alone = alone();
    let (held, done) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            ThreadPool::run(Team::whole(2), 2, &|_| {
                held.store(true, Ordering::Release);
                while !done.load(Ordering::Acquire) {
                    thread::yield_now();
                }
            })
            .unwrap();
        });
        while !held.load(Ordering::Acquire) {
            thread::yield_now();
        }
        let crew = crew(Team::whole(4));
        done.store(true, Ordering::Release);
        assert_eq!(crew, HashSet::from([thread::current().id()]));
    });
}

#[test]
fn callers_at_the_same_time() {
    let _alone = alone();
    thread::scope(|scope| {
        for caller in 0..4 {
            scope.spawn(move || {
                for region in 0..2000 {
                    let tiles = 1 + (caller * 31 + region) % 50;
                    once(tiles, |tile| ThreadPool::run(Team::whole(2 + caller), tiles, tile))
                        .unwrap();
                }
            });
        }
    });
}

#[test]
fn far_more_threads_than_cores() {
    let _alone = alone();
    for region in 0..300 {
        let tiles = 50 + region % 100;
        once(tiles, |tile| {
            ThreadPool::run(Team::whole(24), tiles, &|i| {
                if i % 16 == 0 {
                    thread::yield_now();
                }
                tile(i);
            })
        })
        .unwrap();
    }
}

#[test]
fn a_tile_may_run_an_op_of_its_own() {
    let _alone = alone();
    let sum = AtomicUsize::new(0);
    ThreadPool::run(Team::whole(3), 12, &|outer| {
        let me = thread::current().id();
        ThreadPool::run(Team::whole(3), 10, &|inner| {
            assert_eq!(thread::current().id(), me);
            sum.fetch_add(10 * outer + inner, Ordering::Relaxed);
        })
        .unwrap();
    })
    .unwrap();
    assert_eq!(sum.into_inner(), (0..120).sum::<usize>());
}

#[test]
fn a_panic_in_a_tile_becomes_an_error() {
    let _alone = alone();
    for threads in [1, 2, 4] {
        let result = ThreadPool::run(Team::whole(threads), 40, &|tile| {
            assert!(tile != 33, "tile {tile} is bad");
        });
        match result {
            Err(Error::Internal(text)) => assert!(text.contains("tile 33 is bad"), "{text}"),
            other => panic!("{other:?}"),
        }
        let fixed = ThreadPool::run(Team::whole(threads), 8, &|_| panic!("a fixed text"));
        assert!(matches!(fixed, Err(Error::Internal(text)) if text.contains("a fixed text")));
        // The panics are over and forgotten.
        once(40, |tile| ThreadPool::run(Team::whole(threads), 40, tile)).unwrap();
    }
}

#[test]
fn a_panic_on_either_side_leaves_the_pool_usable() {
    let _alone = alone();
    let caller = thread::current().id();
    for of_caller in [true, false] {
        let failed = (0..200).any(|_| {
            let result = ThreadPool::run(Team::whole(2), 16, &|_| {
                thread::sleep(Duration::from_micros(200));
                let is_caller = thread::current().id() == caller;
                assert!(is_caller != of_caller, "caller: {is_caller}");
            });
            matches!(result, Err(Error::Internal(text)) if text.contains(&format!("{of_caller}")))
        });
        assert!(failed, "no tile ran there");
        assert!(all_take_part(2));
    }
}

#[test]
fn workers_have_the_default_floating_point_environment() {
    let _alone = alone();
    let default = {
        let _environment = FloatEnvironment::enter();
        FloatEnvironment::word()
    };
    // Workers that start now have it from this thread.
    let caller = FloatEnvironment::enter();
    FloatEnvironment::flush_to_zero();
    let threads = 32;
    let (me, others) = (thread::current().id(), AtomicUsize::new(0));
    let attempts = (0..50).take_while(|_| others.load(Ordering::Relaxed) < threads / 2);
    let results: Vec<_> = attempts
        .map(|_| {
            ThreadPool::run(Team::whole(threads), threads, &|_| {
                if thread::current().id() != me {
                    others.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(FloatEnvironment::word(), default);
                }
                thread::sleep(Duration::from_millis(1));
            })
        })
        .collect();
    drop(caller);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(others.into_inner() > 0, "no worker ran a tile");
}

/// Forks; gives whether `work` came back true in the child within 30 seconds.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn in_a_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child has this thread alone. It allocates, which the system's allocators allow
    // after a fork, and takes no lock that another thread could have held.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a child that hangs is ended by a signal; `_exit` runs no destructors of the parent.
        unsafe {
            libc::alarm(30);
            libc::_exit(if work() { 7 } else { 1 });
        }
    }
    assert!(child > 0);
    let mut status = 0;
    // SAFETY: waits for a child of this process.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
#[test]
fn a_child_has_a_pool_of_its_own() {
    let _alone = alone();
    let works = || {
        all_take_part(3)
            && (0..500).all(|i| {
                let run = |tile: &(dyn Fn(usize) + Sync)| {
                    ThreadPool::run(Team::whole(3), 1 + i % 40, tile)
                };
                once(1 + i % 40, run).is_ok()
            })
    };
    assert!(works());
    assert!(in_a_child(works));
    assert!(in_a_child(|| works() && in_a_child(works)));
    assert!(works());
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
#[test]
fn a_fork_while_another_thread_has_the_pool() {
    let _alone = alone();
    assert!(all_take_part(2));
    let (held, done) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            ThreadPool::run(Team::whole(2), 2, &|_| {
                held.store(true, Ordering::Release);
                while !done.load(Ordering::Acquire) {
                    thread::sleep(Duration::from_micros(100));
                }
            })
        });
        while !held.load(Ordering::Acquire) {
            thread::yield_now();
        }
        // Long enough for its caller to sleep, with the lock's state in the child whatever it is.
        thread::sleep(Duration::from_millis(2));
        let worked = in_a_child(|| all_take_part(2));
        done.store(true, Ordering::Release);
        assert!(worked);
        assert_eq!(other.join().unwrap(), Ok(()));
    });
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
#[test]
fn forks_while_regions_run() {
    let _alone = alone();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                once(30, |tile| ThreadPool::run(Team::whole(3), 30, tile)).unwrap();
            }
        });
        let worked = (0..20).all(|_| {
            in_a_child(|| {
                (0..50).all(|_| once(30, |t| ThreadPool::run(Team::whole(2), 30, t)).is_ok())
            })
        });
        done.store(true, Ordering::Relaxed);
        assert!(worked);
        other.join().unwrap();
    });
}
