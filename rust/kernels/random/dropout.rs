//! Which units of a batch stay.

use super::super::panels::Panels;
use super::{Purpose, Stream};
use crate::simd::{Kernel, LANES, Real, Simd};

/// Values of the 16 bits that a unit gets.
const FIELDS: f64 = 65536.0;

/// Fills a mask for a batch: each unit is the scale with probability 1 - p, else +0.
///
/// With t = p 2^16 rounded to the nearest integer, halves to even, the scale is
/// 2^16 / (2^16 - t) rounded to `T`. Row r of the mask is row `first_row + r` of the batch. Unit j
/// stays if field j % 16 of the block j / 16 of its stream is at least t, a field being 16 bits of
/// the block's 256, from the lowest up: one block for each row of a panel. Padding is filled as
/// units are.
#[derive(Clone, Copy, Debug)]
pub struct DropoutMask<T> {
    /// The model's seed.
    pub seed: u64,
    /// The layer's index in the network.
    pub layer: u32,
    /// Updates applied before this one.
    pub step: u64,
    /// Position in the batch of the mask's first row.
    pub first_row: usize,
    /// The probability that a unit is dropped, in [0, 1).
    pub p: f64,
    /// What is filled.
    pub mask: Panels<T>,
}

impl<T: Real> Kernel for DropoutMask<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // A p that rounds to 1 drops all; no unit then gets the infinite scale.
        let dropped = (self.p * FIELDS).round_ties_even();
        let scale = T::from_f64(FIELDS / (FIELDS - dropped));
        let threshold = dropped as u32;
        let stream = Stream::new(self.seed, Purpose::Dropout, self.layer);
        for panel in 0..self.mask.panels() {
            for row in 0..self.mask.rows() {
                let stream = stream.at((self.first_row + row) as u64, self.step);
                let block = stream.block(panel as u64);
                let mut units = [T::ZERO; LANES];
                for j in 0..LANES {
                    let field = (block[j / 4] >> (16 * (j % 4))) as u16;
                    units[j] = if u32::from(field) >= threshold { scale } else { T::ZERO };
                }
                // SAFETY: a panel's row holds 16 elements; whoever made the view vouches for them.
                unsafe { self.mask.row(panel, row).cast::<[T; LANES]>().write_unaligned(units) };
            }
        }
    }
}
