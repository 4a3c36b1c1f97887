//! Sums over a block of rows of a batch, tile by tile: chains of N1, and where they rest.

use super::tile::{Balanced, Tile, Width, accumulate, by_height, registers};
use crate::kernels::fetch::LINE;
use crate::kernels::panels::Panels;
use crate::kernels::tuning::ROWS_AHEAD;
use crate::simd::{LANES, Real, Simd, Vector};

/// Partial sums on their way through the tree: enough for 2^16 - 1 blocks, 16 million rows; a slab
/// has 16 blocks.
pub(super) const SLOTS: usize = 16;

/// One 16-column panel's worth, or two, of G = A^T D, over all rows of A and D.
///
/// G (k, n) with A (rows, k) and D (rows, n): this is the transposed weight gradient, whose rows are
/// inputs, in the layout of the packed transposed weights. One computes rows
/// `input * 16 .. input * 16 + 16` of panels `output .. output + outputs` of it, tile by tile.
pub struct WeightGradient<T> {
    /// The layer's input (rows, k).
    pub a: Panels<T>,
    /// Gradient with respect to the layer's output (rows, n).
    pub d: Panels<T>,
    /// Panel of A.
    pub input: usize,
    /// First panel of D.
    pub output: usize,
    /// Panels of D: 1 or 2.
    pub outputs: usize,
}

impl<T> Clone for WeightGradient<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for WeightGradient<T> {}

/// What becomes of a gradient while it is still in registers.
pub trait Finish<T: Real>: Copy {
    /// Takes the sums of `MR` rows of `NV` registers. Row 0 is row `row` of the block, register 0
    /// begins at its column `col`.
    fn tile<V: Vector<T>, const MR: usize, const NV: usize>(
        self,
        row: usize,
        col: usize,
        sums: &[[V; NV]; MR],
    );

    /// What else is done, half of it before the first tile and half before another.
    #[inline(always)]
    fn between<V: Vector<T>>(self, half: usize) {
        let _ = half;
    }
}

impl<T: Real> WeightGradient<T> {
    /// All tiles over some rows.
    #[inline(always)]
    pub(super) fn tiles<S: Simd, F: Finish<T>, const MR: usize, const NV: usize>(
        self,
        finish: F,
        part: RowBlock<T>,
    ) {
        let first = self.output * LANES;
        let end = if first + self.outputs * LANES < self.d.cols() {
            first + self.outputs * LANES
        } else {
            self.d.cols()
        };
        let mut col = first;
        while col < end {
            let width = Width::of::<T, S::Register<T>, S::Half<T>, NV>(end - col);
            match width {
                Width::All => self.column::<S::Register<T>, F, MR, NV>(finish, part, col),
                Width::One => self.column::<S::Register<T>, F, MR, 1>(finish, part, col),
                Width::Half => self.column::<S::Half<T>, F, MR, 1>(finish, part, col),
            }
            col += width.lanes::<T, S::Register<T>, NV>();
        }
    }

    /// The tiles of `NV` registers from column `col` of D on.
    #[inline(always)]
    fn column<V: Vector<T>, F: Finish<T>, const MR: usize, const NV: usize>(
        self,
        finish: F,
        part: RowBlock<T>,
        col: usize,
    ) {
        let (split, tiles) = Balanced::new(self.a.width(self.input), MR);
        for tile in 0..tiles {
            let (row, height) = split.range(tile);
            by_height!(height, MR, tile_of::<T, V, F; NV>(self, finish, part, row, col));
        }
    }
}

/// A block of rows of the batch, and where the sums over them rest unless they are complete.
#[derive(Clone, Copy)]
pub(super) struct RowBlock<T> {
    pub start: usize,
    pub len: usize,
    /// Two panels of 16 rows.
    pub slot: Option<*mut T>,
}

/// One tile: inputs `row..row + MR` of the panel, registers from column `col` of D on.
#[inline(always)]
fn tile_of<T: Real, V: Vector<T>, F: Finish<T>, const MR: usize, const NV: usize>(
    gradient: WeightGradient<T>,
    finish: F,
    part: RowBlock<T>,
    row: usize,
    col: usize,
) {
    let WeightGradient { a, d, input, output, .. } = gradient;
    let mut sums: Tile<V, MR, NV> = [[V::zero(); NV]; MR];
    if part.len > 0 {
        let right = registers::<T, V, NV>(d, part.start, col);
        let left = a.row(input, part.start).wrapping_add(row);
        let next = |p: *mut T| p.wrapping_add(ROWS_AHEAD * LANES).cast_const();
        let two = [next(left), next(right[0])];
        let three = [two[0], two[1], next(right[NV - 1])];
        let len = part.len;
        // SAFETY: rows start..start + len of A's panel and of D's panels exist.
        unsafe {
            if NV * V::LANES * size_of::<T>() > LINE {
                accumulate::<T, V, MR, NV, 3, 1, LANES>(&mut sums, left, right, three, len);
            } else {
                accumulate::<T, V, MR, NV, 2, 1, LANES>(&mut sums, left, right, two, len);
            }
        }
    }
    let Some(slot) = part.slot else {
        finish.between::<V>(usize::from(row > 0));
        return finish.tile(row, col - output * LANES, &sums);
    };
    for i in 0..MR {
        for v in 0..NV {
            let at = place(row + i, col - output * LANES + v * V::LANES);
            // SAFETY: the slot holds two panels of 16 rows.
            unsafe { sums[i][v].store(slot.wrapping_add(at)) };
        }
    }
}

/// Where a slot keeps it.
#[inline(always)]
pub(super) fn place(row: usize, col: usize) -> usize {
    (col / LANES * LANES + row) * LANES + col % LANES
}
