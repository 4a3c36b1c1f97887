//! The ops of a plan, as data: what is to be done, and on which buffers.

use super::image::ImageBuffer;
use super::memory::BufferId;
use crate::kernels::activation::Activation;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Outputs alone.
    Forward,
    /// Updates of the trainable layers, straight from their gradients.
    Train,
    /// The gradients of all layers, kept.
    Gradients {
        /// The gradient with respect to X, too.
        input_grad: bool,
    },
    /// As `Gradients`, with a buffer of its own for each tensor, to look at.
    Trace,
}

/// Where an input gradient finds its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackwardWeight {
    /// In the state, where updates keep it up to date.
    State,
    /// In the workspace, copied from the parameters at the start of the call.
    Copy(BufferId),
}

/// One op on some rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowOp {
    /// output = input W^T + b.
    Linear {
        /// Which of the layers with parameters.
        linear: usize,
        /// Read.
        input: BufferId,
        /// Written.
        output: BufferId,
    },
    /// As `Linear`, of features with a sample in each lane.
    ImageLinear {
        /// Which of the layers with parameters.
        linear: usize,
        /// Read: (features, samples).
        input: BufferId,
        /// Written.
        output: BufferId,
    },
    /// output = f(input).
    Activation {
        /// f.
        activation: Activation,
        /// Read.
        input: BufferId,
        /// Written; may be the input.
        output: BufferId,
    },
    /// output = x where z > 0, else a x: forward with x = z, back with the gradient as x.
    Prelu {
        /// Which of the layers with parameters has the slopes a.
        layer: usize,
        /// Read.
        z: BufferId,
        /// Read.
        x: BufferId,
        /// Written; may be either of both.
        output: BufferId,
        /// Whether subnormals are flushed.
        flush: bool,
    },
    /// output = input * mask in training, else the input.
    Dropout {
        /// Index in the network's layers.
        layer: usize,
        /// Probability of zero.
        p: f64,
        /// Read.
        input: BufferId,
        /// Written; may be the input.
        output: BufferId,
        /// The mask drawn, for the way back.
        mask: BufferId,
    },
    /// target = grad W.
    InputGradient {
        /// Which of the layers with parameters.
        linear: usize,
        /// Read.
        grad: BufferId,
        /// Written.
        target: BufferId,
        /// W.
        weight: BackwardWeight,
    },
    /// As `InputGradient`, with a sample in each lane: target = W^T grad^T.
    ImageGradient {
        /// Which of the layers with parameters.
        linear: usize,
        /// Read.
        grad: BufferId,
        /// Written: `grad` turned, (outputs, samples).
        turned: BufferId,
        /// Written: (features, samples).
        target: BufferId,
    },
    /// target = flush(grad * f'(saved)).
    ActivationGradient {
        /// f; the identity only flushes.
        activation: Activation,
        /// The activation's input or output.
        saved: BufferId,
        /// Read.
        grad: BufferId,
        /// Written; may be `grad`.
        target: BufferId,
    },
    /// output = fma(xhat, w, b), with xhat = (input - mean) r over each row.
    Normalize {
        /// Which of the layers with parameters has w and b; without, output = xhat.
        affine: Option<usize>,
        /// Added to the variance.
        eps: f64,
        /// Read.
        input: BufferId,
        /// Written: xhat; may be the input.
        normalized: BufferId,
        /// Written; may be `normalized`, and then holds the output in the end.
        output: BufferId,
        /// Written: r = 1 / sqrt(variance + eps), 16 times for each row.
        reciprocals: BufferId,
    },
    /// output = fma(xhat, w, b), with xhat = (input - mean) r over each column: over all rows of the batch in
    /// training, else over those of past batches.
    BatchNormalize {
        /// Which of the layers with running statistics.
        tracked: usize,
        /// Which of the layers with parameters has w and b; without, output = xhat.
        affine: Option<usize>,
        /// Added to the variance.
        eps: f64,
        /// Read.
        input: BufferId,
        /// Written: xhat; may be the input.
        normalized: BufferId,
        /// Written; may be `normalized`, and then holds the output in the end.
        output: BufferId,
    },
    /// target = flush(the gradient through `BatchNormalize`).
    BatchNormalizeGradient {
        /// As there.
        tracked: usize,
        /// As there.
        affine: Option<usize>,
        /// As there.
        eps: f64,
        /// xhat.
        normalized: BufferId,
        /// Read.
        grad: BufferId,
        /// Written; may be `grad`.
        target: BufferId,
    },
    /// sum = a + b, flushed on the way back.
    Add {
        /// Read.
        a: BufferId,
        /// Read.
        b: BufferId,
        /// Written; may be either of both.
        sum: BufferId,
        /// Whether subnormals are flushed.
        flush: bool,
    },
    /// target = flush(the gradient through `Normalize`).
    NormalizeGradient {
        /// As there.
        affine: Option<usize>,
        /// xhat.
        normalized: BufferId,
        /// r.
        reciprocals: BufferId,
        /// Read.
        grad: BufferId,
        /// Written; may be `grad`.
        target: BufferId,
    },
    /// target = grad * mask in training, else the gradient.
    DropoutGradient {
        /// The mask of the forward pass.
        mask: BufferId,
        /// Read.
        grad: BufferId,
        /// Written; may be `grad`.
        target: BufferId,
    },
}

/// One layer in the weight phase.
#[derive(Clone, Debug)]
pub(super) struct WeightOp {
    /// Which of the layers with parameters.
    pub index: usize,
    pub source: WeightSource,
    /// Whether updates keep the second copy of the weight.
    pub keep_backward: bool,
}

/// What a weight's gradient is made from.
#[derive(Clone, Copy, Debug)]
pub(super) enum WeightSource {
    /// The layer's input, and the gradient with respect to its output.
    Rows { input: BufferId, grad: BufferId },
    /// As `Rows`, of an input with a sample in each lane.
    Lanes { input: BufferId, grad: BufferId },
    /// A layer's normalized input, and the gradient with respect to its output.
    Normalized { normalized: BufferId, grad: BufferId },
    /// What a layer with slopes takes, and the gradient with respect to its output.
    Slopes { z: BufferId, grad: BufferId },
    /// What blocks of images have left.
    Images,
}

/// A tensor between two layers, for `Task::Trace`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Traced {
    Rows(BufferId),
    Images(ImageBuffer),
}
