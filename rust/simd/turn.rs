//! Blocks written into their transposes: as many rows as a register has lanes, as many columns or, by
//! the functions that say so, four.
//!
//! All functions: `stride` elements from row to row in both; the block at `source` is valid for
//! reads, that at `target` for writes, and they do not overlap.

use core::arch::x86_64::*;

/// 8 x 8: pairs, quadruples, halves; 24 shuffles instead of 64 loads and stores.
///
/// # Safety
/// The host has AVX2; for memory see the module.
#[inline(always)]
pub unsafe fn f32x8(source: *const f32, target: *mut f32, stride: usize) {
    // SAFETY: the caller vouches for instruction set and memory.
    unsafe {
        let mut r = [_mm256_setzero_ps(); 8];
        for i in 0..8 {
            r[i] = _mm256_loadu_ps(source.add(i * stride));
        }
        let mut q = [_mm256_setzero_ps(); 8];
        for g in 0..2 {
            let (low_a, high_a) = (
                _mm256_unpacklo_ps(r[4 * g], r[4 * g + 1]),
                _mm256_unpackhi_ps(r[4 * g], r[4 * g + 1]),
            );
            let (low_b, high_b) = (
                _mm256_unpacklo_ps(r[4 * g + 2], r[4 * g + 3]),
                _mm256_unpackhi_ps(r[4 * g + 2], r[4 * g + 3]),
            );
            q[4 * g] = _mm256_shuffle_ps::<0x44>(low_a, low_b);
            q[4 * g + 1] = _mm256_shuffle_ps::<0xee>(low_a, low_b);
            q[4 * g + 2] = _mm256_shuffle_ps::<0x44>(high_a, high_b);
            q[4 * g + 3] = _mm256_shuffle_ps::<0xee>(high_a, high_b);
        }
        for c in 0..4 {
            let low = _mm256_permute2f128_ps::<0x20>(q[c], q[4 + c]);
            let high = _mm256_permute2f128_ps::<0x31>(q[c], q[4 + c]);
            _mm256_storeu_ps(target.add(c * stride), low);
            _mm256_storeu_ps(target.add((4 + c) * stride), high);
        }
    }
}

/// 4 x 4.
///
/// # Safety
/// The host has AVX2; for memory see the module.
#[inline(always)]
pub unsafe fn f64x4(source: *const f64, target: *mut f64, stride: usize) {
    // SAFETY: the caller vouches for instruction set and memory.
    unsafe {
        let mut r = [_mm256_setzero_pd(); 4];
        for i in 0..4 {
            r[i] = _mm256_loadu_pd(source.add(i * stride));
        }
        let even = [_mm256_unpacklo_pd(r[0], r[1]), _mm256_unpacklo_pd(r[2], r[3])];
        let odd = [_mm256_unpackhi_pd(r[0], r[1]), _mm256_unpackhi_pd(r[2], r[3])];
        for (c, pair) in [even, odd].into_iter().enumerate() {
            let low = _mm256_permute2f128_pd::<0x20>(pair[0], pair[1]);
            let high = _mm256_permute2f128_pd::<0x31>(pair[0], pair[1]);
            _mm256_storeu_pd(target.add(c * stride), low);
            _mm256_storeu_pd(target.add((2 + c) * stride), high);
        }
    }
}

/// 16 x 16: four columns at a time, whose 32 shuffles have one port; whole rows would take 64. Loads
/// into parts of a register have two.
///
/// # Safety
/// The host has AVX-512 F and DQ; for memory see the module.
#[inline(always)]
pub unsafe fn f32x16(source: *const f32, target: *mut f32, stride: usize) {
    for four in 0..4 {
        // SAFETY: the caller vouches for instruction set and memory.
        unsafe { f32x16_four(source.add(4 * four), target.add(4 * four * stride), stride) };
    }
}

/// 8 x 8: two times four columns.
///
/// # Safety
/// The host has AVX-512 F and DQ; for memory see the module.
#[inline(always)]
pub unsafe fn f64x8(source: *const f64, target: *mut f64, stride: usize) {
    for four in 0..2 {
        // SAFETY: the caller vouches for instruction set and memory.
        unsafe { f64x8_four(source.add(4 * four), target.add(4 * four * stride), stride) };
    }
}

/// 4 x 4.
///
/// # Safety
/// The host has AVX2; for memory see the module.
#[inline(always)]
pub unsafe fn f32x4(source: *const f32, target: *mut f32, stride: usize) {
    // SAFETY: the caller vouches for instruction set and memory.
    unsafe {
        let mut r = [_mm_setzero_ps(); 4];
        for i in 0..4 {
            r[i] = _mm_loadu_ps(source.add(i * stride));
        }
        let (low_a, high_a) = (_mm_unpacklo_ps(r[0], r[1]), _mm_unpackhi_ps(r[0], r[1]));
        let (low_b, high_b) = (_mm_unpacklo_ps(r[2], r[3]), _mm_unpackhi_ps(r[2], r[3]));
        _mm_storeu_ps(target, _mm_movelh_ps(low_a, low_b));
        _mm_storeu_ps(target.add(stride), _mm_movehl_ps(low_b, low_a));
        _mm_storeu_ps(target.add(2 * stride), _mm_movelh_ps(high_a, high_b));
        _mm_storeu_ps(target.add(3 * stride), _mm_movehl_ps(high_b, high_a));
    }
}

/// 8 x 4: rows i and 4 + i share a register.
///
/// # Safety
/// The host has AVX2; for memory see the module.
#[inline(always)]
pub unsafe fn f32x8_four(source: *const f32, target: *mut f32, stride: usize) {
    // SAFETY: the caller vouches for instruction set and memory.
    unsafe {
        let mut r = [_mm256_setzero_ps(); 4];
        for i in 0..4 {
            let low = _mm256_castps128_ps256(_mm_loadu_ps(source.add(i * stride)));
            let high = _mm_loadu_ps(source.add((4 + i) * stride));
            r[i] = _mm256_insertf128_ps::<1>(low, high);
        }
        let (low_a, high_a) = (_mm256_unpacklo_ps(r[0], r[1]), _mm256_unpackhi_ps(r[0], r[1]));
        let (low_b, high_b) = (_mm256_unpacklo_ps(r[2], r[3]), _mm256_unpackhi_ps(r[2], r[3]));
        _mm256_storeu_ps(target, _mm256_shuffle_ps::<0x44>(low_a, low_b));
        _mm256_storeu_ps(target.add(stride), _mm256_shuffle_ps::<0xee>(low_a, low_b));
        _mm256_storeu_ps(target.add(2 * stride), _mm256_shuffle_ps::<0x44>(high_a, high_b));
        _mm256_storeu_ps(target.add(3 * stride), _mm256_shuffle_ps::<0xee>(high_a, high_b));
    }
}

/// 16 x 4: rows i, 4 + i, 8 + i and 12 + i share a register.
///
/// # Safety
/// The host has AVX-512 F and DQ; for memory see the module.
#[inline(always)]
pub unsafe fn f32x16_four(source: *const f32, target: *mut f32, stride: usize) {
    // SAFETY: the caller vouches for instruction set and memory.
    unsafe {
        let mut r = [_mm512_setzero_ps(); 4];
        for i in 0..4 {
            let part = |part: usize| _mm_loadu_ps(source.add((4 * part + i) * stride));
            r[i] = _mm512_castps128_ps512(part(0));
            r[i] = _mm512_insertf32x4::<1>(r[i], part(1));
            r[i] = _mm512_insertf32x4::<2>(r[i], part(2));
            r[i] = _mm512_insertf32x4::<3>(r[i], part(3));
        }
        let (low_a, high_a) = (_mm512_unpacklo_ps(r[0], r[1]), _mm512_unpackhi_ps(r[0], r[1]));
        let (low_b, high_b) = (_mm512_unpacklo_ps(r[2], r[3]), _mm512_unpackhi_ps(r[2], r[3]));
        _mm512_storeu_ps(target, _mm512_shuffle_ps::<0x44>(low_a, low_b));
        _mm512_storeu_ps(target.add(stride), _mm512_shuffle_ps::<0xee>(low_a, low_b));
        _mm512_storeu_ps(target.add(2 * stride), _mm512_shuffle_ps::<0x44>(high_a, high_b));
        _mm512_storeu_ps(target.add(3 * stride), _mm512_shuffle_ps::<0xee>(high_a, high_b));
    }
}

/// 8 x 4: pairs of columns of rows i, 2 + i, 4 + i and 6 + i share a register.
///
/// # Safety
/// The host has AVX-512 F and DQ; for memory see the module.
#[inline(always)]
pub unsafe fn f64x8_four(source: *const f64, target: *mut f64, stride: usize) {
    // SAFETY: the caller vouches for instruction set and memory.
    unsafe {
        for pair in 0..2 {
            let mut r = [_mm512_setzero_pd(); 2];
            for i in 0..2 {
                let part =
                    |part: usize| _mm_loadu_pd(source.add((2 * part + i) * stride + 2 * pair));
                r[i] = _mm512_castpd128_pd512(part(0));
                r[i] = _mm512_insertf64x2::<1>(r[i], part(1));
                r[i] = _mm512_insertf64x2::<2>(r[i], part(2));
                r[i] = _mm512_insertf64x2::<3>(r[i], part(3));
            }
            let to = target.add(2 * pair * stride);
            _mm512_storeu_pd(to, _mm512_unpacklo_pd(r[0], r[1]));
            _mm512_storeu_pd(to.add(stride), _mm512_unpackhi_pd(r[0], r[1]));
        }
    }
}
