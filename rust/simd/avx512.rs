//! 512-bit registers with AVX-512 F, VL, DQ and BW.

use core::arch::x86_64::*;

use super::{Kernel, Real, Simd, Vector, turn};

/// AVX-512 as in x86-64-v4.
#[derive(Clone, Copy, Debug)]
pub struct Avx512;

impl Simd for Avx512 {
    type Register<T: Real> = T::Avx512Register;
    type Lanes<T: Real> = T::Avx512Lanes;
    type Half<T: Real> = T::Avx2Register;
    type Four<T: Real> = T::Four;
    const REGISTERS: usize = 32;
    #[inline(always)]
    fn call<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: a kernel gets this type only in code that `dispatch` entered after it had found the
        // instruction set.
        unsafe { enter(kernel) }
    }
}

/// Runs a kernel with the instruction set. It is entered by a pointer or by `Simd::call`, never copied into
/// its callers.
#[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")]
#[inline(never)]
pub(super) fn enter<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

/// Sixteen `f32`.
#[derive(Clone, Copy)]
pub struct F32x16(__m512);

/// Eight `f64`.
#[derive(Clone, Copy)]
pub struct F64x8(__m512d);

/// The body of `Vector` for one register type.
///
/// Every intrinsic call is inside `unsafe`, and one reason covers all of them: values of these
/// types come to be only in code that `dispatch` entered after it had found AVX-512.
macro_rules! register {
    ($V:ident, $turn:ident, $turn_four:ident, $T:ty, $lanes:literal, $mask:ty, $splat:ident, $loadu:ident, $storeu:ident,
     $maskload:ident, $maskstore:ident,
     $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident, $sqrt:ident, $max:ident, $min:ident,
     $round:ident, $and:ident, $or:ident, $xor:ident, $cmp:ident, $blend:ident, $sign:ident,
     $int:ident, $float:ident, $set_int:ident, $add_int:ident, $shl:ident, $shr:ident, $sra:ident, $to_float:ident,
     $scale:ident,
     $mantissa_bits:literal, $bias:literal) => {
        impl Vector<$T> for $V {
            const LANES: usize = $lanes;
            type Mask = $mask;

            #[inline(always)]
            fn splat(x: $T) -> Self {
                // SAFETY: the host has AVX-512 (see the macro's head).
                Self(unsafe { $splat(x) })
            }
            #[inline(always)]
            unsafe fn load(p: *const $T) -> Self {
                // SAFETY: AVX-512; the caller vouches for the memory.
                Self(unsafe { $loadu(p) })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $T) {
                // SAFETY: AVX-512; the caller vouches for the memory.
                unsafe { $storeu(p, self.0) }
            }
            #[inline(always)]
            unsafe fn load_partial(p: *const $T, n: usize) -> Self {
                let mask = ((1u32 << n) - 1) as $mask;
                // SAFETY: AVX-512; masked-off lanes are not read.
                Self(unsafe { $maskload(mask, p) })
            }
            #[inline(always)]
            unsafe fn store_partial(self, p: *mut $T, n: usize) {
                let mask = ((1u32 << n) - 1) as $mask;
                // SAFETY: AVX-512; masked-off lanes are not written.
                unsafe { $maskstore(p, mask, self.0) }
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
                // SAFETY: the host has AVX-512.
                Self(unsafe { $add(self.0, b.0) })
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $sub(self.0, b.0) })
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $mul(self.0, b.0) })
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $div(self.0, b.0) })
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $fma(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn max(self, b: Self) -> Self {
                // SAFETY: the host has AVX-512. The instruction gives b unless self > b.
                Self(unsafe { $max(self.0, b.0) })
            }
            #[inline(always)]
            fn min(self, b: Self) -> Self {
                // SAFETY: the host has AVX-512. The instruction gives b unless self < b.
                Self(unsafe { $min(self.0, b.0) })
            }
            #[inline(always)]
            fn round(self) -> Self {
                // Immediate 8: nearest, halves to even, no exceptions, scale 2^0.
                // SAFETY: the host has AVX-512.
                Self(unsafe { $round::<8>(self.0) })
            }
            #[inline(always)]
            fn and(self, b: Self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $and(self.0, b.0) })
            }
            #[inline(always)]
            fn or(self, b: Self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $or(self.0, b.0) })
            }
            #[inline(always)]
            fn xor(self, b: Self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $xor(self.0, b.0) })
            }
            #[inline(always)]
            fn pow2(self) -> Self {
                // 1.5 * 2^mantissa_bits puts the integer into the low bits of the sum.
                const MAGIC: $T = (3u64 << ($mantissa_bits - 1)) as $T;
                // SAFETY: the host has AVX-512.
                unsafe {
                    let low = $int($add(self.0, $splat(MAGIC)));
                    Self($float($shl::<$mantissa_bits>($add_int(low, $set_int($bias)))))
                }
            }
            #[inline(always)]
            fn scale(self, k: Self) -> Option<Self> {
                // SAFETY: the host has AVX-512.
                Some(Self(unsafe { $scale(self.0, k.0) }))
            }
            #[inline(always)]
            fn exponent(self) -> Self {
                // SAFETY: the host has AVX-512.
                unsafe {
                    let field = $to_float($shr::<$mantissa_bits>($int(self.0)));
                    Self($sub(field, $splat($bias as $T)))
                }
            }
            #[inline(always)]
            fn mantissa(self) -> Self {
                // SAFETY: the host has AVX-512.
                unsafe {
                    let field = $float($set_int((1 << $mantissa_bits) - 1));
                    Self($or($and(self.0, field), $splat(1.0)))
                }
            }
            #[inline(always)]
            fn lt(self, b: Self) -> Self::Mask {
                // SAFETY: the host has AVX-512.
                unsafe { $cmp::<_CMP_LT_OQ>(self.0, b.0) }
            }
            #[inline(always)]
            fn le(self, b: Self) -> Self::Mask {
                // SAFETY: the host has AVX-512.
                unsafe { $cmp::<_CMP_LE_OQ>(self.0, b.0) }
            }
            #[inline(always)]
            fn eq(self, b: Self) -> Self::Mask {
                // SAFETY: the host has AVX-512.
                unsafe { $cmp::<_CMP_EQ_OQ>(self.0, b.0) }
            }
            #[inline(always)]
            fn select(mask: Self::Mask, a: Self, b: Self) -> Self {
                // SAFETY: the host has AVX-512.
                Self(unsafe { $blend(mask, b.0, a.0) })
            }
            #[inline(always)]
            fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
                a & b
            }
            #[inline(always)]
            fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
                a | b
            }
            #[inline(always)]
            fn any(mask: Self::Mask) -> bool {
                mask != 0
            }
            #[inline(always)]
            fn sign_mask(self) -> Self::Mask {
                // SAFETY: the host has AVX-512.
                unsafe { $sign($int(self.0)) }
            }
            #[inline(always)]
            unsafe fn turn(source: *const $T, target: *mut $T, stride: usize) {
                // SAFETY: AVX-512; the caller vouches for both blocks.
                unsafe { turn::$turn(source, target, stride) }
            }
            #[inline(always)]
            unsafe fn turn_four(source: *const $T, target: *mut $T, stride: usize) {
                // SAFETY: AVX-512; the caller vouches for both blocks.
                unsafe { turn::$turn_four(source, target, stride) }
            }
            #[inline(always)]
            fn unless_negative(self, sign: Self) -> Self {
                // Not by a mask, which takes the place of one of Zen 4's multiply-adds.
                // SAFETY: the host has AVX-512.
                unsafe {
                    let negative = $sra::<{ 8 * size_of::<$T>() as u32 - 1 }>($int(sign.0));
                    Self($float(_mm512_andnot_si512(negative, $int(self.0))))
                }
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.and(Self::splat(<$T>::from_bits(!0 >> 1)))
            }
        }
    };
}

register!(
    F32x16,
    f32x16,
    f32x16_four,
    f32,
    16,
    __mmask16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_fmadd_ps,
    _mm512_sqrt_ps,
    _mm512_max_ps,
    _mm512_min_ps,
    _mm512_roundscale_ps,
    _mm512_and_ps,
    _mm512_or_ps,
    _mm512_xor_ps,
    _mm512_cmp_ps_mask,
    _mm512_mask_blend_ps,
    _mm512_movepi32_mask,
    _mm512_castps_si512,
    _mm512_castsi512_ps,
    _mm512_set1_epi32,
    _mm512_add_epi32,
    _mm512_slli_epi32,
    _mm512_srli_epi32,
    _mm512_srai_epi32,
    _mm512_cvtepi32_ps,
    _mm512_scalef_ps,
    23,
    127
);
register!(
    F64x8,
    f64x8,
    f64x8_four,
    f64,
    8,
    __mmask8,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_div_pd,
    _mm512_fmadd_pd,
    _mm512_sqrt_pd,
    _mm512_max_pd,
    _mm512_min_pd,
    _mm512_roundscale_pd,
    _mm512_and_pd,
    _mm512_or_pd,
    _mm512_xor_pd,
    _mm512_cmp_pd_mask,
    _mm512_mask_blend_pd,
    _mm512_movepi64_mask,
    _mm512_castpd_si512,
    _mm512_castsi512_pd,
    _mm512_set1_epi64,
    _mm512_add_epi64,
    _mm512_slli_epi64,
    _mm512_srli_epi64,
    _mm512_srai_epi64,
    _mm512_cvtepi64_pd,
    _mm512_scalef_pd,
    52,
    1023
);
