//! Batch normalization of images, 16 samples side by side: a channel's mean and variance are over the pixels
//! of all samples.
//!
//! Of each block of 16 samples there is a sum: a lane is a chain from +0 over the pixels of its sample, row by
//! row; the lanes are folded 8, 4, 2, 1, those without a sample as +0 (N2). The sums of blocks meet elsewhere.

use super::batch::{Population, split};
use super::lanes::{columns, each_row, of_columns, wide};
use crate::kernels::images::Images;
use crate::kernels::panels::Span;
use crate::kernels::reduce::fold;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// A block's sums of a channel's pixels, or of the squares of their deviations from means.
pub struct ChannelSums<T> {
    /// x.
    pub images: Images<T>,
    /// Samples of the block, up to 16.
    pub samples: usize,
    /// Of each channel, 16 for each 16 or fewer channels; without them the pixels are summed.
    pub means: Option<Span<f64>>,
    /// Written: of each channel, as many.
    pub sums: Span<f64>,
}

impl<T: Real> Kernel for ChannelSums<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let channels = self.images.shape().channels;
        assert!(self.sums.len() == channels.next_multiple_of(LANES));
        let (mut nearest, mut rest) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        for channel in 0..channels {
            let lane = channel % LANES;
            let sum = match self.means {
                None => self.pixels::<S>(channel),
                Some(means) => {
                    if lane == 0 {
                        let (a, b) = split::<T, S>(of_columns(means, channel / LANES));
                        (nearest, rest) = (each_row(a), each_row(b));
                    }
                    self.squares::<S>(channel, nearest[lane], rest[lane])
                }
            };
            self.sums.set(channel, fold(columns(sum, self.samples)));
        }
    }
}

impl<T: Real> ChannelSums<T> {
    #[inline(always)]
    fn pixels<S: Simd>(&self, channel: usize) -> S::Lanes<f64> {
        let shape = self.images.shape();
        let mut sum = S::Lanes::<f64>::zero();
        for row in 0..shape.height {
            for col in 0..shape.width {
                sum = sum.add(wide::<T, S>(pixel(self.images, row, channel, col)));
            }
        }
        sum
    }

    #[inline(always)]
    fn squares<S: Simd>(&self, channel: usize, nearest: T, rest: T) -> S::Lanes<f64> {
        let (nearest, rest) = (S::Lanes::<T>::splat(nearest), S::Lanes::<T>::splat(rest));
        let shape = self.images.shape();
        let mut sum = S::Lanes::<f64>::zero();
        for row in 0..shape.height {
            for col in 0..shape.width {
                let x: S::Lanes<T> = pixel(self.images, row, channel, col);
                let deviation = wide::<T, S>(x.sub(nearest).sub(rest));
                sum = deviation.fma(deviation, sum);
            }
        }
        sum
    }
}

/// As [`super::BatchNormalize`], with a channel in place of a column, whose mean and variance are there.
pub struct ChannelNormalize<T> {
    /// x.
    pub input: Images<T>,
    /// w and b, 16 elements for each 16 or fewer channels; without them y is xhat.
    pub affine: Option<(Span<T>, Span<T>)>,
    /// At least 0.
    pub eps: f64,
    /// Of each channel; read.
    pub population: Population<T>,
    /// Written: xhat; may be the memory of `input`.
    pub normalized: Images<T>,
    /// Written: y; may be the memory of `input` or `normalized`, and then holds y in the end.
    pub output: Images<T>,
}

impl<T: Real> Kernel for ChannelNormalize<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (shape, normalized, output) = (self.input.shape(), self.normalized, self.output);
        assert!(normalized.shape() == shape && output.shape() == shape);
        let panels = shape.channels.div_ceil(LANES);
        assert!(self.population.fits(panels));
        let both = normalized.first(0) != output.first(0);
        for panel in 0..panels {
            let left = shape.channels - panel * LANES;
            let width = if left < LANES { left } else { LANES };
            let normal = self.population.known::<S>(self.eps, panel, width);
            let (nearest, rest) = (each_row(normal.nearest), each_row(normal.rest));
            let r = each_row(normal.r);
            for lane in 0..width {
                let channel = panel * LANES + lane;
                let nearest = S::Lanes::<T>::splat(nearest[lane]);
                let rest = S::Lanes::<T>::splat(rest[lane]);
                let r = S::Lanes::<T>::splat(r[lane]);
                let affine = self.affine::<S::Lanes<T>>(channel);
                for row in 0..shape.height {
                    for col in 0..shape.width {
                        let x: S::Lanes<T> = pixel(self.input, row, channel, col);
                        let xhat = x.sub(nearest).sub(rest).mul(r);
                        if both {
                            set(normalized, row, channel, col, xhat);
                        }
                        let y = match affine {
                            Some([w, b]) => xhat.fma(w, b),
                            None => xhat,
                        };
                        set(output, row, channel, col, y);
                    }
                }
            }
        }
    }
}

impl<T: Real> ChannelNormalize<T> {
    /// w and b of a channel.
    #[inline(always)]
    fn affine<V: Vector<T>>(&self, channel: usize) -> Option<[V; 2]> {
        let (w, b) = self.affine?;
        Some([V::splat(w.get(channel)), V::splat(b.get(channel))])
    }
}

/// A block's sums of dy and of dy xhat (by fma) over a channel's pixels.
pub struct ChannelGradientSums<T> {
    /// xhat.
    pub normalized: Images<T>,
    /// dy.
    pub grad: Images<T>,
    /// Samples of the block, up to 16.
    pub samples: usize,
    /// Written: of dy, for each channel, 16 for each 16 or fewer channels.
    pub sums: Span<f64>,
    /// Written: of dy xhat, as many.
    pub products: Span<f64>,
    /// Written: those of dy xhat and of dy, rounded: the block's part of the gradients of w and b.
    pub parameters: Option<(Span<T>, Span<T>)>,
}

impl<T: Real> Kernel for ChannelGradientSums<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (grad, normalized, shape) = (self.grad, self.normalized, self.grad.shape());
        assert!(normalized.shape() == shape);
        for channel in 0..shape.channels {
            let [mut sum, mut product] = [S::Lanes::<f64>::zero(); 2];
            for row in 0..shape.height {
                for col in 0..shape.width {
                    let dy = wide::<T, S>(pixel(grad, row, channel, col));
                    let xhat = wide::<T, S>(pixel(normalized, row, channel, col));
                    sum = sum.add(dy);
                    product = dy.fma(xhat, product);
                }
            }
            let sum = fold::<f64, _>(columns(sum, self.samples));
            let product = fold::<f64, _>(columns(product, self.samples));
            self.sums.set(channel, sum);
            self.products.set(channel, product);
            if let Some((weight, bias)) = self.parameters {
                weight.set(channel, T::from_f64(product));
                bias.set(channel, T::from_f64(sum));
            }
        }
    }
}

/// As [`super::BatchNormalizeBackward`], with a channel in place of a column.
pub struct ChannelNormalizeBackward<T> {
    /// xhat.
    pub normalized: Images<T>,
    /// w, 16 elements for each 16 or fewer channels; without it 1.
    pub weight: Option<Span<T>>,
    /// As in [`ChannelNormalize`].
    pub eps: f64,
    /// As in [`ChannelNormalize`].
    pub population: Population<T>,
    /// The means of dy and of dy xhat over all samples and pixels, of a batch's population.
    pub means: [Span<f64>; 2],
    /// dy.
    pub grad: Images<T>,
    /// Written: dx; may be the memory of `grad`.
    pub target: Images<T>,
}

impl<T: Real> Kernel for ChannelNormalizeBackward<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let shape = self.grad.shape();
        assert!(self.normalized.shape() == shape && self.target.shape() == shape);
        let panels = shape.channels.div_ceil(LANES);
        assert!(self.population.fits(panels));
        for panel in 0..panels {
            let left = shape.channels - panel * LANES;
            let width = if left < LANES { left } else { LANES };
            let r = each_row(self.population.reciprocal::<S>(self.eps, panel, width));
            for lane in 0..width {
                let channel = panel * LANES + lane;
                let scale = match self.weight {
                    Some(w) => r[lane].mul(w.get(channel)),
                    None => r[lane],
                };
                let scale = S::Lanes::<T>::splat(scale);
                if let Population::Past { .. } = self.population {
                    self.scaled::<S::Lanes<T>>(channel, scale);
                } else {
                    let a = S::Lanes::<T>::constant(self.means[0].get(channel));
                    let c = S::Lanes::<T>::constant(self.means[1].get(channel));
                    self.of_batch::<S::Lanes<T>>(channel, scale, [a, c]);
                }
            }
        }
    }
}

impl<T: Real> ChannelNormalizeBackward<T> {
    #[inline(always)]
    fn of_batch<V: Vector<T>>(&self, channel: usize, scale: V, [a, c]: [V; 2]) {
        let shape = self.grad.shape();
        for row in 0..shape.height {
            for col in 0..shape.width {
                let dy: V = pixel(self.grad, row, channel, col);
                let xhat: V = pixel(self.normalized, row, channel, col);
                let dx = scale.mul(xhat.neg().fma(c, dy.sub(a)));
                set(self.target, row, channel, col, dx.flush());
            }
        }
    }

    #[inline(always)]
    fn scaled<V: Vector<T>>(&self, channel: usize, scale: V) {
        let shape = self.grad.shape();
        for row in 0..shape.height {
            for col in 0..shape.width {
                let dy: V = pixel(self.grad, row, channel, col);
                set(self.target, row, channel, col, scale.mul(dy).flush());
            }
        }
    }
}

/// The 16 samples' elements of a pixel.
#[inline(always)]
fn pixel<T: Real, V: Vector<T>>(images: Images<T>, row: usize, channel: usize, col: usize) -> V {
    // SAFETY: the images' maker vouches for the 16 elements of their pixels.
    unsafe { V::load(images.at(row, channel, col)) }
}

/// Writes them.
#[inline(always)]
fn set<T: Real, V: Vector<T>>(images: Images<T>, row: usize, channel: usize, col: usize, lanes: V) {
    // SAFETY: the images' maker vouches for the 16 elements of their pixels.
    unsafe { lanes.store(images.at(row, channel, col)) }
}
