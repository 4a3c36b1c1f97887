//! 16 lanes in plain Rust: what aarch64 runs, and the yardstick of the other instruction sets.
//!
//! aarch64 has fused multiply-add in its baseline, so LLVM vectorises these loops there. On an
//! x86-64 without FMA `mul_add` calls the C library, which is right but slow. There the operations and the
//! elementary functions are calls themselves, and tiles have one register: unrolled, plain Rust was 28 % of
//! the program's code and the slowest to compile.

use super::{Kernel, LANES, Real, Simd, Vector};

/// The instruction set of plain Rust.
#[derive(Clone, Copy, Debug)]
pub struct Baseline;

impl Simd for Baseline {
    type Register<T: Real> = T::PortableVector;
    type Lanes<T: Real> = T::PortableVector;
    type Half<T: Real> = T::PortableVector;
    type Four<T: Real> = T::PortableVector;
    const REGISTERS: usize = if CALLS { 1 } else { 8 };
    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        enter(kernel)
    }
}

/// Runs a kernel in plain Rust. It is entered by a pointer or by `Simd::call`, never copied into its callers.
#[inline(never)]
pub(super) fn enter<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Baseline>()
}

/// Whether operations are calls.
const CALLS: bool = cfg!(target_arch = "x86_64");

/// 16 lanes in an array.
#[derive(Clone, Copy, Debug)]
pub struct Portable<T>([T; LANES]);

macro_rules! lanes {
    ($i:ident => $value:expr) => {{
        let mut out = [Self::ZERO_LANE; LANES];
        for $i in 0..LANES {
            out[$i] = $value;
        }
        Self(out)
    }};
}

macro_rules! mask {
    ($i:ident => $value:expr) => {{
        let mut out = [false; LANES];
        for $i in 0..LANES {
            out[$i] = $value;
        }
        out
    }};
}

macro_rules! portable {
    ($T:ty, $U:ty, $mantissa_bits:literal, $bias:literal) => {
        impl Portable<$T> {
            const ZERO_LANE: $T = 0.0;
        }

        impl Vector<$T> for Portable<$T> {
            const LANES: usize = LANES;
            const CALLS: bool = CALLS;
            type Mask = [bool; LANES];

            #[inline(always)]
            fn splat(x: $T) -> Self {
                Self([x; LANES])
            }
            #[inline(always)]
            unsafe fn load(p: *const $T) -> Self {
                // SAFETY: the caller vouches for LANES values at `p`.
                Self(unsafe { p.cast::<[$T; LANES]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $T) {
                // SAFETY: the caller vouches for LANES values at `p`.
                unsafe { p.cast::<[$T; LANES]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn load_partial(p: *const $T, n: usize) -> Self {
                let mut out = [0.0; LANES];
                for (i, lane) in out.iter_mut().enumerate().take(n) {
                    // SAFETY: i < n, and the caller vouches for n values at `p`.
                    *lane = unsafe { p.add(i).read_unaligned() };
                }
                Self(out)
            }
            #[inline(always)]
            unsafe fn store_partial(self, p: *mut $T, n: usize) {
                for (i, lane) in self.0.iter().enumerate().take(n) {
                    // SAFETY: i < n, and the caller vouches for n values at `p`.
                    unsafe { p.add(i).write_unaligned(*lane) };
                }
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn add(self, b: Self) -> Self {
                lanes!(i => self.0[i] + b.0[i])
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn sub(self, b: Self) -> Self {
                lanes!(i => self.0[i] - b.0[i])
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn mul(self, b: Self) -> Self {
                lanes!(i => self.0[i] * b.0[i])
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn div(self, b: Self) -> Self {
                lanes!(i => self.0[i] / b.0[i])
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn fma(self, b: Self, c: Self) -> Self {
                lanes!(i => self.0[i].mul_add(b.0[i], c.0[i]))
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn sqrt(self) -> Self {
                lanes!(i => self.0[i].sqrt())
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn max(self, b: Self) -> Self {
                lanes!(i => if self.0[i] > b.0[i] { self.0[i] } else { b.0[i] })
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn min(self, b: Self) -> Self {
                lanes!(i => if self.0[i] < b.0[i] { self.0[i] } else { b.0[i] })
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn round(self) -> Self {
                lanes!(i => self.0[i].round_ties_even())
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn and(self, b: Self) -> Self {
                lanes!(i => <$T>::from_bits(self.0[i].to_bits() & b.0[i].to_bits()))
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn or(self, b: Self) -> Self {
                lanes!(i => <$T>::from_bits(self.0[i].to_bits() | b.0[i].to_bits()))
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn xor(self, b: Self) -> Self {
                lanes!(i => <$T>::from_bits(self.0[i].to_bits() ^ b.0[i].to_bits()))
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn pow2(self) -> Self {
                // 1.5 * 2^mantissa_bits puts the integer into the low bits of the sum.
                const MAGIC: $T = (3u64 << ($mantissa_bits - 1)) as $T;
                lanes!(i => <$T>::from_bits(
                    (self.0[i] + MAGIC).to_bits().wrapping_add($bias) << $mantissa_bits
                ))
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn exponent(self) -> Self {
                lanes!(i => (self.0[i].to_bits() >> $mantissa_bits) as $T - $bias as $T)
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn mantissa(self) -> Self {
                const FIELD: $U = (1 << $mantissa_bits) - 1;
                const ONE: $U = $bias << $mantissa_bits;
                lanes!(i => <$T>::from_bits(self.0[i].to_bits() & FIELD | ONE))
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn lt(self, b: Self) -> Self::Mask {
                mask!(i => self.0[i] < b.0[i])
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn le(self, b: Self) -> Self::Mask {
                mask!(i => self.0[i] <= b.0[i])
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn eq(self, b: Self) -> Self::Mask {
                mask!(i => self.0[i] == b.0[i])
            }
            #[cfg_attr(target_arch = "x86_64", inline(never))]
            #[cfg_attr(not(target_arch = "x86_64"), inline(always))]
            fn select(mask: Self::Mask, a: Self, b: Self) -> Self {
                lanes!(i => if mask[i] { a.0[i] } else { b.0[i] })
            }
            #[inline(always)]
            fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
                mask!(i => a[i] & b[i])
            }
            #[inline(always)]
            fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
                mask!(i => a[i] | b[i])
            }
            #[inline(always)]
            fn any(mask: Self::Mask) -> bool {
                mask.iter().any(|&lane| lane)
            }
            #[inline(always)]
            fn sign_mask(self) -> Self::Mask {
                mask!(i => self.0[i].is_sign_negative())
            }
            #[inline(always)]
            fn abs(self) -> Self {
                lanes!(i => self.0[i].abs())
            }
        }
    };
}

portable!(f32, u32, 23, 127);
portable!(f64, u64, 52, 1023);
