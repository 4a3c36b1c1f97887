//! Several registers that act as one longer vector.

use super::{Real, Vector};

/// `N` vectors side by side; lane `i` is lane `i % V::LANES` of vector `i / V::LANES`.
///
/// Besides giving every instruction set 16 lanes, this interleaves `N` independent chains of
/// instructions, which hides their latency in polynomials.
#[derive(Clone, Copy)]
pub struct Wide<V, const N: usize>([V; N]);

impl<V, const N: usize> Wide<V, N> {
    /// These vectors.
    #[inline(always)]
    pub fn new(vectors: [V; N]) -> Self {
        Self(vectors)
    }

    /// Its vectors.
    #[inline(always)]
    pub fn vectors(self) -> [V; N] {
        self.0
    }

    /// Vectors that lie `stride` elements apart.
    ///
    /// # Safety
    /// For i below `N`, `V::LANES` values from `p + i * stride` on are valid for reads.
    #[inline(always)]
    pub unsafe fn load_apart<T: Real>(p: *const T, stride: usize) -> Self
    where
        V: Vector<T>,
    {
        let mut out = [V::zero(); N];
        for i in 0..N {
            // SAFETY: the caller vouches for the addresses.
            out[i] = unsafe { V::load(p.add(i * stride)) };
        }
        Self(out)
    }

    /// Stores the vectors `stride` elements apart.
    ///
    /// # Safety
    /// As for [`Self::load_apart`], for writes.
    #[inline(always)]
    pub unsafe fn store_apart<T: Real>(self, p: *mut T, stride: usize)
    where
        V: Vector<T>,
    {
        for i in 0..N {
            // SAFETY: the caller vouches for the addresses.
            unsafe { self.0[i].store(p.add(i * stride)) };
        }
    }
}

macro_rules! lanewise {
    ($($(#[$doc:meta])* fn $name:ident($a:ident $(, $b:ident)*);)*) => {$(
        #[inline(always)]
        fn $name(self $(, $b: Self)*) -> Self {
            let mut out = self;
            for i in 0..N {
                out.0[i] = self.0[i].$name($($b.0[i]),*);
            }
            out
        }
    )*};
}

macro_rules! comparison {
    ($($name:ident)*) => {$(
        #[inline(always)]
        fn $name(self, b: Self) -> Self::Mask {
            let mut out = [self.0[0].$name(b.0[0]); N];
            for i in 1..N {
                out[i] = self.0[i].$name(b.0[i]);
            }
            out
        }
    )*};
}

impl<T: Real, V: Vector<T>, const N: usize> Vector<T> for Wide<V, N> {
    const LANES: usize = N * V::LANES;
    type Mask = [V::Mask; N];

    #[inline(always)]
    fn splat(x: T) -> Self {
        Self([V::splat(x); N])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> Self {
        let mut out = Self::splat(T::ZERO);
        for i in 0..N {
            // SAFETY: the caller vouches for N * V::LANES values at `p`.
            out.0[i] = unsafe { V::load(p.add(i * V::LANES)) };
        }
        out
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T) {
        for i in 0..N {
            // SAFETY: the caller vouches for N * V::LANES values at `p`.
            unsafe { self.0[i].store(p.add(i * V::LANES)) };
        }
    }
    #[inline(always)]
    unsafe fn load_partial(p: *const T, n: usize) -> Self {
        let mut out = Self::splat(T::ZERO);
        for i in 0..N {
            let here = n.saturating_sub(i * V::LANES).min(V::LANES);
            if here > 0 {
                // SAFETY: `here` values from lane i * V::LANES on are among the caller's `n`.
                out.0[i] = unsafe { V::load_partial(p.add(i * V::LANES), here) };
            }
        }
        out
    }
    #[inline(always)]
    unsafe fn store_partial(self, p: *mut T, n: usize) {
        for i in 0..N {
            let here = n.saturating_sub(i * V::LANES).min(V::LANES);
            if here > 0 {
                // SAFETY: `here` values from lane i * V::LANES on are among the caller's `n`.
                unsafe { self.0[i].store_partial(p.add(i * V::LANES), here) };
            }
        }
    }

    lanewise! {
        fn add(a, b);
        fn sub(a, b);
        fn mul(a, b);
        fn div(a, b);
        fn fma(a, b, c);
        fn sqrt(a);
        fn max(a, b);
        fn min(a, b);
        fn round(a);
        fn and(a, b);
        fn or(a, b);
        fn xor(a, b);
        fn pow2(a);
        fn exponent(a);
        fn mantissa(a);
        fn neg(a);
        fn abs(a);
        fn unless_negative(a, b);
    }
    comparison! { lt le eq }

    #[inline(always)]
    fn scale(self, k: Self) -> Option<Self> {
        let mut out = self;
        for i in 0..N {
            out.0[i] = self.0[i].scale(k.0[i])?;
        }
        Some(out)
    }

    #[inline(always)]
    fn select(mask: Self::Mask, a: Self, b: Self) -> Self {
        let mut out = a;
        for i in 0..N {
            out.0[i] = V::select(mask[i], a.0[i], b.0[i]);
        }
        out
    }
    #[inline(always)]
    fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        let mut out = a;
        for i in 0..N {
            out[i] = V::both(a[i], b[i]);
        }
        out
    }
    #[inline(always)]
    fn either(a: Self::Mask, b: Self::Mask) -> Self::Mask {
        let mut out = a;
        for i in 0..N {
            out[i] = V::either(a[i], b[i]);
        }
        out
    }
    #[inline(always)]
    fn any(mask: Self::Mask) -> bool {
        let mut out = false;
        for m in mask {
            out |= V::any(m);
        }
        out
    }
    #[inline(always)]
    fn sign_mask(self) -> Self::Mask {
        let mut out = [self.0[0].sign_mask(); N];
        for i in 1..N {
            out[i] = self.0[i].sign_mask();
        }
        out
    }
}
