//! Memory that is read next, on its way into a cache beside other work.

use std::cell::Cell;

use super::panels::Span;
use crate::simd::{Real, Vector};

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Elements that a thread will read soon. A loop that does not wait for memory takes a line in each turn
/// and fetches it into L2, until none is left.
#[derive(Debug)]
pub struct Fetch<T> {
    next: Cell<*const T>,
    lines: Cell<usize>,
}

impl<T: Real> Fetch<T> {
    /// These elements.
    #[must_use]
    pub fn new(elements: Span<T>) -> Self {
        let lines = (elements.len() * size_of::<T>()).div_ceil(LINE);
        let first =
            if elements.is_empty() { std::ptr::null() } else { elements.at(0).cast_const() };
        Self { next: Cell::new(first), lines: Cell::new(lines) }
    }

    /// The next `most` lines, or as many of them as are left.
    #[inline(always)]
    pub(super) fn take(&self, most: usize) -> Lines<T> {
        let (first, left) = (self.next.get(), self.lines.get());
        let count = if most < left { most } else { left };
        self.next.set(first.wrapping_add(count * LINE / size_of::<T>()));
        self.lines.set(left - count);
        Lines { first, count }
    }
}

/// Lines that follow each other.
#[derive(Clone, Copy)]
pub(super) struct Lines<T> {
    first: *const T,
    pub count: usize,
}

impl<T: Real> Lines<T> {
    /// Asks for line `i`.
    #[inline(always)]
    pub(super) fn fetch<V: Vector<T>>(self, i: usize) {
        V::prefetch_far(self.first.wrapping_add(i * LINE / size_of::<T>()));
    }
}

#[cfg(test)]
mod tests {
    use super::{Fetch, LINE};
    use crate::kernels::panels::Span;

    #[test]
    fn each_line_is_taken_once() {
        let mut x = vec![0.0f32; 333];
        // SAFETY: the elements live as long as the span.
        let fetch = Fetch::new(unsafe { Span::from_raw(x.as_mut_ptr(), x.len()) });
        let mut at = 0;
        for most in [5, 0, 1, 9, 9] {
            let lines = fetch.take(most);
            assert_eq!(lines.count, most.min(333usize.div_ceil(16) - at));
            assert_eq!(lines.first, x.as_ptr().wrapping_add(at * LINE / 4));
            at += lines.count;
        }
        assert_eq!(at, 21);
        assert_eq!(Fetch::<f64>::new(Span::empty()).take(3).count, 0);
    }
}
