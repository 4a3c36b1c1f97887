//! The operations that kernels are written in.

use std::fmt::{Debug, Display};
use std::marker::PhantomData;

/// Lanes of [`Simd::Lanes`], and columns of a panel.
pub const LANES: usize = 16;

/// An element type of the networks: `f32` or `f64`.
///
/// The scalar operations round once, as IEEE 754 asks, and are the same on every machine.
pub trait Real: Copy + Debug + Display + PartialEq + PartialOrd + Send + Sync + 'static {
    /// 16 lanes without intrinsics.
    type PortableVector: Vector<Self>;
    /// One 256-bit register.
    #[cfg(target_arch = "x86_64")]
    type Avx2Register: Vector<Self>;
    /// 16 lanes in 256-bit registers.
    #[cfg(target_arch = "x86_64")]
    type Avx2Lanes: Vector<Self>;
    /// Four lanes in the shortest register that holds them, of AVX2 and of AVX-512.
    #[cfg(target_arch = "x86_64")]
    type Four: Vector<Self>;
    /// One 512-bit register.
    #[cfg(target_arch = "x86_64")]
    type Avx512Register: Vector<Self>;
    /// 16 lanes in 512-bit registers.
    #[cfg(target_arch = "x86_64")]
    type Avx512Lanes: Vector<Self>;

    /// Positive zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// From 1 to the next larger value.
    const EPSILON: Self;
    /// Stored parameters, moments and deltas of smaller magnitude become +0 (2^-100, f64: 2^-900):
    /// products of two such numbers would be subnormal, and subnormal arithmetic is slow.
    const FLUSH: Self;
    /// NumPy's name of the type.
    const NAME: &'static str;

    /// The nearest value.
    fn from_f64(x: f64) -> Self;
    /// The same value.
    fn to_f64(self) -> f64;
    /// `self * b + c`, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self * other`.
    fn mul(self, other: Self) -> Self;
    /// Whether the value is neither infinite nor NaN.
    fn is_finite(self) -> bool;
}

/// A vector of `LANES` values of `T`; every operation acts lane by lane.
///
/// Each operation gives the same bits on every instruction set.
pub trait Vector<T: Real>: Copy {
    /// How many lanes.
    const LANES: usize;
    /// Whether each operation is a call, and what is made of many of them is better one, too.
    const CALLS: bool = false;
    /// The outcome of a comparison, lane by lane.
    type Mask: Copy;

    /// All lanes `x`.
    fn splat(x: T) -> Self;
    /// # Safety
    /// `p` is valid for reads of `LANES` values; it need not be aligned.
    unsafe fn load(p: *const T) -> Self;
    /// # Safety
    /// `p` is valid for writes of `LANES` values; it need not be aligned.
    unsafe fn store(self, p: *mut T);
    /// The first `n` lanes from memory, the others +0. Memory past `n` is not read.
    ///
    /// # Safety
    /// `p` is valid for reads of `n` values, and `n <= LANES`.
    unsafe fn load_partial(p: *const T, n: usize) -> Self;
    /// Writes the first `n` lanes; memory past `n` is not touched.
    ///
    /// # Safety
    /// `p` is valid for writes of `n` values, and `n <= LANES`.
    unsafe fn store_partial(self, p: *mut T, n: usize);

    /// `self + b`.
    fn add(self, b: Self) -> Self;
    /// `self - b`.
    fn sub(self, b: Self) -> Self;
    /// `self * b`.
    fn mul(self, b: Self) -> Self;
    /// `self / b`, correctly rounded.
    fn div(self, b: Self) -> Self;
    /// `self * b + c`, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// `if self > b { self } else { b }`: a NaN in either gives `b` (N7).
    fn max(self, b: Self) -> Self;
    /// `if self < b { self } else { b }`: a NaN in either gives `b`.
    fn min(self, b: Self) -> Self;
    /// The nearest integer, halves to even.
    fn round(self) -> Self;

    /// The bits of `self` and `b`, anded.
    fn and(self, b: Self) -> Self;
    /// The bits of `self` and `b`, ored.
    fn or(self, b: Self) -> Self;
    /// The bits of `self` and `b`, xored.
    fn xor(self, b: Self) -> Self;
    /// 2^self for integers from -126 to 127 (f64: -1022 to 1023).
    fn pow2(self) -> Self;
    /// `self * 2^k` for integers k, rounded once, where there is an instruction for it.
    #[inline(always)]
    fn scale(self, k: Self) -> Option<Self> {
        let _ = k;
        None
    }
    /// The exponent field of a positive normal number, unbiased: `floor(log2(self))`.
    fn exponent(self) -> Self;
    /// A positive normal number scaled by a power of two into [1, 2).
    fn mantissa(self) -> Self;

    /// `self < b`; false for a NaN.
    fn lt(self, b: Self) -> Self::Mask;
    /// `self <= b`; false for a NaN.
    fn le(self, b: Self) -> Self::Mask;
    /// `self == b`; false for a NaN.
    fn eq(self, b: Self) -> Self::Mask;
    /// Lanes of `a` where the mask holds, of `b` elsewhere.
    fn select(mask: Self::Mask, a: Self, b: Self) -> Self;
    /// Where both masks hold.
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Where at least one mask holds.
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask;
    /// Whether any lane of the mask holds.
    fn any(mask: Self::Mask) -> bool;

    /// Asks for the cache line at `p`, which may be any address, before it is loaded.
    #[inline(always)]
    fn prefetch(p: *const T) {
        let _ = p;
    }

    /// As [`Self::prefetch`], no nearer than L2: for what is read later than all that is in L1.
    #[inline(always)]
    fn prefetch_far(p: *const T) {
        let _ = p;
    }

    /// Writes a block of `LANES` rows and columns into its transpose, `stride` elements from row to
    /// row in both.
    ///
    /// # Safety
    /// The block at `source` is valid for reads, that at `target` for writes; they do not overlap.
    #[inline(always)]
    unsafe fn turn(source: *const T, target: *mut T, stride: usize) {
        for row in 0..Self::LANES {
            for col in 0..Self::LANES {
                // SAFETY: the caller vouches for both blocks.
                unsafe { *target.add(col * stride + row) = *source.add(row * stride + col) };
            }
        }
    }

    /// As [`Self::turn`], of `LANES` rows and 4 columns: 4 rows of whole registers.
    ///
    /// # Safety
    /// As for [`Self::turn`].
    #[inline(always)]
    unsafe fn turn_four(source: *const T, target: *mut T, stride: usize) {
        for row in 0..Self::LANES {
            for col in 0..4 {
                // SAFETY: the caller vouches for both blocks.
                unsafe { *target.add(col * stride + row) = *source.add(row * stride + col) };
            }
        }
    }

    /// All lanes +0.
    #[inline(always)]
    fn zero() -> Self {
        Self::splat(T::ZERO)
    }
    /// All lanes the value nearest to `x`.
    #[inline(always)]
    fn constant(x: f64) -> Self {
        Self::splat(T::from_f64(x))
    }
    /// The sign bit flipped, also of zeros and NaNs.
    #[inline(always)]
    fn neg(self) -> Self {
        self.xor(Self::constant(-0.0))
    }
    /// The sign bit cleared.
    #[inline(always)]
    fn abs(self) -> Self {
        Self::select(self.sign_mask(), self.neg(), self)
    }
    /// Where the sign bit is set: negative numbers and -0.
    fn sign_mask(self) -> Self::Mask;
    /// `self` where the sign bit of `sign` is clear, +0 elsewhere.
    #[inline(always)]
    fn unless_negative(self, sign: Self) -> Self {
        Self::select(sign.sign_mask(), Self::zero(), self)
    }
    /// The magnitude of `self` with the sign of `sign`.
    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        self.abs().or(sign.and(Self::constant(-0.0)))
    }
    /// Magnitudes below [`Real::FLUSH`] become +0; NaN stays.
    #[inline(always)]
    fn flush(self) -> Self {
        Self::select(self.abs().lt(Self::splat(T::FLUSH)), Self::zero(), self)
    }
}

/// A piece of work that is compiled once for each instruction set.
///
/// `run` must be `#[inline(always)]`, and so must be everything that it calls with vectors: only
/// what is inlined into the function `enter` of an instruction set is compiled for it.
pub trait Kernel {
    /// What the work gives back.
    type Output;
    /// Does the work.
    fn run<S: Simd>(self) -> Self::Output;
}

/// An instruction set, as a type that kernels are generic over.
pub trait Simd: Copy + 'static {
    /// One register.
    type Register<T: Real>: Vector<T>;
    /// 16 lanes.
    type Lanes<T: Real>: Vector<T>;
    /// Half a 512-bit register, else a whole one: a CPU that does 512 bits in two halves (Zen 4) does
    /// a half in half the time, and 256 bits and less in one.
    type Half<T: Real>: Vector<T>;
    /// Four lanes in the shortest register that holds them; plain Rust has its 16 only.
    type Four<T: Real>: Vector<T>;
    /// Architectural vector registers: how large a tile of accumulators can be. 1 where operations are
    /// calls.
    const REGISTERS: usize;
    /// Runs a kernel by a call, for what is rare, or needs much of the stack: in a function that calls
    /// `run` it would be one more copy, and its memory would be made sure of in every call.
    fn call<K: Kernel>(kernel: K) -> K::Output;
}

/// An instruction set with four lanes and no more, for matrices of so few columns whose padding
/// beyond is never read: with 512 bits a division takes twice as long and a transpose eight times as
/// long, and while such an instruction waits one of three ports takes no vectors.
#[derive(Clone, Copy, Debug)]
pub struct Narrow<S>(PhantomData<S>);

impl<S: Simd> Simd for Narrow<S> {
    type Register<T: Real> = S::Four<T>;
    type Lanes<T: Real> = S::Four<T>;
    type Half<T: Real> = S::Four<T>;
    type Four<T: Real> = S::Four<T>;
    const REGISTERS: usize = S::REGISTERS;
    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }
}
