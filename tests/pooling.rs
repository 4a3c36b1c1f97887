//! Pools and the way between images and rows equal their definitions.

use crate::activation::all as all_activations;
use crate::support::images::Block;
use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::activation::{Activation, ActivationBackward, ActivationForward};
use ironmlp::kernels::elementary::Elementary;
use ironmlp::kernels::flatten::{FlattenImages, Unflatten};
use ironmlp::kernels::images::{ImageShape, Images, PixelOrder};
use ironmlp::kernels::pooling::{
    ActivatedPoolBackward, ActivatedPoolForward, Pool, PoolBackward, PoolForward, PoolKind,
};
use ironmlp::simd::{Isa, LANES, Real};
use proptest::prelude::*;

/// The pixels of a window, row by row.
fn window(pool: &Pool, row: usize, col: usize) -> Vec<(usize, usize)> {
    let mut list = Vec::new();
    for i in 0..pool.kernel.0 {
        for j in 0..pool.kernel.1 {
            list.push((row * pool.stride.0 + i, col * pool.stride.1 + j));
        }
    }
    list
}

fn check<T: Real>(pool: Pool, input: ImageShape) {
    let Some(output) = pool.output(input) else {
        assert!(input.height < pool.kernel.0 || input.width < pool.kernel.1);
        return;
    };
    // Few values, so that windows have several equal ones.
    let mut x = Block::<T>::new(input, |lane, channel, row, col| {
        let value: f64 = noise::<T>(lane as u64, channel, row * 100 + col).to_f64();
        T::from_f64((value * 3.0).round_ties_even())
    });
    let mut grad = Block::<T>::noise(50, output);
    let area = T::from_f64((pool.kernel.0 * pool.kernel.1) as f64);
    for isa in Isa::all() {
        let mut y = Block::<T>::nan(output);
        for (start, end) in [(0, output.height / 2), (output.height / 2, output.height)] {
            isa.run(PoolForward { pool, input: x.view(), output: y.view(), start, end });
        }
        let mut dx = Block::<T>::nan(input);
        // Bands of whole rows of windows, where these lie side by side.
        let cut =
            if pool.stride.0 == pool.kernel.0 { output.height / 2 * pool.stride.0 } else { 0 };
        for (start, end) in [(0, cut), (cut, input.height)] {
            isa.run(PoolBackward {
                pool,
                input: x.view(),
                output: y.view(),
                grad: grad.view(),
                target: dx.view(),
                start,
                end,
            });
        }
        for channel in 0..input.channels {
            for lane in 0..LANES {
                let mut must = vec![T::ZERO; input.height * input.width];
                for row in 0..output.height {
                    for col in 0..output.width {
                        let pixels = window(&pool, row, col);
                        let values: Vec<T> =
                            pixels.iter().map(|&(i, j)| x.at(lane, channel, i, j)).collect();
                        let g = grad.at(lane, channel, row, col);
                        let mut shares = vec![T::ZERO; pixels.len()];
                        let value = match pool.kind {
                            PoolKind::Average => {
                                shares.fill(T::from_f64(g.to_f64() / area.to_f64()));
                                let sum = values[1..].iter().fold(values[0], |a, &b| a.add(b));
                                T::from_f64(sum.to_f64() / area.to_f64())
                            }
                            PoolKind::Max => {
                                let best = values
                                    .iter()
                                    .fold(values[0], |a, &b| if b > a { b } else { a });
                                let first = values.iter().position(|&v| v == best).unwrap();
                                shares[first] = g;
                                best
                            }
                        };
                        let is = y.at(lane, channel, row, col);
                        assert!(is == value, "{} {pool:?} {input:?}", isa.name());
                        for (&(i, j), &share) in pixels.iter().zip(&shares) {
                            let place = &mut must[i * input.width + j];
                            *place = place.add(share);
                        }
                    }
                }
                for i in 0..input.height {
                    for j in 0..input.width {
                        let is = dx.at(lane, channel, i, j);
                        assert!(is == must[i * input.width + j], "{} {pool:?}", isa.name());
                    }
                }
            }
        }
    }
}

fn check_flatten<T: Real>(shape: ImageShape, samples: usize) {
    let feature = |order: PixelOrder, channel: usize, row: usize, col: usize| match order {
        PixelOrder::ChannelsFirst => (channel * shape.height + row) * shape.width + col,
        PixelOrder::ChannelsLast => (row * shape.width + col) * shape.channels + channel,
    };
    for isa in Isa::all() {
        for order in [PixelOrder::ChannelsFirst, PixelOrder::ChannelsLast] {
            let mut images = Block::<T>::noise(7, shape);
            let nan = |_: usize, _: usize| T::from_f64(f64::NAN);
            let mut rows = Matrix::<T>::new(samples, shape.features(), nan);
            isa.run(FlattenImages { images: images.view(), rows: rows.view(), order });
            let mut back = Block::<T>::nan(shape);
            // In two pieces: `gather` brings rows piece by piece.
            let panels = rows.view().panels();
            for (start, end) in [(0, panels / 2), (panels / 2, panels)] {
                let (rows, first) = (rows.view().columns(start, end), start * LANES);
                isa.run(Unflatten { images: back.view(), rows, order, first });
            }
            for channel in 0..shape.channels {
                for row in 0..shape.height {
                    for col in 0..shape.width {
                        for lane in 0..LANES {
                            let pixel = images.at(lane, channel, row, col);
                            let must = if lane < samples { pixel } else { T::ZERO };
                            assert!(back.at(lane, channel, row, col) == must);
                            if lane < samples {
                                let column = feature(order, channel, row, col);
                                assert!(rows.at(lane, column) == pixel, "{}", isa.name());
                            }
                        }
                    }
                }
            }
        }
    }
}

fn shape() -> impl Strategy<Value = ImageShape> {
    (1..=4usize, 1..=9usize, 1..=9usize).prop_map(|(channels, height, width)| ImageShape {
        channels,
        height,
        width,
    })
}

/// An activation and a pool as one are what they are one after the other, both ways.
fn check_activated<T: Elementary>(activation: Activation, kind: PoolKind, input: ImageShape) {
    let pool = Pool { kind, kernel: (2, 2), stride: (2, 2) };
    let Some(output) = pool.output(input) else { return };
    // Bands of whole rows of windows.
    let cut = output.height / 2 * 2;
    let bands = [(0, cut), (cut, input.height)];
    for isa in Isa::all() {
        let what = format!("{} {activation:?} {kind:?} {input:?}", isa.name());
        let mut z = Block::<T>::noise(3, input);
        let mut grad = Block::<T>::noise(5, output);
        let mut a = Block::<T>::nan(input);
        let mut y = Block::<T>::nan(output);
        let mut dz = Block::<T>::nan(input);
        let rows = |block: &mut Block<T>| block.view().rows(0, input.height);
        isa.run(ActivationForward { activation, input: rows(&mut z), output: rows(&mut a) });
        let (start, end) = (0, output.height);
        isa.run(PoolForward { pool, input: a.view(), output: y.view(), start, end });
        isa.run(PoolBackward {
            pool,
            input: a.view(),
            output: y.view(),
            grad: grad.view(),
            target: dz.view(),
            start: 0,
            end: input.height,
        });
        let saved = if activation.needs_input() { rows(&mut z) } else { rows(&mut a) };
        isa.run(ActivationBackward { activation, saved, grad: rows(&mut dz) });

        let mut activated = Block::<T>::nan(input);
        let mut pooled = Block::<T>::nan(output);
        let mut target = Block::<T>::nan(input);
        for (start, end) in bands {
            let row = |row| pool.output_row(row, input.height, output.height);
            isa.run(ActivatedPoolForward {
                activation,
                input: z.view(),
                rows: start..end,
                pool: PoolForward {
                    pool,
                    input: activated.view(),
                    output: pooled.view(),
                    start: row(start),
                    end: row(end),
                },
            });
        }
        activated.assert_same(&a, &what);
        pooled.assert_same(&y, &what);
        let images = activated.view();
        let saved = if activation.needs_input() { z.view() } else { images };
        let mut backward = |target: Images<T>| {
            for (start, end) in bands {
                isa.run(ActivatedPoolBackward {
                    activation,
                    saved,
                    pool: PoolBackward {
                        pool,
                        input: images,
                        output: pooled.view(),
                        grad: grad.view(),
                        target,
                        start,
                        end,
                    },
                });
            }
        };
        backward(target.view());
        target.assert_same(&dz, &what);
        if ActivatedPoolBackward::<T>::is_in_place(activation, isa) {
            backward(images);
            activated.assert_same(&dz, &format!("{what} in place"));
        }
    }
}

#[test]
fn activations_and_pools_as_one_have_the_same_bits() {
    let shapes = [(1, 2, 2), (3, 7, 6), (2, 4, 9), (1, 9, 3), (2, 1, 4)];
    for activation in all_activations() {
        for kind in [PoolKind::Average, PoolKind::Max] {
            for (channels, height, width) in shapes {
                let input = ImageShape { channels, height, width };
                check_activated::<f32>(activation, kind, input);
                check_activated::<f64>(activation, kind, input);
            }
        }
    }
}

/// 0 f'(z) is not 0 where f'(z) is not finite, on every instruction set, and in place.
#[test]
fn the_gradient_of_a_pixel_outside_windows_is_nan_where_its_slope_is() {
    let pool = Pool { kind: PoolKind::Average, kernel: (2, 2), stride: (2, 2) };
    let input = ImageShape { channels: 2, height: 3, width: 5 };
    let output = pool.output(input).unwrap();
    let outside = |row: usize, col: usize| row == 2 || col == 4;
    for isa in Isa::all() {
        let activation = Activation::Sigmoid;
        let able = ActivatedPoolBackward::<f32>::is_in_place(activation, isa);
        for in_place in [false, true].into_iter().filter(|&wanted| able || !wanted) {
            let pixel = |_, _, row, col| if outside(row, col) { f32::NAN } else { 0.25 };
            let mut saved = Block::<f32>::new(input, pixel);
            let mut pooled = Block::<f32>::noise(1, output);
            let mut grad = Block::<f32>::noise(2, output);
            let mut apart = Block::<f32>::new(input, |_, _, _, _| 7.0);
            let target = if in_place { saved.view() } else { apart.view() };
            isa.run(ActivatedPoolBackward {
                activation,
                saved: saved.view(),
                pool: PoolBackward {
                    pool,
                    input: saved.view(),
                    output: pooled.view(),
                    grad: grad.view(),
                    target,
                    start: 0,
                    end: input.height,
                },
            });
            let result = if in_place { &saved } else { &apart };
            for (row, col) in (0..3).flat_map(|row| (0..5).map(move |col| (row, col))) {
                let value = result.at(3, 1, row, col);
                assert_eq!(value.is_nan(), outside(row, col), "{} {row} {col}", isa.name());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_pool(
        kernel in (1..=4usize, 1..=4usize),
        stride in (1..=4usize, 1..=4usize),
        input in shape(),
        max in any::<bool>(),
    ) {
        let kind = if max { PoolKind::Max } else { PoolKind::Average };
        check::<f32>(Pool { kind, kernel, stride }, input);
        check::<f64>(Pool { kind, kernel, stride }, input);
    }

    #[test]
    fn images_to_rows_and_back(shape in shape(), samples in 1..=16usize) {
        check_flatten::<f32>(shape, samples);
        check_flatten::<f64>(shape, samples);
    }
}

#[test]
fn a_window_with_a_nan_has_a_nan_as_maximum() {
    let input = ImageShape { channels: 1, height: 1, width: 3 };
    let pool = Pool { kind: PoolKind::Max, kernel: (1, 3), stride: (1, 1) };
    for at in 0..3 {
        let mut x = Block::<f32>::new(input, |_, _, _, col| if col == at { f32::NAN } else { 1.0 });
        for isa in Isa::all() {
            let mut y = Block::<f32>::new(pool.output(input).unwrap(), |_, _, _, _| 0.0);
            isa.run(PoolForward { pool, input: x.view(), output: y.view(), start: 0, end: 1 });
            assert!(y.at(0, 0, 0, 0).is_nan());
        }
    }
}
