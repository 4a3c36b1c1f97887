//! The register tile.
//!
//! A tile has `MR` rows of `NV` registers, each an accumulator that stays in a register while k
//! runs. Its shape is bounded by the registers of the instruction set: `MR * NV` accumulators, `NV`
//! registers of B and, where broadcasts are not part of the multiply-add, one of A. And it needs
//! latency x ports = 4 x 2 = 8 independent chains to keep the multiply-add units busy.
//!
//! | registers | tile | accumulators + B + A |
//! |---|---|---|
//! | 16 (AVX2) | 6 x 2 | 12 + 2 + 1 |
//! | 32 (AVX-512) | 12 x 2 | 24 + 2, A is broadcast by the multiply-add's memory operand |
//! | 8 (portable: 16 lanes, four or more registers of the real machine) | 4 x 1 | |
//! | 1 (portable where operations are calls) | 1 x 1 | |

use crate::kernels::panels::Panels;
use crate::simd::{LANES, Real, Vector};

/// A tile's accumulators.
pub(in crate::kernels) type Tile<V, const MR: usize, const NV: usize> = [[V; NV]; MR];

/// How many registers the next columns of a matrix take.
///
/// What one register holds is done alone: the last panel of an odd number where a register holds 16
/// lanes, the few columns of a narrow layer where it holds fewer. And so is what half a register holds
/// (Zen 4: a whole step of 64-100-10 1.05x, of 37-91-53-7 1.05x).
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Width {
    /// As many as a tile has.
    All,
    One,
    Half,
}

impl Width {
    /// For so many columns left; a tile has `NV` registers.
    #[inline(always)]
    pub(super) fn of<T: Real, V: Vector<T>, H: Vector<T>, const NV: usize>(left: usize) -> Self {
        let half = if H::LANES < V::LANES { H::LANES } else { 0 };
        if left <= half {
            Self::Half
        } else if NV == 1 || left > V::LANES + half {
            Self::All
        } else {
            Self::One
        }
    }

    /// Columns that these are, padding included.
    #[inline(always)]
    pub(super) fn lanes<T: Real, V: Vector<T>, const NV: usize>(self) -> usize {
        if self == Self::All { NV * V::LANES } else { V::LANES }
    }
}

/// The addresses of `NV` registers of a matrix's row, from column `col` on.
///
/// Registers of one panel get one address and constant distances: a pointer for each would not find
/// room among the general registers, and would be reloaded in the innermost loop.
#[inline(always)]
pub(super) fn registers<T: Real, V: Vector<T>, const NV: usize>(
    matrix: Panels<T>,
    row: usize,
    col: usize,
) -> [*mut T; NV] {
    let first = matrix.row(col / LANES, row).wrapping_add(col % LANES);
    let mut addresses = [first; NV];
    for v in 1..NV {
        addresses[v] = if NV * V::LANES <= LANES {
            first.wrapping_add(v * V::LANES)
        } else {
            let at = col + v * V::LANES;
            matrix.row(at / LANES, row).wrapping_add(at % LANES)
        };
    }
    addresses
}

/// `acc[i][v] = fma(a(i, k), b(k, v), acc[i][v])` for k = 0, 1, ..., `len - 1`.
///
/// a(i, k) is at `a + i * A_ROW + k * A_K`, b(k, v) are the lanes at `b[v] + k * 16`. The strides are
/// constants so that they become displacements: with run-time strides each address waits for the
/// addition before it. Beside step k the lines at `ahead[p] + k * 16` are fetched into L1.
///
/// # Safety
/// All these addresses are valid for reads.
#[inline(always)]
pub(super) unsafe fn accumulate<
    T: Real,
    V: Vector<T>,
    const MR: usize,
    const NV: usize,
    const P: usize,
    const A_ROW: usize,
    const A_K: usize,
>(
    acc: &mut Tile<V, MR, NV>,
    a: *const T,
    b: [*mut T; NV],
    ahead: [*const T; P],
    len: usize,
) {
    for k in 0..len {
        for p in 0..P {
            V::prefetch(ahead[p].wrapping_add(k * LANES));
        }
        let mut right = [V::zero(); NV];
        for v in 0..NV {
            // SAFETY: the caller vouches for the address.
            right[v] = unsafe { V::load(b[v].add(k * LANES)) };
        }
        for i in 0..MR {
            // SAFETY: the caller vouches for the address.
            let left = V::splat(unsafe { *a.add(i * A_ROW + k * A_K) });
            for v in 0..NV {
                acc[i][v] = left.fma(right[v], acc[i][v]);
            }
        }
    }
}

/// Splits `n` rows into tiles of at most `most`, their sizes as equal as can be (7 = 4 + 3, never
/// 6 + 1): a lone row has too few chains to hide the latency of multiply-adds.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Balanced {
    size: usize,
    larger: usize,
}

impl Balanced {
    #[inline(always)]
    pub(in crate::kernels) fn new(n: usize, most: usize) -> (Self, usize) {
        if n <= most {
            // Without the divisions below, which cost a tiny network more than its tile.
            return (Self { size: n, larger: 0 }, usize::from(n > 0));
        }
        let tiles = n.div_ceil(most);
        (Self { size: n / tiles, larger: n % tiles }, tiles)
    }

    /// Start and length of a tile.
    #[inline(always)]
    pub(in crate::kernels) fn range(self, tile: usize) -> (usize, usize) {
        if tile < self.larger {
            (tile * (self.size + 1), self.size + 1)
        } else {
            (tile * self.size + self.larger, self.size)
        }
    }
}

/// Calls `$f::<.., $height, $nv>` for a run-time height from 1 to 12.
macro_rules! by_height {
    ($height:expr, $most:ident, $f:ident::<$($generic:ident),+; $nv:tt>($($argument:expr),*)) => {
        if $most == 1 {
            $f::<$($generic),+, 1, $nv>($($argument),*)
        } else {
            match $height {
                1 => $f::<$($generic),+, 1, $nv>($($argument),*),
                2 => $f::<$($generic),+, 2, $nv>($($argument),*),
                3 => $f::<$($generic),+, 3, $nv>($($argument),*),
                4 => $f::<$($generic),+, 4, $nv>($($argument),*),
                5 if $most > 4 => $f::<$($generic),+, 5, $nv>($($argument),*),
                6 if $most > 4 => $f::<$($generic),+, 6, $nv>($($argument),*),
                7 if $most > 6 => $f::<$($generic),+, 7, $nv>($($argument),*),
                8 if $most > 6 => $f::<$($generic),+, 8, $nv>($($argument),*),
                9 if $most > 8 => $f::<$($generic),+, 9, $nv>($($argument),*),
                10 if $most > 8 => $f::<$($generic),+, 10, $nv>($($argument),*),
                11 if $most > 8 => $f::<$($generic),+, 11, $nv>($($argument),*),
                12 if $most > 8 => $f::<$($generic),+, 12, $nv>($($argument),*),
                _ => unreachable!("tiles have 1 to {} rows", $most),
            }
        }
    };
}
pub(in crate::kernels) use by_height;

#[cfg(test)]
mod tests {
    use super::Balanced;

    #[test]
    fn balanced_tiles_cover_the_rows_once() {
        for most in [4, 6, 8, 12] {
            for n in 0..100 {
                let (split, tiles) = Balanced::new(n, most);
                let mut next = 0;
                for tile in 0..tiles {
                    let (start, len) = split.range(tile);
                    assert_eq!(start, next);
                    assert!((1..=most).contains(&len));
                    assert!(len > 1 || n == 1 || most == 1, "a lone row in {n} by {most}");
                    next += len;
                }
                assert_eq!(next, n);
            }
        }
    }
}
