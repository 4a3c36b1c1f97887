//! Memory of a kernel's own.

use std::mem::MaybeUninit;

use crate::simd::Real;

/// `N` elements from the beginning of a cache line on. An array of elements may begin anywhere in a line:
/// a register of 64 bytes then lies in two, and a load of what was stored so waits until it has left the
/// core's store buffer.
#[repr(C, align(64))]
pub(super) struct Scratch<T, const N: usize>([MaybeUninit<T>; N]);

impl<T: Real, const N: usize> Scratch<T, N> {
    /// Not initialised: zeros would cost as much as some kernels.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; N])
    }

    /// All +0.
    #[inline(always)]
    pub(super) fn zeros() -> Self {
        Self([const { MaybeUninit::new(T::ZERO) }; N])
    }

    /// Elements `start..start + len` become +0.
    #[inline(always)]
    pub(super) fn clear(&mut self, start: usize, len: usize) {
        self.0[start..start + len].fill(const { MaybeUninit::new(T::ZERO) });
    }

    /// The first element's address.
    #[inline(always)]
    pub(super) fn ptr(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }
}
