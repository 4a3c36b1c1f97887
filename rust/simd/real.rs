//! The element types of the networks, with their registers on each instruction set.

use super::Real;
#[cfg(target_arch = "x86_64")]
use super::Wide;
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

macro_rules! real {
    ($T:ty, $name:literal, $lanes_avx2:literal, $lanes_avx512:literal, $flush:expr, $avx2:ident, $avx512:ident, $four:ident) => {
        impl Real for $T {
            type PortableVector = Portable<$T>;
            #[cfg(target_arch = "x86_64")]
            type Avx2Register = avx2::$avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx2Lanes = Wide<avx2::$avx2, $lanes_avx2>;
            #[cfg(target_arch = "x86_64")]
            type Four = avx2::$four;
            #[cfg(target_arch = "x86_64")]
            type Avx512Register = avx512::$avx512;
            #[cfg(target_arch = "x86_64")]
            type Avx512Lanes = Wide<avx512::$avx512, $lanes_avx512>;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = <$T>::EPSILON;
            const FLUSH: Self = $flush;
            const NAME: &'static str = $name;
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as Self
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$T>::is_finite(self)
            }
        }
    };
}

real!(f32, "float32", 2, 1, f32::from_bits((127 - 100) << 23), F32x8, F32x16, F32x4);
real!(f64, "float64", 4, 2, f64::from_bits((1023 - 900) << 52), F64x4, F64x8, F64x4);
