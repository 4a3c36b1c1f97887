//! What all threads of one process share.
//!
//! A fork copies locks as they are: one that another thread holds at that moment stays locked in the
//! child. So the child takes neither the lock nor what is behind it, but begins anew.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use super::fork;

/// A value behind a lock, of which each process has its own, `T::default()` at first.
///
/// What a parent had there stays allocated in the child, where nobody reaches it.
pub struct PerProcess<T> {
    present: AtomicPtr<Slot<T>>,
}

/// The value of the process that has this generation.
struct Slot<T> {
    generation: u64,
    value: Mutex<T>,
}

impl<T: Default + Send + 'static> PerProcess<T> {
    /// For a `static`; the value is made when it is first used.
    #[must_use]
    pub const fn new() -> Self {
        Self { present: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Does something with this process's value, while all other threads wait: `work` must be short,
    /// and must not use the value by another call.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.slot().value.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut value)
    }

    fn slot(&self) -> &Slot<T> {
        let generation = fork::generation();
        loop {
            let present = self.present.load(Ordering::Acquire);
            // SAFETY: null, or the address of a slot that was leaked below and is never freed.
            if let Some(slot) = unsafe { present.as_ref() }
                && slot.generation == generation
            {
                return slot;
            }
            let own = Box::into_raw(Box::new(Slot { generation, value: Mutex::default() }));
            let (set, unset) = (Ordering::AcqRel, Ordering::Relaxed);
            if self.present.compare_exchange(present, own, set, unset).is_err() {
                // SAFETY: from `Box::into_raw`, and no other thread has seen it.
                drop(unsafe { Box::from_raw(own) });
            }
        }
    }
}

impl<T: Default + Send + 'static> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::PerProcess;

    static COUNT: PerProcess<u64> = PerProcess::new();

    #[test]
    fn threads_share_a_value_and_a_child_has_its_own_though_the_lock_was_held() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| COUNT.with(|count| *count += 1)));
            }
        });
        assert_eq!(COUNT.with(|count| *count), 400);
        let status = COUNT.with(|_| {
            // SAFETY: the child calls nothing but this crate and `_exit`.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let status = i32::from(COUNT.with(|count| *count) != 0);
                // SAFETY: ends the child without the parent's destructors.
                unsafe { libc::_exit(status) };
            }
            let mut status = -1;
            // SAFETY: the child is ours, and the address that of an integer.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            status
        });
        assert_eq!(status, 0);
        assert_eq!(COUNT.with(|count| *count), 400);
    }
}
