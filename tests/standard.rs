//! Mean and deviation are those of a naive sum in the order of N2, to the bit, whoever adds them up; and rows
//! come standardized by their formula.

use ironmlp::error::Error;
use ironmlp::kernels::gather::{DType, RowOrder, Source};
use ironmlp::kernels::images::PixelOrder;
use ironmlp::kernels::panels::Panels;
use ironmlp::kernels::standard::Standardizer;
use ironmlp::network::Sample;
use ironmlp::runtime::team;
use ironmlp::simd::{Isa, LANES, Real};

use crate::support::matrix;

fn noise<T: Real>(seed: u64, count: usize) -> Vec<T> {
    (0..count).map(|i| matrix::noise(seed, 0, i)).collect()
}

/// The sum of N2.
fn over_rows(terms: &[f64]) -> f64 {
    if terms.len() <= 256 {
        return terms.iter().fold(0.0, |chain, term| chain + term);
    }
    let half = terms.len().div_ceil(256).next_power_of_two() / 2 * 256;
    over_rows(&terms[..half]) + over_rows(&terms[half..])
}

/// As `over_rows`, of squares by fused multiply-adds.
fn squares_over_rows(terms: &[f64]) -> f64 {
    if terms.len() <= 256 {
        return terms.iter().fold(0.0, |chain, term| term.mul_add(*term, chain));
    }
    let half = terms.len().div_ceil(256).next_power_of_two() / 2 * 256;
    squares_over_rows(&terms[..half]) + squares_over_rows(&terms[half..])
}

/// The sum of N3; of one term that term.
fn over_pixels(sums: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    for (pixel, sum) in sums.iter().enumerate() {
        lanes[pixel % LANES] += sum;
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}

/// Mean and deviation of a column, or of the columns that are the pixels of a channel, by the formulas of
/// docs/numerics.md.
fn naive(columns: &[Vec<f64>]) -> (f64, f64) {
    let all = || columns.iter().flatten().copied();
    let (least, most) = (all().reduce(f64::min).unwrap(), all().reduce(f64::max).unwrap());
    let count = all().count() as f64;
    let sum = |sum: fn(&[f64]) -> f64, change: &dyn Fn(f64) -> f64| {
        let of = |column: &Vec<f64>| sum(&column.iter().map(|&x| change(x)).collect::<Vec<_>>());
        over_pixels(&columns.iter().map(of).collect::<Vec<_>>())
    };
    if least == most {
        return (least, 1.0);
    }
    let mut mean = sum(over_rows, &|x| x) / count;
    if !mean.is_finite() {
        mean = sum(over_rows, &|x| x / 2f64.powi(64)) / count * 2f64.powi(64);
    }
    mean = mean.max(least).min(most);
    let unit = 2f64.powi((most - mean).max(mean - least).log2().floor() as i32);
    let rest = sum(over_rows, &|x| (x - mean) / unit) / count;
    let squares = sum(squares_over_rows, &|x| (x - mean) / unit) / count;
    ((mean + unit * rest).max(least).min(most), unit * (squares - rest * rest).sqrt())
}

fn bits(standardizer: &Standardizer) -> Vec<(u64, u64)> {
    let pairs = standardizer.means().iter().zip(standardizer.deviations());
    pairs.map(|(mean, deviation)| (mean.to_bits(), deviation.to_bits())).collect()
}

/// What all instruction sets and numbers of threads learn, which is one.
fn learned(sample: &Sample<'_>) -> Standardizer {
    let first = sample.learn(Isa::PORTABLE, 1).unwrap();
    for isa in Isa::all() {
        for threads in 1..=4 {
            team::force(threads > 1);
            let found = sample.learn(isa, threads).unwrap();
            team::force(false);
            assert_eq!(bits(&found), bits(&first), "{} with {threads} threads", isa.name());
        }
    }
    first
}

#[test]
fn columns_are_summed_as_n2_says() {
    for (cols, rows) in
        [(1, 1), (2, 2), (3, 255), (16, 256), (17, 257), (130, 513), (5, 20_000), (129, 1_800)]
    {
        let x: Vec<f64> = noise::<f64>(rows as u64, rows * cols)
            .iter()
            .enumerate()
            .map(|(i, x)| x * 3f64.powi((i % cols % 9) as i32 - 4) + (i % cols % 3) as f64 * 1e6)
            .collect();
        let list: Vec<u32> =
            (0..rows as u32).rev().filter(|row| rows < 4 || row % 3 != 1).collect();
        for order in [RowOrder::From(0), RowOrder::List(&list)] {
            let count = if let RowOrder::List(list) = order { list.len() } else { rows };
            let found = learned(&Sample {
                name: "X",
                source: Source::of_slice(&x, cols),
                rows: (order, count),
                divisor: 1.0,
                channels: (cols, PixelOrder::ChannelsFirst),
            });
            for col in 0..cols {
                let column = (0..count).map(|i| x[order.at(i) * cols + col]).collect();
                let (mean, deviation) = naive(&[column]);
                assert_eq!(found.means()[col], mean, "{rows} x {cols}, column {col}");
                assert_eq!(found.deviations()[col], deviation, "{rows} x {cols}, column {col}");
            }
        }
    }
}

#[test]
fn channels_are_summed_over_rows_and_then_over_pixels() {
    for (channels, pixels, rows) in [(1, 20, 40), (3, 50, 300), (2, 1, 9), (4, 100, 17)] {
        let x: Vec<f32> = noise::<f32>(7, channels * pixels * rows);
        let mut of_orders = Vec::new();
        for order in [PixelOrder::ChannelsFirst, PixelOrder::ChannelsLast] {
            let at = |row: usize, channel: usize, pixel: usize| match order {
                PixelOrder::ChannelsFirst => (row * channels + channel) * pixels + pixel,
                PixelOrder::ChannelsLast => (row * pixels + pixel) * channels + channel,
            };
            let mut images = vec![0.0f32; x.len()];
            for i in 0..x.len() {
                let (row, rest) = (i / (channels * pixels), i % (channels * pixels));
                images[at(row, rest / pixels, rest % pixels)] = x[i];
            }
            let found = learned(&Sample {
                name: "X",
                source: Source::of_slice(&images, channels * pixels),
                rows: (RowOrder::From(0), rows),
                divisor: 0.5,
                channels: (channels, order),
            });
            for channel in 0..channels {
                let column = |pixel| {
                    (0..rows).map(|row| f64::from(images[at(row, channel, pixel)]) / 0.5).collect()
                };
                let (mean, deviation) = naive(&(0..pixels).map(column).collect::<Vec<_>>());
                assert_eq!(found.means()[channel], mean);
                assert_eq!(found.deviations()[channel], deviation);
            }
            of_orders.push(bits(&found));
        }
        assert_eq!(of_orders[0], of_orders[1]);
    }
}

#[test]
fn numbers_near_the_ends_of_f64_cost_no_digit() {
    let rows = 1000;
    let base: Vec<f64> = noise::<f64>(3, rows).iter().map(|x| (x * 1024.0).round()).collect();
    let plain = naive(std::slice::from_ref(&base));
    let of = |x: &[f64]| {
        let sample = Sample {
            name: "X",
            source: Source::of_slice(x, 1),
            rows: (RowOrder::From(0), rows),
            divisor: 1.0,
            channels: (1, PixelOrder::ChannelsFirst),
        };
        sample.learn(Isa::PORTABLE, 1)
    };
    let near = |found: f64, exact: f64| (found / exact - 1.0).abs() < 1e-14;
    for power in [-1000, -500, 500, 1010] {
        let factor = 2f64.powi(power);
        let scaled: Vec<f64> = base.iter().map(|x| x * factor).collect();
        let found = of(&scaled).unwrap();
        assert!(near(found.means()[0], plain.0 * factor), "2^{power}");
        assert!(near(found.deviations()[0], plain.1 * factor), "2^{power}");
    }
    // All of one sign, so that their sum is beyond the largest.
    let high: Vec<f64> = base.iter().map(|x| (x + 3000.0) * 2f64.powi(1011)).collect();
    assert!(near(of(&high).unwrap().deviations()[0], plain.1 * 2f64.powi(1011)));
    let far: Vec<f64> = base.iter().map(|x| x + 2f64.powi(42)).collect();
    assert!(near(of(&far).unwrap().deviations()[0], plain.1));
    let constant = of(&vec![1e300 / 3.0; rows]).unwrap();
    assert_eq!((constant.means()[0], constant.deviations()[0]), (1e300 / 3.0, 1.0));
    let mut least = vec![0.0; rows];
    least[7] = f64::from_bits(1);
    assert_eq!(of(&least).unwrap().deviations(), [1.0]);
    for wrong in [f64::MAX, f64::NAN, f64::INFINITY] {
        let mut apart = vec![-f64::MAX; rows];
        apart[999] = wrong;
        let error = of(&apart).unwrap_err();
        assert!(matches!(&error, Error::Value(text) if text.starts_with("column 0 of X")));
    }
}

/// Elements of all types as bytes, and their values.
fn elements(dtype: DType, count: usize) -> (Vec<u8>, Vec<f64>) {
    let numbers = (0..count).map(|i| (i * 37 % 101) as u8);
    macro_rules! of {
        ($T:ty) => {
            numbers.map(|x| (<$T>::from(x).to_le_bytes().to_vec(), f64::from(x))).unzip()
        };
    }
    let (bytes, values): (Vec<Vec<u8>>, Vec<f64>) = match dtype {
        DType::F16 => unreachable!("tests/gather.rs has them"),
        DType::F32 => of!(f32),
        DType::F64 => of!(f64),
        DType::I8 => numbers.map(|x| (vec![x], f64::from(x))).unzip(),
        DType::I16 => of!(i16),
        DType::I32 => of!(i32),
        DType::I64 => of!(i64),
        DType::U8 => of!(u8),
        DType::U16 => of!(u16),
        DType::U32 => of!(u32),
        DType::U64 => of!(u64),
        DType::Bool => numbers.map(|x| (vec![x], f64::from(u8::from(x > 0)))).unzip(),
    };
    (bytes.concat(), values)
}

fn gathered_by_formula<T: Real>() {
    let (rows, cols) = (23, 150);
    let means: Vec<f64> = noise::<f64>(1, cols);
    let deviations: Vec<f64> = noise::<f64>(2, cols).iter().map(|x| x.abs() + 0.1).collect();
    let by = |divisor| {
        let (means, deviations) = (means.clone(), deviations.clone());
        Standardizer::new(divisor, means, deviations, PixelOrder::ChannelsFirst)
    };
    let list: Vec<u32> = (0..19).map(|i| i * 5 % 23).collect();
    for dtype in DType::ALL.into_iter().filter(|dtype| *dtype != DType::F16) {
        let (bytes, values) = elements(dtype, rows * cols);
        let size = dtype.size() as isize;
        for (row_stride, col_stride) in [(cols as isize * size, size), (size, rows as isize * size)]
        {
            // SAFETY: both strides stay within the bytes, which are there to the end of the loop.
            let source = unsafe {
                Source::new(bytes.as_ptr(), dtype, (rows, cols), (row_stride, col_stride))
            };
            let value = |row: usize, col: usize| {
                values[((row as isize * row_stride + col as isize * col_stride) / size) as usize]
            };
            for (isa, divisor) in Isa::all().into_iter().flat_map(|isa| [(isa, 1.0), (isa, 3.0)]) {
                for (from, width) in [(0, cols), (5, 17), (140, 10)] {
                    let by = by(divisor);
                    let mut memory = vec![T::ONE; 10 * 19 * LANES];
                    // SAFETY: memory for 10 panels of 19 rows.
                    let target =
                        unsafe { Panels::from_raw(memory.as_mut_ptr(), 19, width, 19 * LANES) };
                    by.gather(isa, (source, cols), (RowOrder::List(&list), from), target);
                    for (row, panel) in
                        (0..19).flat_map(|row| (0..target.panels()).map(move |p| (row, p)))
                    {
                        for lane in 0..LANES {
                            let col = panel * LANES + lane;
                            // SAFETY: a panel's row has 16 elements.
                            let found = unsafe { *target.row(panel, row).add(lane) };
                            if col >= width {
                                assert_eq!(found, T::ZERO);
                                continue;
                            }
                            let x = value(list[row] as usize, from + col) / divisor;
                            let z = (x - means[from + col]) / deviations[from + col];
                            assert_eq!(found, T::from_f64(z), "{dtype:?} {row} {col}");
                        }
                    }
                }
                let all: Vec<T> = by(divisor).copy_all(isa, source).unwrap();
                for (i, found) in all.into_iter().enumerate() {
                    let (row, col) = (i / cols, i % cols);
                    let z = (value(row, col) / divisor - means[col]) / deviations[col];
                    assert_eq!(found, T::from_f64(z));
                }
            }
        }
    }
}

#[test]
fn rows_are_standardized_by_the_formula() {
    gathered_by_formula::<f32>();
    gathered_by_formula::<f64>();
}
