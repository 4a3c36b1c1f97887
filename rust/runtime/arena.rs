//! Aligned buffers.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::fmt;
use std::ptr::NonNull;

use super::memory;
use super::tuning::HUGE_PAGE;
use crate::error::Result;
use crate::simd::Real;

/// A cache line, which is also the widest register.
const LINE: usize = 64;

/// Types of which all-zero bytes are a value.
///
/// # Safety
/// They are.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

// SAFETY: +0.
unsafe impl<T: Real> Plain for T {}
// SAFETY: 0.
unsafe impl Plain for u8 {}
// SAFETY: 0.
unsafe impl Plain for u32 {}
// SAFETY: 0.
unsafe impl Plain for u64 {}
// SAFETY: 0.
unsafe impl Plain for i32 {}
// SAFETY: 0.
unsafe impl Plain for i64 {}

/// A buffer of `len` elements that starts at a multiple of 64 bytes and held zeros at first.
///
/// It lends addresses, never references: threads write to different parts of one buffer at once, and
/// who writes where is arranged by those who make views of it.
pub struct Arena<T: Plain> {
    ptr: NonNull<T>,
    len: usize,
    layout: Layout,
}

// SAFETY: the buffer is plain memory of no thread's own; see the type for who writes to it.
unsafe impl<T: Plain> Send for Arena<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Arena<T> {}

impl<T: Plain> Arena<T> {
    /// A buffer of zeros.
    ///
    /// # Errors
    /// `Error::Memory` if the allocator has none, or if a buffer of 64 MiB or more is larger than
    /// the available memory.
    pub fn zeroed(len: usize) -> Result<Self> {
        let bytes = memory::bytes_of::<T>(len)?;
        let align = if bytes >= HUGE_PAGE { HUGE_PAGE } else { LINE };
        let layout = Layout::from_size_align(bytes, align).map_err(|_| memory::refusal(bytes))?;
        if bytes == 0 {
            return Ok(Self { ptr: NonNull::<Aligned>::dangling().cast(), len: 0, layout });
        }
        memory::check_large(bytes as u64)?;
        // SAFETY: the layout's size is not zero.
        let start = unsafe {
            if align == HUGE_PAGE {
                let start = alloc(layout);
                if !start.is_null() {
                    // Before the first touch: a page that is in place stays small.
                    advise_huge_pages(start, bytes);
                    start.write_bytes(0, bytes);
                }
                start
            } else {
                alloc_zeroed(layout)
            }
        };
        match NonNull::new(start.cast::<T>()) {
            Some(ptr) => Ok(Self { ptr, len, layout }),
            None => Err(memory::refusal(bytes)),
        }
    }

    /// Makes all elements zero again.
    pub fn clear(&mut self) {
        // SAFETY: the buffer has that many elements, of which all-zero bytes are a value, and no other
        // thread writes to it while it is borrowed.
        unsafe { self.ptr.write_bytes(0, self.len) };
    }

    /// Takes over all elements of another buffer of this length.
    ///
    /// # Panics
    /// If it has another length.
    pub fn copy_from(&mut self, other: &Self) {
        assert_eq!(self.len, other.len);
        // SAFETY: both buffers have that many elements, and are two.
        unsafe { self.ptr.copy_from_nonoverlapping(other.ptr, self.len) };
    }

    /// The first element's address.
    #[inline(always)]
    #[must_use]
    pub fn as_ptr(&self) -> *mut T {
        self.ptr.as_ptr()
    }

    /// How many elements.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline(always)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T: Plain> Drop for Arena<T> {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.ptr.as_ptr().cast(), self.layout) };
        }
    }
}

impl<T: Plain> fmt::Debug for Arena<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Gives an empty buffer's address its alignment.
#[repr(align(64))]
struct Aligned;

/// Asks for huge pages; a kernel that has none goes on with small ones.
///
/// # Safety
/// The `bytes` from `start` on, a multiple of the page's size, are allocated and hold nothing yet.
#[cfg(target_os = "linux")]
unsafe fn advise_huge_pages(start: *mut u8, bytes: usize) {
    // SAFETY: the advice changes no contents; the caller vouches for the range.
    unsafe { libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE) };
}

/// Other systems choose their pages themselves.
#[cfg(not(target_os = "linux"))]
unsafe fn advise_huge_pages(_start: *mut u8, _bytes: usize) {}
