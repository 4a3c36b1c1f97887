//! Sums in a fixed order.
//!
//! **Over rows (N2).** Rows go in blocks of [`BLOCK_ROWS`] by position in the batch, each block a
//! chain from +0. The sums of n blocks meet in the binary tree that splits them at the largest power
//! of two below n. Going through the blocks in order, that tree is a binary counter: keep the sums of
//! complete subtrees on a stack, and after each block add the newest to the one before it as long as
//! both are of one size; at the end add from the newest back. So a sum over any number of rows needs
//! a stack of a few slots, and may stop and go on between blocks.
//!
//! **Over lanes (N3).** 16 lanes are folded by halves: 8, 4, 2, 1.

use std::iter::Rev;
use std::ops::Range;

use super::panels::Span;
use super::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Rows that one chain sums (N2).
pub const BLOCK_ROWS: usize = 256;

/// Which partial sums meet when, for sums that lie in a stack of slots.
///
/// Per block: write its sum into slot [`Self::slot`], then for each `i` of [`Self::push`] add slot
/// `i + 1` to slot `i` (`slot[i] = slot[i] + slot[i + 1]`). At the end do the same for each `i` of
/// [`Self::finish`]; slot 0 then holds the sum, if there was any block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockTree {
    blocks: usize,
}

impl BlockTree {
    /// The slot for the next block's sum.
    #[inline]
    #[must_use]
    pub fn slot(&self) -> usize {
        // One slot for each complete subtree: the binary digits of the number of blocks.
        self.blocks.count_ones() as usize
    }

    /// Counts a block and says what is then to be added, in this order.
    #[inline]
    pub fn push(&mut self) -> Rev<Range<usize>> {
        let slot = self.slot();
        self.blocks += 1;
        (slot - self.blocks.trailing_zeros() as usize..slot).rev()
    }

    /// What is to be added when no block is to follow, in this order.
    #[inline]
    pub fn finish(&self) -> Rev<Range<usize>> {
        (0..self.slot().saturating_sub(1)).rev()
    }

    /// Slots that a sum over this many blocks needs.
    #[must_use]
    pub fn slots(blocks: usize) -> usize {
        blocks.checked_ilog2().map_or(0, |log| log as usize + 1)
    }
}

/// A running sum over rows in `f64` (N4): losses, weights.
#[derive(Clone, Copy, Debug)]
pub struct RowSum {
    tree: BlockTree,
    slots: [f64; usize::BITS as usize],
    /// The chain of the block that has begun, and its rows.
    chain: f64,
    rows: usize,
}

impl Default for RowSum {
    fn default() -> Self {
        let slots = [0.0; usize::BITS as usize];
        Self { tree: BlockTree::default(), slots, chain: 0.0, rows: 0 }
    }
}

impl RowSum {
    /// Adds the next row.
    #[inline]
    pub fn add(&mut self, row: f64) {
        self.chain += row;
        self.rows += 1;
        if self.rows == BLOCK_ROWS {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        self.slots[self.tree.slot()] = self.chain;
        for i in self.tree.push() {
            self.slots[i] += self.slots[i + 1];
        }
        self.chain = 0.0;
        self.rows = 0;
    }

    /// Adds the next rows.
    pub fn add_all(&mut self, rows: Span<f64>) {
        for i in 0..rows.len() {
            // SAFETY: i is below the span's length; its maker vouches for the memory.
            self.add(unsafe { rows.at(i).read() });
        }
    }

    /// The sum of all rows so far.
    #[must_use]
    pub fn sum(mut self) -> f64 {
        if self.rows > 0 {
            self.end_block();
        }
        for i in self.tree.finish() {
            self.slots[i] += self.slots[i + 1];
        }
        self.slots[0]
    }
}

/// The sum over rows (N2).
#[must_use]
pub fn sum_rows(rows: Span<f64>) -> f64 {
    if rows.len() <= BLOCK_ROWS {
        // One chain, without the tree's 512 bytes of slots: most batches are a single block.
        return (0..rows.len()).fold(0.0, |chain, row| chain + rows.get(row));
    }
    let mut sum = RowSum::default();
    sum.add_all(rows);
    sum.sum()
}

/// The sum of 16 lanes (N3): lane i + 8 to lane i, then 4, 2, 1.
#[inline(always)]
#[must_use]
pub fn fold<T: Real, V: Vector<T>>(lanes: V) -> T {
    debug_assert!(V::LANES == LANES);
    let mut parts = [T::ZERO; LANES];
    // SAFETY: the array holds 16 values, as many as the vector.
    unsafe { lanes.store(parts.as_mut_ptr()) };
    fold_array(parts)
}

/// As [`fold`], of 16 lanes in an array.
#[inline(always)]
#[must_use]
pub fn fold_array<T: Real>(mut parts: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            parts[i] = parts[i].add(parts[i + half]);
        }
        half /= 2;
    }
    parts[0]
}

/// 16 lanes in f64.
#[inline(always)]
pub(in crate::kernels) fn wide<T: Real, S: Simd>(lanes: S::Lanes<T>) -> S::Lanes<f64> {
    let (mut narrow, mut wide) = ([T::ZERO; LANES], [0.0; LANES]);
    // SAFETY: the array holds 16 values.
    unsafe { lanes.store(narrow.as_mut_ptr()) };
    for i in 0..LANES {
        wide[i] = narrow[i].to_f64();
    }
    // SAFETY: the array holds 16 values.
    unsafe { S::Lanes::<f64>::load(wide.as_ptr()) }
}

/// How two values of a fold become one.
pub trait Join<T: Real> {
    /// Lane by lane.
    fn join<V: Vector<T>>(a: V, b: V) -> V;
}

/// Their sum.
pub struct Added;

impl<T: Real> Join<T> for Added {
    #[inline(always)]
    fn join<V: Vector<T>>(a: V, b: V) -> V {
        a.add(b)
    }
}

/// The larger one (N7).
pub struct Largest;

impl<T: Real> Join<T> for Largest {
    #[inline(always)]
    fn join<V: Vector<T>>(a: V, b: V) -> V {
        a.max(b)
    }
}

/// Folds 16 x 16 elements by rows in the order of N3: lane i is [`fold`], with the join in place of
/// its sums, of the 16 elements from `p + 16 i` on.
///
/// Registers that hold fewer than 16 lanes are folded first, then the rest is transposed, so that
/// 16 rows are folded together: 6 cycles a row instead of 20.
///
/// # Safety
/// `p` is valid for reads of 16 x 16 elements.
#[inline(always)]
#[must_use]
pub unsafe fn fold_rows<T: Real, S: Simd, J: Join<T>>(p: *const T) -> S::Lanes<T> {
    // SAFETY: the caller vouches for the elements.
    unsafe { fold_registers::<T, S::Register<T>, S::Lanes<T>, J>(p) }
}

#[inline(always)]
unsafe fn fold_registers<T: Real, V: Vector<T>, L: Vector<T>, J: Join<T>>(p: *const T) -> L {
    let mut folded = Scratch::<T, { LANES * LANES }>::new();
    let mut turned = Scratch::<T, { LANES * LANES }>::new();
    let (folded, turned) = (folded.ptr(), turned.ptr());
    let each = LANES / V::LANES;
    let mut source = p;
    if each > 1 {
        for row in 0..LANES {
            let mut registers = [V::zero(); LANES];
            for i in 0..each {
                // SAFETY: the caller vouches for the elements.
                registers[i] = unsafe { V::load(p.add(row * LANES + i * V::LANES)) };
            }
            // SAFETY: row `row` of 16 elements.
            unsafe { halve::<T, V, J>(registers, each).store(folded.add(row * LANES)) };
        }
        source = folded;
    }
    let mut row = 0;
    while row < LANES {
        // SAFETY: `V::LANES` rows and columns of both, of which the first hold what is to be turned.
        unsafe { V::turn(source.add(row * LANES), turned.add(row), LANES) };
        row += V::LANES;
    }
    let mut rows = [L::zero(); LANES];
    for i in 0..V::LANES {
        // SAFETY: rows below `V::LANES` hold 16 elements each, written by the transpose.
        rows[i] = unsafe { L::load(turned.add(i * LANES)) };
    }
    halve::<T, L, J>(rows, V::LANES)
}

/// Joins the second half of the first `count` vectors to the first half, until one is left.
#[inline(always)]
fn halve<T: Real, V: Vector<T>, J: Join<T>>(mut vectors: [V; LANES], mut count: usize) -> V {
    while count > 1 {
        count /= 2;
        for i in 0..count {
            vectors[i] = J::join(vectors[i], vectors[i + count]);
        }
    }
    vectors[0]
}

/// Adds `term` to `sum`, element by element: how the sums of slabs meet.
pub struct Accumulate<T> {
    /// A multiple of 16 elements.
    pub sum: Span<T>,
    /// As many.
    pub term: Span<T>,
}

impl<T: Real> Kernel for Accumulate<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        assert!(self.sum.len().is_multiple_of(LANES) && self.term.len() == self.sum.len());
        let mut i = 0;
        while i < self.sum.len() {
            // SAFETY: 16 elements from i on are in both spans, whose maker vouches for the memory.
            unsafe {
                let newer = S::Lanes::<T>::load(self.term.at(i));
                S::Lanes::<T>::load(self.sum.at(i)).add(newer).store(self.sum.at(i));
            }
            i += LANES;
        }
    }
}
