//! The kernels of batch normalization of images against their definition, one pixel after the other.

use crate::support::columns::{numbers, span, sub};
use crate::support::images::Block;
use ironmlp::kernels::images::ImageShape;
use ironmlp::kernels::normalization::{
    ChannelGradientSums, ChannelNormalize, ChannelNormalizeBackward, ChannelSums, Population,
};
use ironmlp::simd::{Isa, LANES, Real};

const EPS: f64 = 1e-5;
const SHAPES: [ImageShape; 3] = [
    ImageShape { channels: 1, height: 1, width: 1 },
    ImageShape { channels: 3, height: 5, width: 4 },
    ImageShape { channels: 18, height: 3, width: 7 },
];

/// A block's sum over a channel: a chain for each of its samples, which are folded.
fn sum(shape: ImageShape, samples: usize, add: impl Fn(f64, (usize, usize, usize)) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    for (sample, lane) in lanes.iter_mut().enumerate().take(samples) {
        for row in 0..shape.height {
            for col in 0..shape.width {
                *lane = add(*lane, (sample, row, col));
            }
        }
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0]
}

/// The mean as two numbers of the element type, and r.
fn normal<T: Real>(mean: f64, variance: f64) -> [T; 3] {
    let nearest = T::from_f64(mean);
    let r = T::from_f64(1.0 / (variance + EPS).sqrt());
    [nearest, T::from_f64(mean - nearest.to_f64()), r]
}

fn flushed<T: Real>(x: T) -> T {
    if x.to_f64().abs() < T::FLUSH.to_f64() { T::ZERO } else { x }
}

/// The elements at a pixel.
type At<'a, T> = &'a dyn Fn(usize, usize, usize, usize) -> T;

/// Compares the pixels of the samples that there are.
fn assert_pixels<T: Real>(found: &Block<T>, samples: usize, expected: At<'_, T>, what: &str) {
    let ImageShape { channels, height, width } = found.shape;
    for channel in 0..channels {
        for at in 0..height * width * samples {
            let (sample, row, col) = (at % samples, at / samples / width, at / samples % width);
            let (is, must) =
                (found.at(sample, channel, row, col), expected(sample, channel, row, col));
            assert_eq!(is, must, "{what}: sample {sample}, channel {channel}, {row} {col}");
        }
    }
}

fn check<T: Real>(isa: Isa, shape: ImageShape, samples: usize, past: bool) {
    let nan = T::from_f64(f64::NAN);
    let mut x = Block::<T>::noise(1, shape).with_lanes(samples, nan);
    let mut dy = Block::<T>::noise(100, shape).with_lanes(samples, nan);
    let (channels, padded) = (shape.channels, shape.channels.next_multiple_of(LANES));
    let (mut w, mut b) = (numbers::<T>(3, channels), numbers::<T>(4, channels));
    let [mut sums, mut squares, mut means] = [(); 3].map(|()| vec![0.0; padded]);

    isa.run(ChannelSums { images: x.view(), samples, means: None, sums: span(&mut sums) });
    for channel in 0..channels {
        let must =
            sum(shape, samples, |lane, (s, row, col)| lane + x.at(s, channel, row, col).to_f64());
        assert_eq!(sums[channel], must, "sum of channel {channel}");
        means[channel] = must / (samples * shape.height * shape.width) as f64;
    }
    let of = Some(span(&mut means));
    isa.run(ChannelSums { images: x.view(), samples, means: of, sums: span(&mut squares) });
    for channel in 0..channels {
        let [nearest, rest, _] = normal::<T>(means[channel], 0.0);
        let must = sum(shape, samples, |lane, (s, row, col)| {
            let deviation = sub(sub(x.at(s, channel, row, col), nearest), rest).to_f64();
            deviation.mul_add(deviation, lane)
        });
        assert_eq!(squares[channel], must, "squares of channel {channel}");
    }

    // Any numbers will do for what comes next.
    let mut variances = squares.clone();
    let mut running = (numbers::<T>(5, channels), numbers::<T>(6, channels));
    running.1.iter_mut().for_each(|v| *v = v.mul(*v));
    let normals: Vec<[T; 3]> = (0..channels)
        .map(|channel| match past {
            true => normal(running.0[channel].to_f64(), running.1[channel].to_f64()),
            false => normal(means[channel], variances[channel]),
        })
        .collect();
    let population = match past {
        true => Population::Past { means: span(&mut running.0), variances: span(&mut running.1) },
        false => Population::Batch { means: span(&mut means), variances: span(&mut variances) },
    };
    let [mut xhat, mut y, mut dx] = [(); 3].map(|()| Block::<T>::nan(shape));
    isa.run(ChannelNormalize {
        input: x.view(),
        affine: Some((span(&mut w), span(&mut b))),
        eps: EPS,
        population,
        normalized: xhat.view(),
        output: y.view(),
    });
    let hat = |s: usize, channel: usize, row: usize, col: usize| {
        let [nearest, rest, r] = normals[channel];
        sub(sub(x.at(s, channel, row, col), nearest), rest).mul(r)
    };
    assert_pixels(&xhat, samples, &hat, "xhat");
    let affine = |s: usize, channel: usize, row: usize, col: usize| {
        hat(s, channel, row, col).fma(w[channel], b[channel])
    };
    assert_pixels(&y, samples, &affine, "y");

    let [mut of_dy, mut of_both] = [(); 2].map(|()| vec![0.0; padded]);
    let [mut dw, mut db] = [(); 2].map(|()| vec![T::ZERO; padded]);
    isa.run(ChannelGradientSums {
        normalized: xhat.view(),
        grad: dy.view(),
        samples,
        sums: span(&mut of_dy),
        products: span(&mut of_both),
        parameters: Some((span(&mut dw), span(&mut db))),
    });
    for channel in 0..channels {
        let must =
            sum(shape, samples, |lane, (s, row, col)| lane + dy.at(s, channel, row, col).to_f64());
        assert_eq!((of_dy[channel], db[channel]), (must, T::from_f64(must)));
        let must = sum(shape, samples, |lane, (s, row, col)| {
            dy.at(s, channel, row, col).to_f64().mul_add(hat(s, channel, row, col).to_f64(), lane)
        });
        assert_eq!((of_both[channel], dw[channel]), (must, T::from_f64(must)));
    }

    isa.run(ChannelNormalizeBackward {
        normalized: xhat.view(),
        weight: Some(span(&mut w)),
        eps: EPS,
        population,
        means: [span(&mut of_dy), span(&mut of_both)],
        grad: dy.view(),
        target: dx.view(),
    });
    let back = |s: usize, channel: usize, row: usize, col: usize| {
        let (scale, dy) = (normals[channel][2].mul(w[channel]), dy.at(s, channel, row, col));
        if past {
            return flushed(scale.mul(dy));
        }
        let (a, c) = (T::from_f64(of_dy[channel]), T::from_f64(of_both[channel]));
        let minus = T::from_f64(-hat(s, channel, row, col).to_f64());
        flushed(scale.mul(minus.fma(c, sub(dy, a))))
    };
    assert_pixels(&dx, samples, &back, "dx");
}

#[test]
fn sums_and_pixels_are_those_of_the_formula() {
    for isa in Isa::all() {
        for shape in SHAPES {
            for (samples, past) in [(16, false), (16, true), (1, false), (11, true), (7, false)] {
                check::<f32>(isa, shape, samples, past);
                check::<f64>(isa, shape, samples, past);
            }
        }
    }
}
