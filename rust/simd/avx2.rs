//! 256-bit registers with AVX2 and FMA.

use core::arch::x86_64::*;

use super::{Kernel, Real, Simd, Vector, turn};

/// AVX2 with FMA: x86-64-v3.
#[derive(Clone, Copy, Debug)]
pub struct Avx2;

impl Simd for Avx2 {
    type Register<T: Real> = T::Avx2Register;
    type Lanes<T: Real> = T::Avx2Lanes;
    type Half<T: Real> = T::Avx2Register;
    type Four<T: Real> = T::Four;
    const REGISTERS: usize = 16;
    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: a kernel gets this type only in code that `dispatch` entered after it had found the
        // instruction set.
        unsafe { enter(kernel) }
    }
}

/// Runs a kernel with the instruction set. It is entered by a pointer or by `Simd::call`, never copied into
/// its callers.
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
pub(super) fn enter<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

/// Eight `f32`.
#[derive(Clone, Copy)]
pub struct F32x8(__m256);

/// Four `f64`.
#[derive(Clone, Copy)]
pub struct F64x4(__m256d);

/// Four `f32`, half a register.
#[derive(Clone, Copy)]
pub struct F32x4(__m128);

// A sliding window over these gives the mask of the first n lanes.
const MASK_32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
const MASK_64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];
const MASK_128: [i32; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

/// The exponent field `e` as a number, less the bias.
#[inline(always)]
unsafe fn unbiased_f32(e: __m256i) -> __m256 {
    // SAFETY: the host has AVX2.
    unsafe { _mm256_sub_ps(_mm256_cvtepi32_ps(e), _mm256_set1_ps(127.0)) }
}

/// The exponent field `e` as a number, less the bias.
#[inline(always)]
unsafe fn unbiased_f32x4(e: __m128i) -> __m128 {
    // SAFETY: the host has AVX2.
    unsafe { _mm_sub_ps(_mm_cvtepi32_ps(e), _mm_set1_ps(127.0)) }
}

/// The exponent field `e` as a number, less the bias.
///
/// AVX2 has no conversion from 64-bit integers: these are the bits of 2^52 + e, less 2^52 and bias.
#[inline(always)]
unsafe fn unbiased_f64(e: __m256i) -> __m256d {
    // SAFETY: the host has AVX2.
    unsafe {
        _mm256_sub_pd(
            _mm256_castsi256_pd(_mm256_or_si256(e, _mm256_set1_epi64x(0x4330_0000_0000_0000))),
            _mm256_set1_pd(4_503_599_627_370_496.0 + 1023.0),
        )
    }
}

/// The body of `Vector` for one register type.
///
/// Every intrinsic call is inside `unsafe`, and one reason covers all of them: values of these
/// types come to be only in code that `dispatch` entered after it had found AVX2 and FMA.
macro_rules! register {
    ($V:ident, $turn:ident, $turn_four:ident, $T:ty, $lanes:literal, $splat:ident, $loadu:ident, $storeu:ident,
     $maskload:ident, $maskstore:ident, $window:ident, $load_mask:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident, $sqrt:ident, $max:ident, $min:ident,
     $round:ident, $and:ident, $andnot:ident, $or:ident, $xor:ident, $cmp:ident, $blendv:ident, $movemask:ident,
     $int:ident, $float:ident, $set_int:ident, $add_int:ident, $shl:ident, $shr:ident,
     $mantissa_bits:literal, $bias:literal, $exponent:ident, $mask_type:ty, $greater:ident) => {
        impl Vector<$T> for $V {
            const LANES: usize = $lanes;
            type Mask = $mask_type;

            #[inline(always)]
            fn splat(x: $T) -> Self {
                // SAFETY: the host has AVX2 and FMA (see the macro's head).
                Self(unsafe { $splat(x) })
            }
            #[inline(always)]
            unsafe fn load(p: *const $T) -> Self {
                // SAFETY: AVX2; the caller vouches for the memory.
                Self(unsafe { $loadu(p) })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $T) {
                // SAFETY: AVX2; the caller vouches for the memory.
                unsafe { $storeu(p, self.0) }
            }
            #[inline(always)]
            unsafe fn load_partial(p: *const $T, n: usize) -> Self {
                // SAFETY: AVX2; n <= LANES, so the window stays in its array, and masked-off lanes
                // are not read.
                unsafe {
                    let mask = $load_mask($window.as_ptr().add($lanes - n).cast());
                    Self($maskload(p, mask))
                }
            }
            #[inline(always)]
            unsafe fn store_partial(self, p: *mut $T, n: usize) {
                // SAFETY: AVX2; n <= LANES, so the window stays in its array, and masked-off lanes
                // are not written.
                unsafe {
                    let mask = $load_mask($window.as_ptr().add($lanes - n).cast());
                    $maskstore(p, mask, self.0)
                }
            }
            #[inline(always)]
            fn prefetch(p: *const $T) {
                // SAFETY: x86-64 has the instruction, which never faults.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
            }
            #[inline(always)]
            fn prefetch_far(p: *const $T) {
                // SAFETY: as above.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $add(self.0, b.0) })
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $sub(self.0, b.0) })
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $mul(self.0, b.0) })
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $div(self.0, b.0) })
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $fma(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn max(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA. The instruction gives b unless self > b.
                Self(unsafe { $max(self.0, b.0) })
            }
            #[inline(always)]
            fn min(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA. The instruction gives b unless self < b.
                Self(unsafe { $min(self.0, b.0) })
            }
            #[inline(always)]
            fn round(self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $round::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
            }
            #[inline(always)]
            fn and(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $and(self.0, b.0) })
            }
            #[inline(always)]
            fn or(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $or(self.0, b.0) })
            }
            #[inline(always)]
            fn xor(self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $xor(self.0, b.0) })
            }
            #[inline(always)]
            fn pow2(self) -> Self {
                // 1.5 * 2^mantissa_bits puts the integer into the low bits of the sum.
                const MAGIC: $T = (3u64 << ($mantissa_bits - 1)) as $T;
                // SAFETY: the host has AVX2 and FMA.
                unsafe {
                    let low = $int($add(self.0, $splat(MAGIC)));
                    Self($float($shl::<$mantissa_bits>($add_int(low, $set_int($bias)))))
                }
            }
            #[inline(always)]
            fn exponent(self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $exponent($shr::<$mantissa_bits>($int(self.0))) })
            }
            #[inline(always)]
            fn mantissa(self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                unsafe {
                    let field = $float($set_int((1 << $mantissa_bits) - 1));
                    Self($or($and(self.0, field), $splat(1.0)))
                }
            }
            #[inline(always)]
            fn lt(self, b: Self) -> Self::Mask {
                // SAFETY: the host has AVX2 and FMA.
                unsafe { $cmp::<_CMP_LT_OQ>(self.0, b.0) }
            }
            #[inline(always)]
            fn le(self, b: Self) -> Self::Mask {
                // SAFETY: the host has AVX2 and FMA.
                unsafe { $cmp::<_CMP_LE_OQ>(self.0, b.0) }
            }
            #[inline(always)]
            fn eq(self, b: Self) -> Self::Mask {
                // SAFETY: the host has AVX2 and FMA.
                unsafe { $cmp::<_CMP_EQ_OQ>(self.0, b.0) }
            }
            #[inline(always)]
            fn select(mask: Self::Mask, a: Self, b: Self) -> Self {
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $blendv(b.0, a.0, mask) })
            }
            #[inline(always)]
            fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
                // SAFETY: the host has AVX2 and FMA.
                unsafe { $and(a, b) }
            }
            #[inline(always)]
            fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
                // SAFETY: the host has AVX2 and FMA.
                unsafe { $or(a, b) }
            }
            #[inline(always)]
            fn any(mask: Self::Mask) -> bool {
                // SAFETY: the host has AVX2 and FMA.
                unsafe { $movemask(mask) != 0 }
            }
            #[inline(always)]
            fn sign_mask(self) -> Self::Mask {
                // `select` looks at the sign bit alone, but `both` and `either` with other masks
                // need only that bit too.
                self.0
            }
            #[inline(always)]
            unsafe fn turn(source: *const $T, target: *mut $T, stride: usize) {
                // SAFETY: AVX2; the caller vouches for both blocks.
                unsafe { turn::$turn(source, target, stride) }
            }
            #[inline(always)]
            unsafe fn turn_four(source: *const $T, target: *mut $T, stride: usize) {
                // SAFETY: AVX2; the caller vouches for both blocks.
                unsafe { turn::$turn_four(source, target, stride) }
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.and(Self::splat(<$T>::from_bits(!0 >> 1)))
            }
            /// Magnitudes, NaN's too, are ordered as their bits are: 3 cycles instead of 8.
            #[inline(always)]
            fn flush(self) -> Self {
                let threshold = Self::splat(<$T as Real>::FLUSH);
                // SAFETY: the host has AVX2 and FMA.
                let small = unsafe { $float($greater($int(threshold.0), $int(self.abs().0))) };
                // SAFETY: the host has AVX2 and FMA.
                Self(unsafe { $andnot(small, self.0) })
            }
        }
    };
}

register!(
    F32x8,
    f32x8,
    f32x8_four,
    f32,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_maskload_ps,
    _mm256_maskstore_ps,
    MASK_32,
    _mm256_loadu_si256,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fmadd_ps,
    _mm256_sqrt_ps,
    _mm256_max_ps,
    _mm256_min_ps,
    _mm256_round_ps,
    _mm256_and_ps,
    _mm256_andnot_ps,
    _mm256_or_ps,
    _mm256_xor_ps,
    _mm256_cmp_ps,
    _mm256_blendv_ps,
    _mm256_movemask_ps,
    _mm256_castps_si256,
    _mm256_castsi256_ps,
    _mm256_set1_epi32,
    _mm256_add_epi32,
    _mm256_slli_epi32,
    _mm256_srli_epi32,
    23,
    127,
    unbiased_f32,
    __m256,
    _mm256_cmpgt_epi32
);
register!(
    F64x4,
    f64x4,
    f64x4,
    f64,
    4,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_maskload_pd,
    _mm256_maskstore_pd,
    MASK_64,
    _mm256_loadu_si256,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_div_pd,
    _mm256_fmadd_pd,
    _mm256_sqrt_pd,
    _mm256_max_pd,
    _mm256_min_pd,
    _mm256_round_pd,
    _mm256_and_pd,
    _mm256_andnot_pd,
    _mm256_or_pd,
    _mm256_xor_pd,
    _mm256_cmp_pd,
    _mm256_blendv_pd,
    _mm256_movemask_pd,
    _mm256_castpd_si256,
    _mm256_castsi256_pd,
    _mm256_set1_epi64x,
    _mm256_add_epi64,
    _mm256_slli_epi64,
    _mm256_srli_epi64,
    52,
    1023,
    unbiased_f64,
    __m256d,
    _mm256_cmpgt_epi64
);
register!(
    F32x4,
    f32x4,
    f32x4,
    f32,
    4,
    _mm_set1_ps,
    _mm_loadu_ps,
    _mm_storeu_ps,
    _mm_maskload_ps,
    _mm_maskstore_ps,
    MASK_128,
    _mm_loadu_si128,
    _mm_add_ps,
    _mm_sub_ps,
    _mm_mul_ps,
    _mm_div_ps,
    _mm_fmadd_ps,
    _mm_sqrt_ps,
    _mm_max_ps,
    _mm_min_ps,
    _mm_round_ps,
    _mm_and_ps,
    _mm_andnot_ps,
    _mm_or_ps,
    _mm_xor_ps,
    _mm_cmp_ps,
    _mm_blendv_ps,
    _mm_movemask_ps,
    _mm_castps_si128,
    _mm_castsi128_ps,
    _mm_set1_epi32,
    _mm_add_epi32,
    _mm_slli_epi32,
    _mm_srli_epi32,
    23,
    127,
    unbiased_f32x4,
    __m128,
    _mm_cmpgt_epi32
);
