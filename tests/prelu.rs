//! PReLU's kernels against the formula, one element after the other, sums in the order of N2 and N3.

use crate::support::images::Block as ImageBlock;
use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::images::ImageShape;
use ironmlp::kernels::panels::Span;
use ironmlp::kernels::prelu::{ImageSlopeGradient, Prelu, SlopeGradient, Slopes};
use ironmlp::kernels::reduce::BLOCK_ROWS;
use ironmlp::kernels::weight::Block;
use ironmlp::simd::{Isa, LANES, Real};

fn span<T>(numbers: &mut [T]) -> Span<T> {
    // SAFETY: the view is used while the slice that it comes from lives, by one thread.
    unsafe { Span::from_raw(numbers.as_mut_ptr(), numbers.len()) }
}

fn positive<T: Real>(x: T) -> bool {
    x.to_f64() > 0.0
}

/// min(z, 0).
fn below<T: Real>(z: T) -> T {
    if positive(z) { T::ZERO } else { z }
}

/// N3 of numbers by their place.
fn over_lanes<T: Real>(numbers: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    for (i, &number) in numbers.iter().enumerate() {
        lanes[i % LANES] = lanes[i % LANES].add(number);
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] = lanes[lane].add(lanes[lane + half]);
        }
    }
    lanes[0]
}

/// N2's tree.
fn tree<T: Real>(sums: &[T]) -> T {
    match sums {
        [] => T::ZERO,
        [one] => *one,
        _ => {
            let (left, right) = sums.split_at(sums.len().next_power_of_two() / 2);
            tree(left).add(tree(right))
        }
    }
}

#[test]
fn what_is_not_above_zero_passes_times_its_slope() {
    fn check<T: Real>(isa: Isa, rows: usize, cols: usize, one: bool) {
        // Zeros of both signs are on the side of the slope; small products are flushed on the way back.
        let z = Matrix::new(rows, cols, |r, c| match (r + c) % 5 {
            3 => T::ZERO,
            4 => T::from_f64(-0.0),
            _ => noise::<T>(1, r, c),
        });
        let tiny = T::from_f64(T::FLUSH.to_f64() / 2.0);
        let x = Matrix::new(rows, cols, |r, c| if r == 0 { tiny } else { noise::<T>(2, r, c) });
        let mut slopes: Vec<T> =
            (0..cols.next_multiple_of(LANES)).map(|c| noise(3, 0, c)).collect();
        for flush in [false, true] {
            let (mut z, mut x) = (z.clone(), x.clone());
            let mut output = Matrix::new(rows, cols, |_, _| T::ONE);
            isa.run(Prelu {
                z: z.view(),
                x: x.view(),
                slopes: if one { Slopes::One(slopes[0]) } else { Slopes::Each(span(&mut slopes)) },
                output: output.view(),
                flush,
            });
            for (r, c) in (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c))) {
                let slope = slopes[if one { 0 } else { c }];
                let y = if positive(z.at(r, c)) { x.at(r, c) } else { x.at(r, c).mul(slope) };
                let small = flush && y.to_f64().abs() < T::FLUSH.to_f64();
                assert_eq!(output.at(r, c), if small { T::ZERO } else { y }, "{r} {c}");
            }
        }
    }
    for isa in Isa::all() {
        for (rows, cols) in [(1, 1), (3, 15), (7, 16), (17, 33), (40, 100)] {
            for one in [false, true] {
                check::<f32>(isa, rows, cols, one);
                check::<f64>(isa, rows, cols, one);
            }
        }
    }
}

#[test]
fn places_may_be_shared() {
    for isa in Isa::all() {
        let z = Matrix::new(20, 50, |r, c| noise::<f32>(1, r, c));
        let mut memory = z.clone();
        let (place, slopes) = (memory.view(), Slopes::One(-0.5));
        isa.run(Prelu { z: place, x: place, slopes, output: place, flush: false });
        for (r, c) in (0..20).flat_map(|r| (0..50).map(move |c| (r, c))) {
            let z = z.at(r, c);
            assert_eq!(memory.at(r, c), if z > 0.0 { z } else { z * -0.5 });
        }
    }
}

#[test]
fn gradients_of_slopes_are_chains_and_trees_over_rows() {
    fn check<T: Real>(isa: Isa, rows: usize) {
        let cols = 37;
        let mut z = Matrix::new(rows, cols, |r, c| noise::<T>(1, r, c));
        let mut dy = Matrix::new(rows, cols, |r, c| noise::<T>(2, r, c));
        let all: Vec<usize> = (0..rows).collect();
        let chain = |z: &Matrix<T>, dy: &Matrix<T>, rows: &[usize], col: usize| {
            rows.iter().fold(T::ZERO, |sum, &r| dy.at(r, col).fma(below(z.at(r, col)), sum))
        };
        for (output, outputs) in [(0, 2), (2, 1)] {
            let block = Block { input: 0, output, outputs };
            let mut found = vec![T::ONE; outputs * LANES];
            isa.run(SlopeGradient {
                z: z.view(),
                grad: dy.view(),
                one: false,
                block,
                slopes: span(&mut found),
            });
            for (lane, &found) in found.iter().enumerate() {
                let col = output * LANES + lane;
                let sum = |rows: &[usize]| {
                    if col < cols { chain(&z, &dy, rows, col) } else { T::ZERO }
                };
                let sums: Vec<T> = all.chunks(BLOCK_ROWS).map(sum).collect();
                assert_eq!(found, tree(&sums), "{rows} rows, column {col}");
            }
        }
        let mut found = vec![T::ONE; LANES];
        isa.run(SlopeGradient {
            z: z.view(),
            grad: dy.view(),
            one: true,
            block: Block { input: 0, output: 0, outputs: 1 },
            slopes: span(&mut found),
        });
        let sum = |rows: &[usize]| {
            let columns: Vec<T> = (0..cols).map(|col| chain(&z, &dy, rows, col)).collect();
            over_lanes(&columns)
        };
        let sums: Vec<T> = all.chunks(BLOCK_ROWS).map(sum).collect();
        assert_eq!(found[0], tree(&sums), "{rows} rows");
        assert!(found[1..].iter().all(|&rest| rest == T::ZERO));
    }
    for isa in Isa::all() {
        for rows in [1, 16, 255, 256, 257, 700, 1025] {
            check::<f32>(isa, rows);
            check::<f64>(isa, rows);
        }
    }
}

#[test]
fn gradients_of_slopes_over_images_are_chains_over_pixels_in_each_lane() {
    fn check<T: Real>(isa: Isa, channels: usize, samples: usize, bands: &[usize]) {
        let shape = ImageShape { channels, height: 7, width: 5 };
        let lanes = |seed| ImageBlock::<T>::noise(seed, shape).with_lanes(samples, T::ONE);
        let (mut z, mut dy) = (lanes(1), lanes(100));
        let sums: Vec<T> = (0..channels)
            .map(|channel| {
                let mut lanes = [T::ZERO; LANES];
                for (lane, sum) in lanes.iter_mut().enumerate().take(samples) {
                    for pixel in 0..shape.height * shape.width {
                        let (row, col) = (pixel / shape.width, pixel % shape.width);
                        let z = below(z.at(lane, channel, row, col));
                        *sum = dy.at(lane, channel, row, col).fma(z, *sum);
                    }
                }
                over_lanes(&lanes)
            })
            .collect();
        for one in [false, true] {
            let outputs = if one { 1 } else { channels };
            let mut found = Matrix::new(1, outputs, |_, _| T::ONE);
            let len = ImageSlopeGradient::<T>::scratch_len(channels);
            let mut scratch = vec![T::from_f64(f64::NAN); len];
            let mut start = 0;
            for &end in bands {
                isa.run(ImageSlopeGradient {
                    z: z.view(),
                    grad: dy.view(),
                    samples,
                    start,
                    end,
                    scratch: span(&mut scratch),
                    slopes: found.view(),
                });
                start = end;
            }
            let one_for_all = [over_lanes(&sums)];
            let expected = if one { &one_for_all[..] } else { &sums };
            for (slope, expected) in expected.iter().enumerate() {
                assert_eq!(found.at(0, slope), *expected, "{channels} channels, slope {slope}");
            }
        }
    }
    for isa in Isa::all() {
        for channels in [1, 3, 16, 21] {
            for (samples, bands) in [(16, &[7][..]), (5, &[2, 4, 7])] {
                check::<f32>(isa, channels, samples, bands);
                check::<f64>(isa, channels, samples, bands);
            }
        }
    }
}
