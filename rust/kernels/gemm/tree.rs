//! A weight gradient over more rows than a block of N2 has: blocks of 256 rows are chains, whose sums rest
//! in slots and meet in the tree of `reduce.rs`.
//!
//! The tree leaves its sums for whatever finishes them, so it is compiled once for all of that.

use super::sums::{Finish, RowBlock, SLOTS, WeightGradient, place};
use crate::kernels::reduce::{BLOCK_ROWS, BlockTree};
use crate::kernels::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Elements of a slot: a block of the gradient.
const BLOCK: usize = 2 * LANES * LANES;

impl<T: Real> WeightGradient<T> {
    /// The gradient block by block of rows, each register of it given to `finish`.
    #[inline(always)]
    pub(super) fn in_blocks<S: Simd, F: Finish<T>, const MR: usize, const NV: usize>(
        self,
        finish: F,
    ) {
        let mut sums = Scratch::<T, BLOCK>::new();
        let sums = sums.ptr();
        finish.between::<S::Register<T>>(0);
        S::call(Tree::<T, MR, NV> { gradient: self, sums });
        finish.between::<S::Register<T>>(1);
        self.each_kept::<S, _>(Give { sums, finish });
    }

    /// Does the work for each register that tiles leave in a slot.
    #[inline(always)]
    fn each_kept<S: Simd, W: SlotWork<T>>(self, work: W) {
        for panel in 0..self.outputs {
            let width = self.d.width(self.output + panel);
            for row in 0..self.a.width(self.input) {
                let mut lane = 0;
                while lane < width {
                    let col = panel * LANES + lane;
                    if width - lane > S::Half::<T>::LANES {
                        work.register::<S::Register<T>>(row, col);
                        lane += S::Register::<T>::LANES;
                    } else {
                        work.register::<S::Half<T>>(row, col);
                        lane += S::Half::<T>::LANES;
                    }
                }
            }
        }
    }
}

/// A gradient over more rows than a block has, left in one slot.
struct Tree<T, const MR: usize, const NV: usize> {
    gradient: WeightGradient<T>,
    sums: *mut T,
}

impl<T: Real, const MR: usize, const NV: usize> Kernel for Tree<T, MR, NV> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { gradient, sums } = self;
        let rows = gradient.a.rows();
        // Not initialised, since 2 KB a slot would cost as much as a hundred rows.
        let mut others = Scratch::<T, { (SLOTS - 1) * BLOCK }>::new();
        let slots = Slots { first: sums, others: others.ptr() };
        let mut tree = BlockTree::default();
        let blocks = rows.div_ceil(BLOCK_ROWS);
        assert!(BlockTree::slots(blocks) <= SLOTS, "too many rows for one slab");
        for block in 0..blocks {
            let start = block * BLOCK_ROWS;
            let len = if rows - start < BLOCK_ROWS { rows - start } else { BLOCK_ROWS };
            let part = RowBlock { start, len, slot: Some(slots.at(tree.slot())) };
            gradient.tiles::<S, Unfinished, MR, NV>(Unfinished, part);
            for i in tree.push() {
                gradient.each_kept::<S, _>(slots.merge(i));
            }
        }
        for i in tree.finish() {
            gradient.each_kept::<S, _>(slots.merge(i));
        }
    }
}

/// Slot i holds the sums of a whole subtree; the first is where the last sums go.
#[derive(Clone, Copy)]
struct Slots<T> {
    first: *mut T,
    others: *mut T,
}

impl<T: Copy> Slots<T> {
    #[inline(always)]
    fn at(self, i: usize) -> *mut T {
        if i == 0 { self.first } else { self.others.wrapping_add((i - 1) * BLOCK) }
    }

    /// Adds the slot after this one to it.
    #[inline(always)]
    fn merge(self, i: usize) -> Merge<T> {
        Merge { to: self.at(i), from: self.at(i + 1) }
    }
}

/// What is done with registers that tiles have left in a slot.
trait SlotWork<T: Real>: Copy {
    /// The register of one row of the block, from column `col` on.
    fn register<V: Vector<T>>(self, row: usize, col: usize);
}

/// Adds one slot to another.
#[derive(Clone, Copy)]
struct Merge<T> {
    to: *mut T,
    from: *const T,
}

impl<T: Real> SlotWork<T> for Merge<T> {
    #[inline(always)]
    fn register<V: Vector<T>>(self, row: usize, col: usize) {
        let at = place(row, col);
        let (to, from) = (self.to.wrapping_add(at), self.from.wrapping_add(at));
        // SAFETY: tiles wrote these places of both slots.
        unsafe { V::load(to).add(V::load(from)).store(to) };
    }
}

/// Gives the sums of a slot to what finishes them.
#[derive(Clone, Copy)]
struct Give<T, F> {
    sums: *const T,
    finish: F,
}

impl<T: Real, F: Finish<T>> SlotWork<T> for Give<T, F> {
    #[inline(always)]
    fn register<V: Vector<T>>(self, row: usize, col: usize) {
        // SAFETY: the tree left a sum there.
        let sum = unsafe { V::load(self.sums.wrapping_add(place(row, col))) };
        self.finish.tile(row, col, &[[sum]]);
    }
}

/// For tiles whose sums rest in a slot.
#[derive(Clone, Copy)]
struct Unfinished;

impl<T: Real> Finish<T> for Unfinished {
    #[inline(always)]
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        _: usize,
        _: usize,
        _: &[[V; NV]; MR],
    ) {
    }
}
