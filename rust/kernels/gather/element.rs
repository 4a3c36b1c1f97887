//! The element types of a source and their conversions, each to the nearest value.

use super::DType;
use crate::simd::{LANES, Real, Simd, Vector};

/// One element as it lies in memory.
pub(super) trait Element: Copy + 'static {
    const DTYPE: DType;
    fn to_f32(self) -> f32;
    fn to_f64(self) -> f64;
    /// Integers saturate; a float loses what follows the point.
    fn to_i64(self) -> i64;
}

macro_rules! elements {
    ($($T:ty, $dtype:ident, $to_i64:expr;)*) => {$(
        impl Element for $T {
            const DTYPE: DType = DType::$dtype;
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                let convert: fn($T) -> i64 = $to_i64;
                convert(self)
            }
        }
    )*};
}

elements! {
    f32, F32, |x| x as i64;
    f64, F64, |x| x as i64;
    i8, I8, i64::from;
    i16, I16, i64::from;
    i32, I32, i64::from;
    i64, I64, |x| x;
    u8, U8, i64::from;
    u16, U16, i64::from;
    u32, U32, i64::from;
    u64, U64, |x| i64::try_from(x).unwrap_or(i64::MAX);
}

/// Half precision: 1 bit of sign, 5 of exponent, 10 of mantissa.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Float16(u16);

impl Element for Float16 {
    const DTYPE: DType = DType::F16;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        let magnitude = u32::from(self.0 & 0x7fff);
        // The fields shifted to their places give a number whose exponent is too small by the
        // difference of the biases, 127 - 15; the product is exact, of subnormals too.
        let scaled = f32::from_bits(magnitude << 13) * f32::from_bits((127 + 112) << 23);
        // The exponent of infinities and NaNs is all ones in both formats.
        let special = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
        f32::from_bits(scaled.to_bits() | special | u32::from(self.0 & 0x8000) << 16)
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.to_f32())
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        self.to_f32() as i64
    }
}

/// A byte that says yes unless it is zero.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Truth(u8);

impl Element for Truth {
    const DTYPE: DType = DType::Bool;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self.to_f64() as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        if self.0 == 0 { 0.0 } else { 1.0 }
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        i64::from(self.0 != 0)
    }
}

/// `$body` with `$D` as the element type of `$dtype`.
macro_rules! with_element {
    ($dtype:expr, $D:ident => $body:expr) => {{
        use $crate::kernels::gather::{DType, element};
        match $dtype {
            DType::F16 => {
                type $D = element::Float16;
                $body
            }
            DType::F32 => {
                type $D = f32;
                $body
            }
            DType::F64 => {
                type $D = f64;
                $body
            }
            DType::I8 => {
                type $D = i8;
                $body
            }
            DType::I16 => {
                type $D = i16;
                $body
            }
            DType::I32 => {
                type $D = i32;
                $body
            }
            DType::I64 => {
                type $D = i64;
                $body
            }
            DType::U8 => {
                type $D = u8;
                $body
            }
            DType::U16 => {
                type $D = u16;
                $body
            }
            DType::U32 => {
                type $D = u32;
                $body
            }
            DType::U64 => {
                type $D = u64;
                $body
            }
            DType::Bool => {
                type $D = element::Truth;
                $body
            }
        }
    }};
}
pub(super) use with_element;

/// The nearest `T`: integers of 64 bits become `f32` directly, since a stop at `f64` rounds twice.
#[inline(always)]
pub(super) fn convert<D: Element, T: Real>(x: D) -> T {
    if size_of::<T>() == size_of::<f32>() {
        T::from_f64(f64::from(x.to_f32()))
    } else {
        T::from_f64(x.to_f64())
    }
}

/// Whether no conversion is needed.
#[inline(always)]
fn is_same<D: Element, T: Real>() -> bool {
    D::DTYPE.is_float() && size_of::<D>() == size_of::<T>()
}

/// 16 elements that follow each other.
///
/// # Safety
/// They may be read.
#[inline(always)]
pub(super) unsafe fn load<S: Simd, D: Element, T: Real>(p: *const u8) -> S::Lanes<T> {
    if is_same::<D, T>() {
        // SAFETY: the caller vouches for 16 elements, which are of type T.
        unsafe { S::Lanes::<T>::load(p.cast()) }
    } else {
        // SAFETY: the caller vouches for 16 elements, and any bytes are a value of each type.
        convert_lanes::<S, D, T>(unsafe { p.cast::<[D; LANES]>().read_unaligned() })
    }
}

/// Up to 16 elements that follow each other, and +0 behind them.
///
/// # Safety
/// `n <= 16` elements may be read.
#[inline(always)]
pub(super) unsafe fn load_partial<S: Simd, D: Element, T: Real>(
    p: *const u8,
    n: usize,
) -> S::Lanes<T> {
    // SAFETY: the caller vouches for n elements of the type that each arm reads; the arrays hold 16.
    unsafe {
        match D::DTYPE {
            _ if is_same::<D, T>() => S::Lanes::<T>::load_partial(p.cast(), n),
            // Masked loads: float64 data for a float32 network is what most users bring.
            DType::F64 => {
                let mut raw = [0.0f64; LANES];
                S::Lanes::<f64>::load_partial(p.cast(), n).store(raw.as_mut_ptr());
                convert_lanes::<S, f64, T>(raw)
            }
            DType::F32 => {
                let mut raw = [0.0f32; LANES];
                S::Lanes::<f32>::load_partial(p.cast(), n).store(raw.as_mut_ptr());
                convert_lanes::<S, f32, T>(raw)
            }
            _ => load_strided::<S, D, T>(p, size_of::<D>() as isize, n),
        }
    }
}

#[inline(always)]
fn convert_lanes<S: Simd, D: Element, T: Real>(raw: [D; LANES]) -> S::Lanes<T> {
    let mut converted = [T::ZERO; LANES];
    for i in 0..LANES {
        converted[i] = convert(raw[i]);
    }
    // SAFETY: the array holds 16 values.
    unsafe { S::Lanes::<T>::load(converted.as_ptr()) }
}

/// Up to 16 elements that lie `stride` bytes apart, and +0 behind them.
///
/// # Safety
/// `n <= 16` elements may be read.
#[inline(always)]
pub(super) unsafe fn load_strided<S: Simd, D: Element, T: Real>(
    p: *const u8,
    stride: isize,
    n: usize,
) -> S::Lanes<T> {
    let mut converted = [T::ZERO; LANES];
    let mut p = p;
    for i in 0..n {
        // SAFETY: element i < n may be read, as the caller vouches, and i < 16.
        unsafe { *converted.get_unchecked_mut(i) = convert(p.cast::<D>().read_unaligned()) };
        p = p.wrapping_offset(stride);
    }
    // SAFETY: the array holds 16 values.
    unsafe { S::Lanes::<T>::load(converted.as_ptr()) }
}
