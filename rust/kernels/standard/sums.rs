//! Sums over the rows of each column, of squares too, and the least and the largest element.
//!
//! A chain is a block of N2; the sums of blocks lie in slots, which meet as
//! [`BlockTree`](crate::kernels::reduce::BlockTree) says.

use crate::kernels::panels::Panels;
use crate::simd::{Kernel, Simd, Vector};

/// Rows of the totals where the least and the largest elements are.
pub const LEAST: usize = 0;
/// See [`LEAST`].
pub const MOST: usize = 1;

/// The first row of the totals with sums. Slot `i` has two rows from `SLOT_ROWS + 2 i` on: the sum of the
/// elements and that of their squares.
pub const SLOT_ROWS: usize = 2;

/// Adds rows to the totals of their columns.
pub struct ColumnSums {
    /// The rows.
    pub values: Panels<f64>,
    /// As many columns, and the rows that are said above.
    pub totals: Panels<f64>,
    /// Where the sums of the present block are.
    pub slot: usize,
    /// Whether the rows begin a block, whose sums begin at +0.
    pub begins_block: bool,
    /// Whether they are the first of all.
    pub first: bool,
}

impl Kernel for ColumnSums {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { values, totals, slot, begins_block, first } = self;
        let at = SLOT_ROWS + 2 * slot;
        assert!(totals.panels() >= values.panels() && totals.rows() >= at + 2);
        for panel in 0..values.panels() {
            let place = |row| totals.row(panel, row);
            let (mut sum, mut squares) = (S::Lanes::<f64>::zero(), S::Lanes::<f64>::zero());
            let mut least = S::Lanes::<f64>::splat(f64::INFINITY);
            let mut most = S::Lanes::<f64>::splat(f64::NEG_INFINITY);
            // SAFETY: the views' makers vouch for the 16 elements of their rows.
            unsafe {
                if !begins_block {
                    sum = S::Lanes::load(place(at));
                    squares = S::Lanes::load(place(at + 1));
                }
                if !first {
                    least = S::Lanes::load(place(LEAST));
                    most = S::Lanes::load(place(MOST));
                }
                for row in 0..values.rows() {
                    let x = S::Lanes::<f64>::load(values.row(panel, row));
                    sum = sum.add(x);
                    squares = x.fma(x, squares);
                    least = x.min(least);
                    most = x.max(most);
                }
                sum.store(place(at));
                squares.store(place(at + 1));
                least.store(place(LEAST));
                most.store(place(MOST));
            }
        }
    }
}

/// Adds the sums in slot `slot + 1` to those in `slot`.
pub struct MergeSums {
    /// As in [`ColumnSums`].
    pub totals: Panels<f64>,
    /// The older one.
    pub slot: usize,
}

impl Kernel for MergeSums {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { totals, slot } = self;
        let at = SLOT_ROWS + 2 * slot;
        assert!(totals.rows() >= at + 4);
        for panel in 0..totals.panels() {
            for row in at..at + 2 {
                let place = totals.row(panel, row);
                // SAFETY: the view's maker vouches for the 16 elements of its rows.
                unsafe {
                    let newer = S::Lanes::<f64>::load(totals.row(panel, row + 2));
                    S::Lanes::<f64>::load(place).add(newer).store(place);
                }
            }
        }
    }
}
