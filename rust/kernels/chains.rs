//! Sums over the rows of a panel's columns, in the order of N2.

use super::reduce::{BLOCK_ROWS, BlockTree};
use crate::simd::{Real, Simd, Vector};

/// Partial sums on their way through the tree: enough for 2^16 - 1 blocks, 16 million rows.
const SLOTS: usize = 16;

/// `N` sums of elements of type `E`, each of a panel's 16 columns.
pub(super) trait Chains<S: Simd, E: Real, const N: usize> {
    /// The chains over `len` rows from row `start` on, each from +0.
    fn chains(&self, start: usize, len: usize) -> [S::Lanes<E>; N];
}

/// The sums over so many rows.
#[inline(always)]
pub(super) fn over_rows<S: Simd, E: Real, C: Chains<S, E, N>, const N: usize>(
    rows: usize,
    sums: &C,
) -> [S::Lanes<E>; N] {
    if rows <= BLOCK_ROWS {
        // Without the tree's slots, which cost as much as 30 rows.
        return sums.chains(0, rows);
    }
    let mut nodes = [[S::Lanes::<E>::zero(); N]; SLOTS];
    let mut tree = BlockTree::default();
    for block in 0..rows.div_ceil(BLOCK_ROWS) {
        let start = block * BLOCK_ROWS;
        let left = rows - start;
        let len = if left < BLOCK_ROWS { left } else { BLOCK_ROWS };
        nodes[tree.slot()] = sums.chains(start, len);
        for i in tree.push() {
            merge(&mut nodes, i);
        }
    }
    for i in tree.finish() {
        merge(&mut nodes, i);
    }
    nodes[0]
}

/// Adds the node after this one to it.
#[inline(always)]
fn merge<E: Real, V: Vector<E>, const N: usize>(nodes: &mut [[V; N]; SLOTS], at: usize) {
    for i in 0..N {
        nodes[at][i] = nodes[at][i].add(nodes[at + 1][i]);
    }
}
