//! Whether a long call should end early, as Ctrl-C wants it.
//!
//! Who begins a call says how to look for that. The thread of the call then looks now and then,
//! between pieces of work that leave nothing half-changed, and no other thread ever does: only one
//! thread of a process takes signals. What runs without a watch is never interrupted.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::pool::ThreadPool;
use super::team::Team;
use super::tuning::{APART, LONG};
use crate::error::{Error, Result};

/// Whether the call should end.
pub type Look = fn() -> bool;

#[derive(Clone, Copy)]
struct Watch {
    look: Look,
    /// None before the first question, which only starts the clock: a short call never looks.
    last: Option<Instant>,
    /// Once it should end, it should.
    ended: bool,
}

thread_local! {
    static WATCH: Cell<Option<Watch>> = const { Cell::new(None) };
}

/// Puts the watch back that was there before, also after a panic.
struct Before(Option<Watch>);

impl Drop for Before {
    fn drop(&mut self) {
        WATCH.set(self.0);
    }
}

/// Does work during which this thread looks whether it should end.
///
/// # Errors
/// What `work` gives, [`Error::Interrupted`] among it.
pub fn watched<R>(look: Look, work: impl FnOnce() -> Result<R>) -> Result<R> {
    let _before = Before(WATCH.replace(Some(Watch { look, last: None, ended: false })));
    work()
}

/// To be asked between two pieces of work of 100 us or more; it takes 30 ns.
///
/// # Errors
/// `Error::Interrupted` if the call of this thread should end.
#[inline]
pub fn check() -> Result<()> {
    match WATCH.get() {
        None => Ok(()),
        Some(watch) => watch.check(),
    }
}

impl Watch {
    fn check(mut self) -> Result<()> {
        let now = Instant::now();
        match self.last {
            None => self.last = Some(now),
            Some(last) if !self.ended && now.duration_since(last) >= APART => {
                // Code that runs while it looks may begin a watch of its own.
                self.ended = (self.look)();
                self.last = Some(Instant::now());
            }
            Some(_) => {}
        }
        WATCH.set(Some(self));
        if self.ended { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// As [`ThreadPool::run`], for tiles of which some may be left out if the call should end.
///
/// # Errors
/// As `ThreadPool::run`, and `Error::Interrupted`.
pub fn run(team: Team, tiles: usize, tile: &(dyn Fn(usize) + Sync)) -> Result<()> {
    if tiles < 2 || team.nanoseconds() < LONG {
        return ThreadPool::run(team, tiles, tile);
    }
    let ended = AtomicBool::new(false);
    ThreadPool::run(team, tiles, &|index| {
        if !ended.load(Ordering::Relaxed) {
            tile(index);
            if check().is_err() {
                ended.store(true, Ordering::Relaxed);
            }
        }
    })?;
    if ended.into_inner() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Pieces of `0..n`, at most `piece` long, between which the thread looks whether its call should end.
///
/// # Errors
/// What `work` gives, or `Error::Interrupted`.
pub fn pieces(
    n: usize,
    piece: usize,
    mut work: impl FnMut(std::ops::Range<usize>) -> Result<()>,
) -> Result<()> {
    let piece = piece.max(1);
    for start in (0..n).step_by(piece) {
        if start > 0 {
            check()?;
        }
        work(start..n.min(start.saturating_add(piece)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn always() -> bool {
        true
    }

    fn never() -> bool {
        false
    }

    /// Asks often, for longer than looks are apart.
    fn ask() -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < 4 * APART {
            check()?;
            std::thread::sleep(APART / 10);
        }
        Ok(())
    }

    #[test]
    fn a_call_ends_if_it_should_and_only_then() {
        assert_eq!(ask(), Ok(()));
        assert_eq!(watched(never, ask), Ok(()));
        assert_eq!(watched(always, ask), Err(Error::Interrupted));
        assert_eq!(ask(), Ok(()));
    }

    #[test]
    fn once_ended_it_stays_ended_and_one_watch_hides_another() {
        watched(always, || {
            assert_eq!(watched(never, ask), Ok(()));
            assert_eq!(ask(), Err(Error::Interrupted));
            assert_eq!(check(), Err(Error::Interrupted));
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn a_short_call_never_looks() {
        assert_eq!(watched(always, check), Ok(()));
    }

    #[test]
    fn tiles_are_left_out_when_a_call_ends() {
        let ran = std::sync::atomic::AtomicUsize::new(0);
        let tile = |_: usize| {
            ran.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(APART / 5);
        };
        let run_all = || run(Team::for_cost(1, 1e10), 40, &tile);
        assert_eq!(watched(always, run_all), Err(Error::Interrupted));
        assert!((5..20).contains(&ran.into_inner()));
    }

    #[test]
    fn pieces_cover_everything() {
        for (n, piece) in [(0, 3), (1, 3), (3, 3), (10, 3), (10, 0), (5, usize::MAX)] {
            let mut all = Vec::new();
            pieces(n, piece, |range| {
                all.extend(range);
                Ok(())
            })
            .unwrap();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
    }
}
