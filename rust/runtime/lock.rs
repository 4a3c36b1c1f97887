//! Locks that nobody waits for: who holds one may need the GIL, and a fork copies it as it is, so that one
//! which another thread held stays locked in the child.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::error::{Error, Result};

/// What is behind a lock, whatever a panic has left of it.
///
/// # Errors
/// `Error::Busy` with the message if another thread holds it.
pub fn take_now<'a, T: ?Sized>(mutex: &'a Mutex<T>, busy: &str) -> Result<MutexGuard<'a, T>> {
    match mutex.try_lock() {
        Ok(guard) => Ok(guard),
        Err(TryLockError::Poisoned(error)) => Ok(PoisonError::into_inner(error)),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(busy.into())),
    }
}
