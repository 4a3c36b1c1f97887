//! Products equal a scalar loop bit for bit: the chains of N1 and the tree of N2.

use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::gemm::{ColumnSums, Product, Transpose, TurnedProduct, matmul};
use ironmlp::kernels::panels::Span;
use ironmlp::kernels::reduce::BLOCK_ROWS;
use ironmlp::kernels::weight::{Block, GradientBlock, LanesGradient};
use ironmlp::simd::{Isa, LANES, Real};
use proptest::prelude::*;

fn check_product<T: Real>(m: usize, k: usize, n: usize, with_bias: bool) {
    let mut a = Matrix::new(m, k, |r, c| noise::<T>(1, r, c));
    let mut turned = Matrix::new(k, m, |r, c| noise::<T>(1, c, r));
    let mut b = Matrix::new(k, n, |r, c| noise::<T>(2, r, c));
    let mut bias = if with_bias {
        (0..n.next_multiple_of(LANES)).map(|c| noise::<T>(3, 0, c)).collect()
    } else {
        Vec::new()
    };
    for isa in Isa::all() {
        let nan = || Matrix::new(m, n, |_, _| T::from_f64(f64::NAN));
        let (mut c, mut of_turned) = (nan(), nan());
        // SAFETY: `bias` outlives the call.
        let start = unsafe { Span::from_raw(bias.as_mut_ptr(), bias.len()) };
        isa.run(Product { a: a.view(), b: b.view(), c: c.view(), bias: start });
        let (left, right, result) = (turned.view(), b.view(), of_turned.view());
        isa.run(TurnedProduct { a: left, b: right, c: result, bias: start });
        for row in 0..m {
            for col in 0..n {
                let mut chain = if with_bias { bias[col] } else { T::ZERO };
                for i in 0..k {
                    chain = a.at(row, i).fma(b.at(i, col), chain);
                }
                for (what, c) in [("", &c), ("turned ", &of_turned)] {
                    assert!(
                        c.at(row, col) == chain,
                        "{} {what}{m}x{k}x{n} ({row}, {col}): {} is not {chain}",
                        isa.name(),
                        c.at(row, col)
                    );
                }
            }
        }
    }
}

/// N2 as it is written: split n blocks at the largest power of two below n.
fn tree<T: Real>(blocks: &[T]) -> T {
    match blocks {
        [] => T::ZERO,
        [one] => *one,
        _ => {
            let split = blocks.len().next_power_of_two() / 2;
            tree(&blocks[..split]).add(tree(&blocks[split..]))
        }
    }
}

fn check_gradient<T: Real>(rows: usize, k: usize, n: usize) {
    let mut a = Matrix::new(rows, k, |r, c| noise::<T>(1, r, c));
    let mut turned = Matrix::new(k, rows, |r, c| noise::<T>(1, c, r));
    let mut d = Matrix::new(rows, n, |r, c| noise::<T>(2, r, c));
    let chain = |element: &dyn Fn(usize) -> (T, T)| {
        let blocks: Vec<T> = (0..rows.div_ceil(BLOCK_ROWS))
            .map(|block| {
                let start = block * BLOCK_ROWS;
                (start..rows.min(start + BLOCK_ROWS)).fold(T::ZERO, |acc, r| {
                    let (x, y) = element(r);
                    x.fma(y, acc)
                })
            })
            .collect();
        tree(&blocks)
    };
    for isa in Isa::all() {
        for outputs in 1..=2 {
            let zeros = || Matrix::new(k, n, |_, _| T::ZERO);
            let (mut g, mut of_lanes) = (zeros(), zeros());
            let mut sums = vec![T::ZERO; n.next_multiple_of(LANES)];
            // SAFETY: `sums` outlives the calls.
            let bias = unsafe { Span::from_raw(sums.as_mut_ptr(), sums.len()) };
            for output in (0..n.div_ceil(LANES)).step_by(outputs) {
                for input in 0..k.div_ceil(LANES) {
                    let outputs = outputs.min(n.div_ceil(LANES) - output);
                    let block = Block { input, output, outputs };
                    isa.run(GradientBlock {
                        input: a.view(),
                        grad: d.view(),
                        block,
                        weight: g.view(),
                        bias: None,
                    });
                    if rows <= BLOCK_ROWS {
                        let part = bias.slice(output * LANES, (output + outputs) * LANES);
                        isa.run(LanesGradient {
                            input: turned.view(),
                            grad: d.view(),
                            block,
                            weight: block.of_weight(of_lanes.view()),
                            bias: Some(part),
                        });
                    }
                }
            }
            for i in 0..k {
                for j in 0..n {
                    let expected = chain(&|r| (a.at(r, i), d.at(r, j)));
                    let lanes = (rows <= BLOCK_ROWS).then_some(("lanes ", &of_lanes));
                    for (what, g) in [("", &g)].into_iter().chain(lanes) {
                        assert!(
                            g.at(i, j) == expected,
                            "{} {what}{rows}x{k}x{n} ({i}, {j}): {} is not {expected}",
                            isa.name(),
                            g.at(i, j)
                        );
                    }
                }
            }
            for j in 0..if rows <= BLOCK_ROWS { n } else { 0 } {
                let expected = chain(&|r| (d.at(r, j), T::ONE));
                assert!(sums[j] == expected, "{} sum of column {j} beside lanes", isa.name());
            }
        }
        for outputs in [1, 2] {
            for output in 0..(n.div_ceil(LANES) + 1).saturating_sub(outputs) {
                let mut sums = [T::ZERO; 2 * LANES];
                // SAFETY: `sums` outlives the call.
                let target = unsafe { Span::from_raw(sums.as_mut_ptr(), outputs * LANES) };
                isa.run(ColumnSums { d: d.view(), output, outputs, target });
                for j in 0..(outputs * LANES).min(n - output * LANES) {
                    let expected = chain(&|r| (d.at(r, output * LANES + j), T::ONE));
                    assert!(sums[j] == expected, "{} sum of column {j}", isa.name());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn products_are_the_chains(m in 0usize..40, k in 0usize..40, n in 1usize..70, bias: bool) {
        check_product::<f32>(m, k, n, bias);
        check_product::<f64>(m, k, n, bias);
    }

    #[test]
    fn gradients_are_the_tree(rows in 0usize..70, k in 1usize..40, n in 1usize..40) {
        check_gradient::<f32>(rows, k, n);
        check_gradient::<f64>(rows, k, n);
    }
}

#[test]
fn long_chains_survive_the_blocks_of_k() {
    for (m, k, n) in [
        (1, 256, 1),
        (13, 257, 33),
        (5, 1000, 17),
        (30, 784, 128),
        // What half a register holds, alone and after whole ones.
        (16, 128, 1),
        (40, 300, 7),
        (17, 257, 20),
        (25, 513, 40),
    ] {
        check_product::<f32>(m, k, n, true);
        check_product::<f64>(m, k, n, false);
    }
}

#[test]
fn many_rows_meet_in_the_tree() {
    for rows in [255, 256, 257, 512, 513, 1300, 1537, 4096] {
        check_gradient::<f32>(rows, 3, 18);
        check_gradient::<f64>(rows, 17, 2);
        // Half a register of outputs after a whole one, and of inputs of a layer with few outputs.
        check_gradient::<f32>(rows, 20, 40);
        check_gradient::<f64>(rows, 21, 5);
    }
}

#[test]
fn a_wrong_product_is_noticed() {
    let caught = std::panic::catch_unwind(|| {
        let mut a = Matrix::new(3, 40, |r, c| noise::<f32>(1, r, c));
        let mut b = Matrix::new(40, 2, |r, c| noise::<f32>(2, r, c));
        let mut c = Matrix::new(3, 2, |_, _| f32::NAN);
        Isa::PORTABLE.run(Product { a: a.view(), b: b.view(), c: c.view(), bias: Span::empty() });
        let backwards = (0..40).rev().fold(0.0f32, |acc, k| a.at(0, k).mul_add(b.at(k, 0), acc));
        assert!(c.at(0, 0) == backwards, "the other order");
    });
    assert!(caught.is_err(), "the test's numbers do not tell one order from another");
}

#[test]
fn transposes_move_whole_and_partial_blocks() {
    for (k, n) in [(16, 16), (17, 5), (30, 64), (1, 1), (33, 47)] {
        let mut source = Matrix::new(k, n, |r, c| noise::<f32>(9, r, c));
        let mut target = Matrix::new(n, k, |_, _| 0.0);
        for isa in Isa::all() {
            for block in 0..k.div_ceil(LANES) {
                for panel in 0..n.div_ceil(LANES) {
                    isa.run(Transpose {
                        source: source.view(),
                        target: target.view(),
                        block,
                        panel,
                    });
                }
            }
            for row in 0..k {
                for col in 0..n {
                    assert_eq!(source.at(row, col), target.at(col, row));
                }
            }
        }
    }
}

#[test]
fn matmul_takes_every_size() {
    for (m, k, n) in [(0, 3, 4), (2, 0, 3), (3, 4, 0), (1, 1, 1), (129, 300, 33), (200, 17, 1)] {
        let a: Vec<f64> = (0..m * k).map(|i| noise(1, i, 0)).collect();
        let b: Vec<f64> = (0..k * n).map(|i| noise(2, i, 0)).collect();
        for isa in Isa::all() {
            let mut c = vec![f64::NAN; m * n];
            matmul(isa, (m, k, n), &a, &b, &mut c).unwrap();
            for row in 0..m {
                for col in 0..n {
                    let chain =
                        (0..k).fold(0.0, |acc: f64, i| a[row * k + i].mul_add(b[i * n + col], acc));
                    assert_eq!(c[row * n + col], chain);
                }
            }
        }
    }
}
