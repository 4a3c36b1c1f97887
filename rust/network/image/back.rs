//! The way back through the layers before Flatten, as ops on images.

use super::build::ImageBuilder;
use super::op::{Home, ImageBuffer, ImageOp, PoolGradientOp, PoolOp};
use super::program::{Convolution, ImageProgram};
use super::stages::{band_rows, in_bands};
use super::trail::ImageTrail;
use crate::kernels::activation::Activation;
use crate::kernels::elementary::Elementary;
use crate::kernels::pooling::{ActivatedPoolBackward, Pool};
use crate::kernels::prelu::ImageSlopeGradient;
use crate::network::memory::{BufferId, Buffers};
use crate::network::nodes::Layer;
use crate::network::op::{Task, Traced, WeightOp, WeightSource};

impl ImageBuilder<'_> {
    /// The way back from the gradient at the features, if it is wanted there.
    pub(in crate::network) fn finish<T: Elementary>(
        mut self,
        (flat, flat_grad): (BufferId, Option<BufferId>),
        batch: &mut Buffers,
        wanted_below: impl Fn(usize) -> bool,
    ) -> (ImageProgram, Vec<Traced>, Vec<WeightOp>) {
        let shape = self.output.shape;
        let joins = self.joins();
        let (mut output_grad, mut input_grad) = (self.output, None);
        if let Some(flat_grad) = flat_grad {
            output_grad = if joins {
                ImageBuffer { home: Home::Features(flat_grad), shape }
            } else {
                self.memory.images::<T>(shape, 1, batch)
            };
            input_grad = self.backward_pass::<T>(output_grad, batch, wanted_below);
        }
        let features = self.input.shape.features();
        let input_grad =
            input_grad.map(|images| (images, batch.add::<T>(self.slab_rows, features)));
        let scratch = (self.memory.tile.reserve(self.scratch_len), self.scratch_len);
        let (forward, forward_meetings) = self.forward.finish();
        let (backward, backward_meetings) = self.backward.finish();
        let plan = ImageProgram {
            blocks: self.tile_blocks,
            order: self.spec.input.order,
            tile: self.memory.tile,
            gathered: self.gathered,
            input: self.input,
            forward,
            forward_meetings,
            output: self.output,
            output_grad,
            flat: (!joins).then(|| (flat, flat_grad.unwrap_or(flat))),
            backward,
            backward_meetings,
            input_grad,
            convolutions: self.convolutions,
            scratch,
        };
        self.grads.reverse();
        (plan, self.grads, self.weights)
    }

    fn backward_pass<T: Elementary>(
        &mut self,
        output_grad: ImageBuffer,
        batch: &mut Buffers,
        wanted_below: impl Fn(usize) -> bool,
    ) -> Option<ImageBuffer> {
        let spec = self.spec;
        let mut at = output_grad;
        // Whether the store of what is in `at` has flushed subnormals (N5).
        let mut flushed = false;
        for layer in (0..self.trails.len()).rev() {
            self.grads.push(Traced::Images(at));
            match self.trails[layer] {
                ImageTrail::Nothing => {}
                ImageTrail::Activation { activation, saved } => {
                    let target = self.memory.place::<T>(at, false, 1, batch);
                    self.flush_through::<T>(layer, activation, saved, at, target);
                    (at, flushed) = (target, true);
                }
                ImageTrail::Prelu { index, trainable, z } => {
                    let band = self.band_below::<T>(layer);
                    if trainable || self.task != Task::Train {
                        let len = ImageSlopeGradient::<T>::scratch_len(z.shape.channels);
                        let scratch = (self.memory.tile.reserve(len), len);
                        let op = ImageOp::SlopeGradient { layer: index, z, grad: at, scratch };
                        self.backward.push(op, band);
                        self.weigh(index);
                    }
                    if !wanted_below(layer) {
                        return None;
                    }
                    let output = self.memory.place::<T>(at, false, 1, batch);
                    let op = ImageOp::Prelu { layer: index, z, x: at, output, flush: true };
                    self.backward.push(op, band);
                    (at, flushed) = (output, true);
                }
                ImageTrail::Dropout { mask } => {
                    let target = self.memory.place::<T>(at, false, 1, batch);
                    self.backward.push(ImageOp::DropoutGradient { mask, grad: at, target }, None);
                    (at, flushed) = (target, false);
                }
                ImageTrail::Pool(op) => {
                    let PoolOp { pool, input, .. } = op;
                    let grad = at;
                    let below = self.conv_below(layer).filter(|_| in_bands(pool));
                    let band = below.map(|conv| self.gradient_band::<T>(conv, Some(pool)));
                    let before = below.map(|conv| {
                        let wanted = wanted_below(self.convolutions[conv].layer);
                        if wanted { self.convolutions[conv].rows_before() } else { 0 }
                    });
                    let in_place = self.is_in_place::<T>(layer, op);
                    let window = band.zip(before).filter(|_| !in_place);
                    let target = match window {
                        _ if in_place => input,
                        Some((band, before)) => self.memory.window::<T>(input.shape, before + band),
                        None => self.memory.images::<T>(input.shape, 1, batch),
                    };
                    let op = PoolGradientOp { pool: op, grad, target };
                    self.backward.push(ImageOp::PoolGradient(op), band);
                    if let Some((_, before)) = window {
                        self.backward.window(target, before);
                    }
                    (at, flushed) = (target, false);
                }
                ImageTrail::BatchNorm(trail) => {
                    at = trail.backward::<T>(
                        self.task,
                        (at, wanted_below(layer)),
                        (&mut self.backward, &mut self.weights),
                        (&mut self.memory, batch),
                    )?;
                    flushed = true;
                }
                ImageTrail::Convolution { conv, input } => {
                    let Layer::Conv2d(data) = &spec.layers[layer] else { continue };
                    if !flushed {
                        self.flush_through::<T>(layer, Activation::Identity, at, at, at);
                    }
                    if data.trainable || self.task != Task::Train {
                        let op = ImageOp::WeightGradient { conv, input, grad: at };
                        self.backward.push(op, None);
                        self.weigh(self.convolutions[conv].index);
                        self.scratch_len = self.scratch_len.max(self.convolutions[conv].sums);
                    }
                    if !wanted_below(layer) {
                        return None;
                    }
                    let rows = data.out_channels / data.groups * data.taps();
                    self.convolutions[conv].transposed =
                        Some(batch.add::<T>(rows, data.in_channels));
                    let target = self.memory.images::<T>(input.shape, 1, batch);
                    let op = ImageOp::InputGradient { conv, grad: at, target };
                    self.backward.push(op, None);
                    (at, flushed) = (target, false);
                }
            }
        }
        Some(at)
    }

    /// Whether the gradient at the input of pool `layer` takes the place of the activated images there,
    /// which it is the last to read: what it writes is in the caches then, and nothing else is displaced
    /// (LeNet-5 at 28 x 28 1.01x, at 227 x 227 1.02x, 24 channels 1.03x).
    fn is_in_place<T: Elementary>(&self, layer: usize, PoolOp { pool, input, .. }: PoolOp) -> bool {
        match self.trails[..layer] {
            [.., ImageTrail::Activation { activation, saved }] => {
                saved == input
                    && !self.memory.keeps_all
                    && pool.is_two_by_two()
                    && ActivatedPoolBackward::<T>::is_in_place(activation, self.isa)
            }
            _ => false,
        }
    }

    /// Which convolution's gradients follow those of a layer, if there are only activations between.
    fn conv_below(&self, layer: usize) -> Option<usize> {
        let mut below = self.trails[..layer].iter().rev();
        let passes = |way: &&ImageTrail| {
            use ImageTrail::{Activation, Nothing, Prelu};
            matches!(way, Activation { .. } | Prelu { .. } | Nothing)
        };
        match below.find(|way| !passes(way)) {
            Some(&ImageTrail::Convolution { conv, .. }) if !self.memory.keeps_all => Some(conv),
            _ => None,
        }
    }

    /// Rows of the bands in which a convolution's gradients are made.
    fn gradient_band<T: Elementary>(&self, conv: usize, pool: Option<Pool>) -> usize {
        let Convolution { sums, output, .. } = self.convolutions[conv];
        band_rows(output, size_of::<T>(), pool, sums)
    }

    /// Rows of the bands of a stage that begins with the way back through layer `layer`, elementwise.
    fn band_below<T: Elementary>(&self, layer: usize) -> Option<usize> {
        self.conv_below(layer + 1).map(|conv| self.gradient_band::<T>(conv, None))
    }

    /// The parameters of a layer get a gradient; it is the `index`-th with parameters.
    fn weigh(&mut self, index: usize) {
        let source = WeightSource::Images;
        self.weights.push(WeightOp { index, source, keep_backward: false });
    }

    /// The gradient through an activation of layer `layer` or above it.
    fn flush_through<T: Elementary>(
        &mut self,
        layer: usize,
        activation: Activation,
        saved: ImageBuffer,
        grad: ImageBuffer,
        target: ImageBuffer,
    ) {
        let band = self.band_below::<T>(layer);
        let op = ImageOp::ActivationGradient { activation, saved, grad, target };
        self.backward.push(op, band);
    }
}
