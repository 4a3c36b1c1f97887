//! Who may use a model's state now: readers together, one writer, or the thread that trains it.
//!
//! Nobody waits inside a lock: a fork copies locks as they are, and one that another thread held
//! stays locked in the child. One word counts the users and says in which generation of processes
//! they came, so that a child knows the users that it has lost.

use std::cell::{Cell, RefCell};
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::Duration;

use pyo3::prelude::*;

use super::entry::compute;
use crate::error::{Error, Result};
use crate::runtime::{fork, watch};

/// Set while a writer is in; below it are the readers.
const WRITER: u64 = 1 << 31;
/// Set while a writer waits: no more readers come in, or it might wait for ever.
const WAITING: u64 = 1 << 30;
/// Above it is the generation.
const GENERATION: u32 = 32;

const FORKED: &str = "the model was in use by another thread when this process was forked, and may \
                      be half-changed here; make a new one";
const TRAINING_AT_FORK: &str =
    "the model was in training when this process was forked; copy() it before the fork";
const TRAINING_ELSEWHERE: &str = "the model is in training in another thread; copy() it first";
const IN_THIS_CALL: &str = "the model is in use by the call that this loss function or signal handler \
                            runs in, and can be changed when that has ended";
const TRAINING_HERE: &str = "the model is in training already; end that fit first, or copy() it";

/// A state and the rule for its use.
pub struct Access<S> {
    users: AtomicU64,
    /// Generation and number of the thread that trains; 0 for none.
    trainer: AtomicU64,
    /// Free whenever `users` lets someone in, except for those that a fork has cut off.
    state: RwLock<S>,
}

/// Takes its user out of the count again.
struct Ticket<'a> {
    users: &'a AtomicU64,
    generation: u64,
    amount: u64,
}

thread_local! {
    /// The states for which this thread has tickets: a signal handler that runs in the middle of a call
    /// must not wait for that call.
    static HELD: RefCell<Vec<*const AtomicU64>> = const { RefCell::new(Vec::new()) };
}

impl<'a> Ticket<'a> {
    fn new(users: &'a AtomicU64, generation: u64, amount: u64) -> Self {
        HELD.with_borrow_mut(|held| held.push(users));
        Self { users, generation, amount }
    }
}

/// Whether this thread has a ticket for a state.
fn holds(users: &AtomicU64) -> bool {
    HELD.with_borrow(|held| held.contains(&ptr::from_ref(users)))
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        HELD.with_borrow_mut(|held| {
            if let Some(last) = held.iter().rposition(|&users| ptr::eq(users, self.users)) {
                held.remove(last);
            }
        });
        let leave = |word: u64| (word >> GENERATION == self.generation).then(|| word - self.amount);
        // In a child the users of the parent no longer count.
        let _ = self.users.fetch_update(SeqCst, SeqCst, leave);
    }
}

/// Shared use.
pub struct Reading<'a, S> {
    // Before the ticket: the lock is free when the ticket lets the next one in.
    guard: RwLockReadGuard<'a, S>,
    _ticket: Ticket<'a>,
}

/// Exclusive use.
pub struct Writing<'a, S> {
    guard: RwLockWriteGuard<'a, S>,
    _ticket: Ticket<'a>,
}

/// Something that keeps a state as it is for as long as it lives.
pub trait Hold {}

impl<S> Hold for Reading<'_, S> {}

impl<S> Deref for Reading<'_, S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.guard
    }
}

impl<S> Deref for Writing<'_, S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.guard
    }
}

impl<S> DerefMut for Writing<'_, S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.guard
    }
}

impl<S: Send + Sync> Access<S> {
    pub fn new(state: S) -> Self {
        // The first look at the generation is what starts the count of forks.
        let users = AtomicU64::new(fork::generation() << GENERATION);
        Self { users, trainer: AtomicU64::new(0), state: RwLock::new(state) }
    }

    /// Waits, without the GIL, for a writer to leave.
    ///
    /// # Errors
    /// `Error::Busy` if another thread trains the model, or had it at a fork, `Error::Interrupted` if
    /// Ctrl-C ends the wait.
    pub fn read(&self, py: Python<'_>) -> Result<Reading<'_, S>> {
        let ticket = self.enter(py, 1)?;
        match self.state.try_read() {
            Ok(guard) => Ok(Reading { guard, _ticket: ticket }),
            // A panic under the lock was reported when it happened.
            Err(TryLockError::Poisoned(error)) => {
                Ok(Reading { guard: error.into_inner(), _ticket: ticket })
            }
            Err(TryLockError::WouldBlock) => Err(Error::Busy(FORKED.into())),
        }
    }

    /// Waits, without the GIL, for all others to leave.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn write(&self, py: Python<'_>) -> Result<Writing<'_, S>> {
        let ticket = self.enter(py, WRITER)?;
        match self.state.try_write() {
            Ok(guard) => Ok(Writing { guard, _ticket: ticket }),
            Err(TryLockError::Poisoned(error)) => {
                Ok(Writing { guard: error.into_inner(), _ticket: ticket })
            }
            Err(TryLockError::WouldBlock) => Err(Error::Busy(FORKED.into())),
        }
    }

    /// Makes the calling thread the only one that gets in, until [`Self::end_training`]; waits for
    /// those who are in.
    ///
    /// # Errors
    /// `Error::Busy` also if this thread trains the model already.
    pub fn begin_training(&self, py: Python<'_>) -> Result<()> {
        self.check_idle()?;
        let _ticket = self.enter(py, WRITER)?;
        self.check_idle()?;
        self.trainer.store(fork::generation() << GENERATION | this_thread(), SeqCst);
        Ok(())
    }

    /// Lets the others in again.
    pub fn end_training(&self) {
        self.trainer.store(0, SeqCst);
    }

    fn enter(&self, py: Python<'_>, amount: u64) -> Result<Ticket<'_>> {
        match self.try_enter(amount)? {
            Some(ticket) => Ok(ticket),
            None => compute(py, || self.wait(amount)),
        }
    }

    #[cold]
    fn wait(&self, amount: u64) -> Result<Ticket<'_>> {
        let users = self.users.load(SeqCst);
        if holds(&self.users) && (amount == WRITER || users & WRITER != 0) {
            return Err(Error::Busy(IN_THIS_CALL.into()));
        }
        let mut tries = 0;
        loop {
            self.mark(amount, true);
            if let Some(ticket) =
                self.try_enter(amount).inspect_err(|_| self.mark(amount, false))?
            {
                return Ok(ticket);
            }
            // Others hold the state for microseconds (a few rows) or much longer (a slice).
            tries += 1;
            if tries < 100 {
                std::hint::spin_loop();
            } else {
                std::thread::sleep(Duration::from_micros(50));
                // A signal handler may read the model.
                self.mark(amount, false);
                watch::check()?;
            }
        }
    }

    /// Sets the mark of a writer that waits, or takes it back; others that wait set it again.
    fn mark(&self, amount: u64, waits: bool) {
        if amount == WRITER {
            let marked = |users| if waits { users | WAITING } else { users & !WAITING };
            let _ = self.users.fetch_update(SeqCst, SeqCst, |users| Some(marked(users)));
        }
    }

    /// A ticket, or `None` if others have to leave first.
    fn try_enter(&self, amount: u64) -> Result<Option<Ticket<'_>>> {
        self.check_trainer()?;
        let generation = fork::generation();
        let word = self.users.load(SeqCst);
        let mut users = word & ((1 << GENERATION) - 1);
        if word >> GENERATION != generation {
            if users & WRITER != 0 {
                return Err(Error::Busy(FORKED.into()));
            }
            users = 0;
        }
        // The waiting writer's mark goes when a writer gets in; others that wait set it again.
        let next = if amount == WRITER {
            if users & !WAITING != 0 {
                return Ok(None);
            }
            WRITER
        } else {
            // Who is in already does not wait for a writer that waits for him.
            if users & WRITER != 0 || users & WAITING != 0 && !holds(&self.users) {
                return Ok(None);
            }
            users + 1
        };
        let next = generation << GENERATION | next;
        if self.users.compare_exchange(word, next, SeqCst, SeqCst).is_err() {
            return Ok(None);
        }
        let ticket = Ticket::new(&self.users, generation, amount);
        // Training may have begun since the first look; it cannot begin any more.
        self.check_trainer()?;
        Ok(Some(ticket))
    }

    /// Refuses what no training may go on beside, not even that of the calling thread.
    ///
    /// # Errors
    /// `Error::Busy`.
    pub fn check_idle(&self) -> Result<()> {
        self.check_trainer()?;
        match self.trainer.load(SeqCst) {
            0 => Ok(()),
            _ => Err(Error::Busy(TRAINING_HERE.into())),
        }
    }

    fn check_trainer(&self) -> Result<()> {
        let trainer = self.trainer.load(SeqCst);
        let reason = if trainer == 0 {
            return Ok(());
        } else if trainer >> GENERATION != fork::generation() {
            TRAINING_AT_FORK
        } else if trainer & ((1 << GENERATION) - 1) != this_thread() {
            TRAINING_ELSEWHERE
        } else {
            return Ok(());
        };
        Err(Error::Busy(reason.into()))
    }
}

/// A number of this thread's own, from 1 on.
fn this_thread() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(LAST.fetch_add(1, SeqCst) + 1);
        }
        number.get()
    })
}
