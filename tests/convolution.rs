//! Convolutions equal scalar loops over their definition bit for bit.

use crate::support::images::Block;
use crate::support::matrix::{Matrix, noise};
use ironmlp::kernels::convolution::{
    Axis, ConvolutionGradient, Correlate, Stencil, TransposeChannels,
};
use ironmlp::kernels::fetch::Fetch;
use ironmlp::kernels::images::ImageShape;
use ironmlp::kernels::panels::Span;
use ironmlp::kernels::reduce::fold_array;
use ironmlp::simd::{Isa, LANES, Real};
use proptest::prelude::*;

/// A convolution and the size of its input.
#[derive(Clone, Debug)]
struct Case {
    input: ImageShape,
    outputs: usize,
    groups: usize,
    rows: Stencil,
    cols: Stencil,
}

impl Case {
    fn output(&self) -> Option<ImageShape> {
        Some(ImageShape {
            channels: self.outputs,
            height: self.rows.outputs(self.input.height)?,
            width: self.cols.outputs(self.input.width)?,
        })
    }

    fn channels(&self) -> usize {
        self.input.channels / self.groups
    }

    /// Rows of the weight.
    fn fan_in(&self) -> usize {
        self.channels() * self.rows.kernel * self.cols.kernel
    }

    /// The input pixel that a tap meets, if it meets one.
    fn meets(&self, (row, col): (usize, usize), (u, v): (usize, usize)) -> Option<(usize, usize)> {
        let at = |stencil: Stencil, output: usize, tap: usize, inputs: usize| {
            let at = (output * stencil.stride + tap * stencil.dilation) as isize;
            let at = at - stencil.padding as isize;
            (0..inputs as isize).contains(&at).then_some(at as usize)
        };
        Some((at(self.rows, row, u, self.input.height)?, at(self.cols, col, v, self.input.width)?))
    }

    fn weight_row(&self, channel: usize, (u, v): (usize, usize)) -> usize {
        (channel * self.rows.kernel + u) * self.cols.kernel + v
    }

    fn taps(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let cols = self.cols.kernel;
        (0..self.rows.kernel).flat_map(move |u| (0..cols).map(move |v| (u, v)))
    }
}

fn pixels(shape: ImageShape) -> impl Iterator<Item = (usize, usize)> {
    (0..shape.height).flat_map(move |row| (0..shape.width).map(move |col| (row, col)))
}

fn same<T: Real>(is: T, must: T, what: &str) {
    assert!(is == must, "{what}: {is} is not {must}");
}

fn check<T: Real>(case: &Case) {
    let Some(output) = case.output() else { return };
    let (input, groups) = (case.input, case.groups);
    let per_group = case.outputs / groups;
    let mut x = Block::<T>::noise(1, input);
    let mut grad = Block::<T>::noise(100, output);
    let mut weight = Matrix::new(case.fan_in(), case.outputs, |r, c| noise::<T>(2, r, c));
    let padded = case.outputs.next_multiple_of(LANES);
    let mut bias: Vec<T> = (0..padded).map(|c| noise(3, 0, c)).collect();
    let kernel = (case.rows.kernel, case.cols.kernel);
    let forward = [
        Axis::forward(case.rows, input.height, output.height).expect("memory"),
        Axis::forward(case.cols, input.width, output.width).expect("memory"),
    ];
    let backward = [
        Axis::backward(case.rows, input.height, output.height).expect("memory"),
        Axis::backward(case.cols, input.width, output.width).expect("memory"),
    ];
    let back_rows = per_group * kernel.0 * kernel.1;
    let nan = |_: usize, _: usize| T::from_f64(f64::NAN);
    for isa in Isa::all() {
        let what = format!("{} {case:?}", isa.name());

        let mut y = Block::<T>::nan(output);
        // SAFETY: `bias` outlives the call.
        let start = unsafe { Span::from_raw(bias.as_mut_ptr(), bias.len()) };
        for range in [0..output.height / 2, output.height / 2..output.height] {
            isa.run(Correlate {
                source: x.view(),
                result: y.view(),
                weight: weight.view(),
                bias: start,
                groups,
                kernel,
                rows: &forward[0],
                cols: &forward[1],
                range,
            });
        }
        for o in 0..case.outputs {
            let first = o / per_group * case.channels();
            for (row, col) in pixels(output) {
                for lane in [0, 5, 15] {
                    let mut chain = bias[o];
                    for c in 0..case.channels() {
                        for tap in case.taps() {
                            if let Some((i, j)) = case.meets((row, col), tap) {
                                let w = weight.at(case.weight_row(c, tap), o);
                                chain = w.fma(x.at(lane, first + c, i, j), chain);
                            }
                        }
                    }
                    same(y.at(lane, o, row, col), chain, &what);
                }
            }
        }

        let mut transposed = Matrix::new(back_rows, input.channels, nan);
        let taps = kernel.0 * kernel.1;
        isa.run(TransposeChannels {
            weight: weight.view(),
            target: transposed.view(),
            groups,
            taps,
        });
        let mut dx = Block::<T>::nan(input);
        isa.run(Correlate {
            source: grad.view(),
            result: dx.view(),
            weight: transposed.view(),
            bias: Span::empty(),
            groups,
            kernel,
            rows: &backward[0],
            cols: &backward[1],
            range: 0..input.height,
        });
        let mut must = vec![T::ZERO; input.features()];
        let lane = 3;
        for c in 0..input.channels {
            let group = c / case.channels();
            for o in group * per_group..(group + 1) * per_group {
                for tap in case.taps() {
                    for at in pixels(output) {
                        if let Some((i, j)) = case.meets(at, tap) {
                            let w = weight.at(case.weight_row(c % case.channels(), tap), o);
                            let place = (c * input.height + i) * input.width + j;
                            must[place] = w.fma(grad.at(lane, o, at.0, at.1), must[place]);
                        }
                    }
                }
            }
        }
        for c in 0..input.channels {
            for (i, j) in pixels(input) {
                let place = (c * input.height + i) * input.width + j;
                same(dx.at(lane, c, i, j), must[place], &what);
            }
        }

        // A block of so many samples; what the other lanes hold is nobody's.
        for samples in [LANES, 7] {
            let absent = T::from_f64(f64::INFINITY);
            let mut x = x.with_lanes(samples, absent);
            let mut grad = grad.with_lanes(samples, T::ZERO);
            let (dw, db) = gradient(case, isa, samples, &mut x, &mut grad);
            let fold = |chain: &dyn Fn(usize) -> T| {
                let mut lanes = [T::ZERO; LANES];
                for (lane, sum) in lanes.iter_mut().enumerate().take(samples) {
                    *sum = chain(lane);
                }
                fold_array(lanes)
            };
            for o in 0..case.outputs {
                let first = o / per_group * case.channels();
                for c in 0..case.channels() {
                    for tap in case.taps() {
                        let must = fold(&|lane| {
                            let pairs = pixels(output).filter_map(|at| {
                                let (i, j) = case.meets(at, tap)?;
                                Some((grad.at(lane, o, at.0, at.1), x.at(lane, first + c, i, j)))
                            });
                            pairs.fold(T::ZERO, |sum, (g, x)| g.fma(x, sum))
                        });
                        same(dw.at(case.weight_row(c, tap), o), must, &what);
                    }
                }
                let must = fold(&|lane| {
                    let grads = pixels(output).map(|(row, col)| grad.at(lane, o, row, col));
                    grads.fold(T::ZERO, |sum, g| sum.add(g))
                });
                same(db.at(0, o), must, &what);
            }
        }
    }
}

/// The gradient of the weight and of the bias over a block of so many samples, in two bands.
fn gradient<T: Real>(
    case: &Case,
    isa: Isa,
    samples: usize,
    x: &mut Block<T>,
    grad: &mut Block<T>,
) -> (Matrix<T>, Matrix<T>) {
    let nan = |_: usize, _: usize| T::from_f64(f64::NAN);
    let len = ConvolutionGradient::<T>::scratch_len(case.fan_in(), case.outputs);
    let mut scratch = vec![T::from_f64(f64::NAN); len];
    let mut dw = Matrix::new(case.fan_in(), case.outputs, nan);
    let mut db = Matrix::new(1, case.outputs, nan);
    let height = grad.shape.height;
    for (start, end) in [(0, height / 3), (height / 3, height)] {
        isa.run(ConvolutionGradient {
            input: x.view(),
            grad: grad.view(),
            rows: case.rows,
            cols: case.cols,
            groups: case.groups,
            samples,
            start,
            end,
            // SAFETY: `scratch` outlives the call.
            scratch: unsafe { Span::from_raw(scratch.as_mut_ptr(), len) },
            weight: dw.view(),
            bias: Some(db.view()),
            ahead: &Fetch::new(Span::empty()),
        });
    }
    (dw, db)
}

fn stencil() -> impl Strategy<Value = Stencil> {
    (1..=7usize, 1..=3usize, 0..=3usize, 1..=3usize).prop_map(
        |(kernel, stride, padding, dilation)| Stencil { kernel, stride, padding, dilation },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let sizes = (1..=3usize, 1..=9usize, 1..=3usize);
    (sizes, 1..=12usize, 1..=12usize, stencil(), stencil()).prop_map(
        |((inputs, outputs, groups), height, width, rows, cols)| Case {
            input: ImageShape { channels: inputs * groups, height, width },
            outputs: outputs * groups,
            groups,
            rows,
            cols,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn any_convolution_f32(case in case()) {
        check::<f32>(&case);
    }

    #[test]
    fn any_convolution_f64(case in case()) {
        check::<f64>(&case);
    }
}

#[test]
fn bands_chunks_and_panels() {
    let plain = |kernel, padding| Stencil { kernel, stride: 1, padding, dilation: 1 };
    // Images of several bands, more channels than a chunk has, outputs of more than one panel.
    for (channels, outputs, groups, size, kernel) in
        [(1, 6, 1, 20, 5), (34, 21, 1, 6, 3), (60, 36, 2, 5, 3), (300, 2, 1, 3, 1)]
    {
        check::<f32>(&Case {
            input: ImageShape { channels, height: size, width: size + 1 },
            outputs,
            groups,
            rows: plain(kernel, kernel / 2),
            cols: plain(kernel, kernel / 2),
        });
    }
}
