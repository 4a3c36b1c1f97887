//! Batch normalization of images: its ops, and where the sums of all blocks meet.

use super::memory::ImageMemory;
use super::op::{ImageBuffer, ImageOp, Meeting};
use super::program::ImageProgram;
use super::run::ImageContext;
use super::stages::Stages;
use crate::kernels::elementary::Elementary;
use crate::kernels::normalization::{
    ChannelGradientSums, ChannelNormalize, ChannelNormalizeBackward, ChannelSums, Population,
};
use crate::kernels::panels::Span;
use crate::network::memory::{Buffers, RunningPlace, State, Workspace};
use crate::network::nodes::BatchNorm;
use crate::network::op::{Task, WeightOp, WeightSource};
use crate::simd::LANES;

/// What the forward pass through a normalization leaves for the way back.
#[derive(Clone, Copy)]
pub(super) struct NormTrail {
    tracked: usize,
    affine: Option<usize>,
    trainable: bool,
    eps: f64,
    normalized: ImageBuffer,
    pub output: ImageBuffer,
}

impl NormTrail {
    /// The forward pass from what is at `input`, which something may still need; of the layer that is the
    /// `tracked`-th with statistics and the `weighted`-th with parameters.
    pub(super) fn forward<T: Elementary>(
        norm: &BatchNorm,
        (tracked, weighted): (usize, usize),
        task: Task,
        (input, needed): (ImageBuffer, bool),
        stages: &mut Stages,
        (memory, batch): (&mut ImageMemory, &mut Buffers),
    ) -> Self {
        let (eps, trainable) = (norm.eps, norm.trainable);
        let affine = norm.affine.then_some(weighted);
        let normalized = memory.place::<T>(input, needed, 1, batch);
        // The way back reads xhat.
        let output = match norm.affine && task != Task::Forward {
            true => memory.images::<T>(input.shape, 1, batch),
            false => normalized,
        };
        stages.push(ImageOp::ChannelSums { tracked, input, squares: false }, None);
        stages.meet(Meeting::Means(tracked));
        stages.push(ImageOp::ChannelSums { tracked, input, squares: true }, None);
        stages.meet(Meeting::Variances(tracked));
        stages.push(ImageOp::Normalize { tracked, affine, eps, input, normalized, output }, None);
        Self { tracked, affine, trainable, eps, normalized, output }
    }

    /// The way back from the gradient at `grad`, if it is wanted below, and to those of w and b.
    pub(super) fn backward<T: Elementary>(
        self,
        task: Task,
        (grad, wanted): (ImageBuffer, bool),
        (stages, weights): (&mut Stages, &mut Vec<WeightOp>),
        (memory, batch): (&mut ImageMemory, &mut Buffers),
    ) -> Option<ImageBuffer> {
        let Self { tracked, affine, trainable, eps, normalized, .. } = self;
        let weighed = affine.filter(|_| trainable || task != Task::Train);
        if weighed.is_some() || wanted {
            let op = ImageOp::ChannelGradientSums { tracked, affine: weighed, normalized, grad };
            stages.push(op, None);
        }
        if let Some(index) = weighed {
            let source = WeightSource::Images;
            weights.push(WeightOp { index, source, keep_backward: false });
        }
        if !wanted {
            return None;
        }
        stages.meet(Meeting::Gradients(tracked));
        let target = memory.place::<T>(grad, false, 1, batch);
        let op = ImageOp::NormalizeGradient { tracked, affine, eps, normalized, grad, target };
        stages.push(op, None);
        Some(target)
    }
}

impl ImageProgram {
    /// Whether blocks of samples meet before the rows.
    pub(in crate::network) fn meets(&self) -> bool {
        !self.forward_meetings.is_empty()
    }

    /// The stages between which blocks meet, first and last of them, and what meets after them; forward or
    /// back.
    pub(in crate::network) fn parts(
        &self,
        backward: bool,
    ) -> impl Iterator<Item = ((usize, usize), Option<Meeting>)> {
        let (stages, meetings) = match backward {
            false => (&self.forward, &self.forward_meetings),
            true => (&self.backward, &self.backward_meetings),
        };
        let ends = meetings.iter().map(|&(end, meeting)| (end, Some(meeting)));
        let mut start = 0;
        ends.chain([(stages.len(), None)])
            .map(move |(end, meeting)| ((std::mem::replace(&mut start, end), end), meeting))
    }

    /// Makes of the sums of a slab's blocks what comes next.
    pub(in crate::network) fn meet<T: Elementary>(
        &self,
        meeting: Meeting,
        state: &State<T>,
        workspace: &Workspace<T>,
        rows: usize,
    ) {
        let Some(statistics) = workspace.statistics() else { return };
        let (sums, values) = (&workspace.block_sums, &statistics.values);
        let (Meeting::Means(node) | Meeting::Variances(node) | Meeting::Gradients(node)) = meeting;
        let place = &state.layout.running.nodes[node];
        let of = (rows.div_ceil(LANES), statistics.count(node));
        match meeting {
            Meeting::Means(_) => sums.meet(place, RunningPlace::mean, of, place.mean(values)),
            Meeting::Variances(_) => {
                sums.meet(place, RunningPlace::variance, of, place.variance(values));
            }
            Meeting::Gradients(_) => {
                sums.meet(place, RunningPlace::mean, of, place.mean(sums.means()));
                sums.meet(place, RunningPlace::variance, of, place.variance(sums.means()));
            }
        }
    }
}

impl<T: Elementary> ImageContext<'_, T> {
    fn place(&self, tracked: usize) -> &RunningPlace {
        &self.state.layout.running.nodes[tracked]
    }

    fn population(&self, tracked: usize) -> Population<T> {
        let batch = self.workspace.statistics().filter(|_| self.training);
        let all = 0..usize::MAX;
        self.place(tracked).population(batch, &self.state.running, &all)
    }

    /// w and b of a layer.
    fn affine(&self, layer: usize) -> (Span<T>, Span<T>) {
        let (layout, parameters) = (&self.state.layout.layers[layer], &self.state.parameters);
        (layout.weight(parameters).flat(), layout.bias(parameters).flat())
    }

    /// Runs one of these ops; those that sum have nothing to do in predictions.
    pub(super) fn normalize(&self, op: &ImageOp) {
        match *op {
            ImageOp::ChannelSums { tracked, input, squares } => {
                let Some(statistics) = self.workspace.statistics().filter(|_| self.training) else {
                    return;
                };
                let (place, block) =
                    (self.place(tracked), self.workspace.block_sums.block(self.block));
                let sums = if squares { place.variance(block) } else { place.mean(block) };
                self.isa.run(ChannelSums {
                    images: self.all(input),
                    samples: self.rows(),
                    means: squares.then(|| place.mean(&statistics.values).flat()),
                    sums: sums.flat(),
                });
            }
            ImageOp::Normalize { tracked, affine, eps, input, normalized, output } => {
                self.isa.run(ChannelNormalize {
                    input: self.all(input),
                    affine: affine.map(|layer| self.affine(layer)),
                    eps,
                    population: self.population(tracked),
                    normalized: self.all(normalized),
                    output: self.all(output),
                });
            }
            ImageOp::ChannelGradientSums { tracked, affine, normalized, grad } => {
                let (place, block) =
                    (self.place(tracked), self.workspace.block_sums.block(self.block));
                let parameters = affine.map(|layer| {
                    let layout = &self.state.layout.layers[layer];
                    let gradient = self.workspace.image_gradient(self.block);
                    (layout.weight(gradient).flat(), layout.bias(gradient).flat())
                });
                self.isa.run(ChannelGradientSums {
                    normalized: self.all(normalized),
                    grad: self.all(grad),
                    samples: self.rows(),
                    sums: place.mean(block).flat(),
                    products: place.variance(block).flat(),
                    parameters,
                });
            }
            ImageOp::NormalizeGradient { tracked, affine, eps, normalized, grad, target } => {
                let (place, means) = (self.place(tracked), self.workspace.block_sums.means());
                self.isa.run(ChannelNormalizeBackward {
                    normalized: self.all(normalized),
                    weight: affine.map(|layer| self.affine(layer).0),
                    eps,
                    population: self.population(tracked),
                    means: [place.mean(means).flat(), place.variance(means).flat()],
                    grad: self.all(grad),
                    target: self.all(target),
                });
            }
            _ => {}
        }
    }
}
