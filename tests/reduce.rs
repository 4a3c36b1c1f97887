//! Sums over rows follow the binary tree of N2, sums over lanes the folds of N3.

use ironmlp::kernels::panels::Span;
use ironmlp::kernels::reduce::{BLOCK_ROWS, BlockTree, RowSum, fold, sum_rows};
use ironmlp::simd::{Isa, Kernel, LANES, Real, Simd, Vector};

/// N2 by its definition: n blocks split at the largest power of two below n.
fn tree(blocks: &[String]) -> String {
    match blocks {
        [] => String::new(),
        [one] => one.clone(),
        _ => {
            let split = blocks.len().next_power_of_two() / 2;
            format!("({}+{})", tree(&blocks[..split]), tree(&blocks[split..]))
        }
    }
}

#[test]
fn blocks_meet_in_the_tree_of_the_definition() {
    for n in 0..=40 {
        let names: Vec<_> = (0..n).map(|i| i.to_string()).collect();
        let mut slots = vec![String::new(); BlockTree::slots(n)];
        let mut counter = BlockTree::default();
        let mut merges = 0;
        for name in &names {
            slots[counter.slot()].clone_from(name);
            for i in counter.push() {
                slots[i] = format!("({}+{})", slots[i], slots[i + 1]);
                merges += 1;
            }
        }
        for i in counter.finish() {
            slots[i] = format!("({}+{})", slots[i], slots[i + 1]);
            merges += 1;
        }
        assert_eq!(merges, n.saturating_sub(1), "{n} blocks");
        assert_eq!(slots.first().cloned().unwrap_or_default(), tree(&names), "{n} blocks");
    }
}

#[test]
fn the_slots_are_as_many_as_needed() {
    for n in 1..200 {
        let mut counter = BlockTree::default();
        let mut used = 0;
        for _ in 0..n {
            used = used.max(counter.slot() + 1);
            let _ = counter.push();
        }
        assert_eq!(BlockTree::slots(n), used, "{n} blocks");
    }
    assert_eq!(BlockTree::slots(0), 0);
}

/// Numbers of many magnitudes and both signs: their sum depends on its order.
fn rows(n: usize) -> Vec<f64> {
    let mut word = 7u64;
    let mut next = move || {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        word >> 33
    };
    (0..n).map(|_| (next() as f64 - 1e9) * 2f64.powi((next() % 60) as i32)).collect()
}

fn defined_sum(rows: &[f64]) -> f64 {
    fn merge(blocks: &[f64]) -> f64 {
        if blocks.len() == 1 {
            return blocks[0];
        }
        let split = blocks.len().next_power_of_two() / 2;
        merge(&blocks[..split]) + merge(&blocks[split..])
    }
    let blocks: Vec<f64> =
        rows.chunks(BLOCK_ROWS).map(|block| block.iter().fold(0.0, |sum, x| sum + x)).collect();
    if blocks.is_empty() { 0.0 } else { merge(&blocks) }
}

fn span(rows: &mut [f64]) -> Span<f64> {
    // SAFETY: the view is used while the vector that it comes from lives, by one thread.
    unsafe { Span::from_raw(rows.as_mut_ptr(), rows.len()) }
}

#[test]
fn sums_over_rows_are_those_of_the_definition() {
    for n in [0, 1, 2, 255, 256, 257, 511, 512, 513, 768, 1000, 1793, 4096, 10_000] {
        let mut rows = rows(n);
        let expected = defined_sum(&rows);
        assert_eq!(sum_rows(span(&mut rows)).to_bits(), expected.to_bits(), "{n} rows");

        // In pieces, wherever they are cut.
        for piece in [1, 7, 256, 300, 4096] {
            let mut sum = RowSum::default();
            for piece in rows.chunks_mut(piece) {
                sum.add_all(span(piece));
            }
            assert_eq!(sum.sum().to_bits(), expected.to_bits(), "{n} rows by {piece}");
        }
    }
}

#[test]
fn the_order_shows_in_the_sum() {
    // 2^53 + 1 rounds to 2^53. A chain over all blocks loses every 1; the tree keeps those of the
    // blocks 2 and 3, which meet before they meet 2^53.
    let mut rows = vec![0.0; 4 * BLOCK_ROWS];
    rows[0] = 2f64.powi(53);
    for block in 1..4 {
        rows[block * BLOCK_ROWS] = 1.0;
    }
    let chain: f64 = rows.iter().sum();
    assert_eq!(chain, 2f64.powi(53));
    assert_eq!(sum_rows(span(&mut rows)), 2f64.powi(53) + 2.0);
    // Three blocks: (0 + 1) + 2, not 0 + (1 + 2).
    rows.truncate(3 * BLOCK_ROWS);
    assert_eq!(sum_rows(span(&mut rows)), 2f64.powi(53));
}

struct Fold<T>([T; LANES]);

impl<T: Real> Kernel for Fold<T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self) -> T {
        // SAFETY: the array holds 16 values.
        fold(unsafe { S::Lanes::<T>::load(self.0.as_ptr()) })
    }
}

#[test]
fn lanes_are_folded_by_halves() {
    let x: [f64; LANES] = rows(LANES).try_into().unwrap();
    let four = |i: usize| (x[i] + x[i + 8]) + (x[i + 4] + x[i + 12]);
    let expected = (four(0) + four(2)) + (four(1) + four(3));
    let narrow = x.map(|x| x as f32);
    let four = |i: usize| (narrow[i] + narrow[i + 8]) + (narrow[i + 4] + narrow[i + 12]);
    let expected_narrow = (four(0) + four(2)) + (four(1) + four(3));
    for isa in Isa::all() {
        assert_eq!(isa.run(Fold(x)).to_bits(), expected.to_bits(), "{}", isa.name());
        assert_eq!(isa.run(Fold(narrow)).to_bits(), expected_narrow.to_bits(), "{}", isa.name());
    }
}
