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

/// 16 x 16: quadruples of rows within each 128-bit part, then the parts of four quadruples.
///
/// # Safety
/// The host has AVX-512F; for memory see the module.
#[inline(always)]
pub unsafe fn f32x16(source: *const f32, target: *mut f32, stride: usize) {
    // SAFETY: the caller vouches for instruction set and memory.
    unsafe {
        // Part L of q[g][c] holds column 4 L + c of rows 4 g to 4 g + 3.
        let mut q = [[_mm512_setzero_ps(); 4]; 4];
        for g in 0..4 {
            let mut r = [_mm512_setzero_ps(); 4];
            for i in 0..4 {
                r[i] = _mm512_loadu_ps(source.add((4 * g + i) * stride));
            }
            let low_a = _mm512_castps_pd(_mm512_unpacklo_ps(r[0], r[1]));
            let high_a = _mm512_castps_pd(_mm512_unpackhi_ps(r[0], r[1]));
            let low_b = _mm512_castps_pd(_mm512_unpacklo_ps(r[2], r[3]));
            let high_b = _mm512_castps_pd(_mm512_unpackhi_ps(r[2], r[3]));
            q[g] = [
                _mm512_castpd_ps(_mm512_unpacklo_pd(low_a, low_b)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(low_a, low_b)),
                _mm512_castpd_ps(_mm512_unpacklo_pd(high_a, high_b)),
                _mm512_castpd_ps(_mm512_unpackhi_pd(high_a, high_b)),
            ];
        }
        for c in 0..4 {
            let even = [
                _mm512_shuffle_f32x4::<0x88>(q[0][c], q[1][c]),
                _mm512_shuffle_f32x4::<0x88>(q[2][c], q[3][c]),
            ];
            let odd = [
                _mm512_shuffle_f32x4::<0xdd>(q[0][c], q[1][c]),
                _mm512_shuffle_f32x4::<0xdd>(q[2][c], q[3][c]),
            ];
            for (part, pair) in [even, odd].into_iter().enumerate() {
                let low = _mm512_shuffle_f32x4::<0x88>(pair[0], pair[1]);
                let high = _mm512_shuffle_f32x4::<0xdd>(pair[0], pair[1]);
                _mm512_storeu_ps(target.add((4 * part + c) * stride), low);
                _mm512_storeu_ps(target.add((4 * (part + 2) + c) * stride), high);
            }
        }
    }
}

/// 8 x 8.
///
/// # Safety
/// The host has AVX-512F; for memory see the module.
#[inline(always)]
pub unsafe fn f64x8(source: *const f64, target: *mut f64, stride: usize) {
    // SAFETY: the caller vouches for instruction set and memory.
    unsafe {
        // Part L of q[g][c] holds column 2 L + c of rows 2 g and 2 g + 1.
        let mut q = [[_mm512_setzero_pd(); 2]; 4];
        for g in 0..4 {
            let first = _mm512_loadu_pd(source.add(2 * g * stride));
            let second = _mm512_loadu_pd(source.add((2 * g + 1) * stride));
            q[g] = [_mm512_unpacklo_pd(first, second), _mm512_unpackhi_pd(first, second)];
        }
        for c in 0..2 {
            let even = [
                _mm512_shuffle_f64x2::<0x88>(q[0][c], q[1][c]),
                _mm512_shuffle_f64x2::<0x88>(q[2][c], q[3][c]),
            ];
            let odd = [
                _mm512_shuffle_f64x2::<0xdd>(q[0][c], q[1][c]),
                _mm512_shuffle_f64x2::<0xdd>(q[2][c], q[3][c]),
            ];
            for (part, pair) in [even, odd].into_iter().enumerate() {
                let low = _mm512_shuffle_f64x2::<0x88>(pair[0], pair[1]);
                let high = _mm512_shuffle_f64x2::<0xdd>(pair[0], pair[1]);
                _mm512_storeu_pd(target.add((2 * part + c) * stride), low);
                _mm512_storeu_pd(target.add((2 * (part + 2) + c) * stride), high);
            }
        }
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
            let low = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(part(0)), part(1));
            let high = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(part(2)), part(3));
            r[i] = _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high);
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
                let low = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(part(0)), part(1));
                let high = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(part(2)), part(3));
                r[i] = _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high);
            }
            let to = target.add(2 * pair * stride);
            _mm512_storeu_pd(to, _mm512_unpacklo_pd(r[0], r[1]));
            _mm512_storeu_pd(to.add(stride), _mm512_unpackhi_pd(r[0], r[1]));
        }
    }
}
