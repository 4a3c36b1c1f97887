//! The row phase of a step: rows of X, outputs, losses, gradients at all layers.

use super::chains::{Left, Start};
use super::turn::turn;
use super::{FOUR, Layer, Step};
use crate::kernels::activation::{Activation, ActivationBackward, ActivationForward};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{Divide, Gather};
use crate::kernels::loss::{LossRows, Targets};
use crate::kernels::panels::Panels;
use crate::simd::{Entry, Kernel, LANES, Narrow, Simd, Vector};

/// Up to 16 rows of X, forward and back.
pub struct Rows<'a, T: Elementary> {
    /// Layers and memory.
    pub step: Step<'a, T>,
    /// The rows.
    pub input: Panels<T>,
    /// How they get there, if they are not there yet.
    pub plain: Option<Gather<'a, T>>,
    /// What they are divided by.
    pub scale: Option<T>,
    /// How the targets get into those of `loss`, if they are numbers; plain rows.
    pub targets: Option<Gather<'a, T>>,
    /// The loss, with memory for outputs, targets and gradients of as many rows.
    pub loss: LossRows<'a, T>,
    /// How the loss is found where rows have to be turned back for it: a call, since a copy here would
    /// be as large as all else.
    pub loss_rows: Entry<LossRows<'a, T>>,
}

impl<T: Elementary> Kernel for Rows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { step, input, plain, scale, targets, loss, loss_rows } = self;
        let (Some(first), Some(last)) = (step.layers.first(), step.layers.last()) else { return };
        if input.cols() <= FOUR {
            gather::<T, Narrow<S>>(input, plain, scale);
        } else {
            gather::<T, S>(input, plain, scale);
        }
        turn::<T, S>(input, step.turned(first.input, first.inputs));
        for layer in step.layers {
            forward::<T, S>(&step, layer);
        }
        losses::<T, S>(&step, last, targets, loss, loss_rows);
        for (index, layer) in step.layers.iter().enumerate().rev() {
            // The loss flushes its gradient itself (N5).
            if index + 1 < step.layers.len() || layer.activation != Activation::Identity {
                activation_gradient::<T, S>(&step, layer);
            }
            if !layer.input_grad {
                return;
            }
            input_gradient::<T, S>(&step, layer, &step.layers[index - 1]);
        }
    }
}

/// Whether a turned matrix of this step is done in registers of four lanes.
#[inline(always)]
fn is_narrow<T: Elementary, S: Simd>(step: &Step<'_, T>) -> bool {
    <S::Four<T> as Vector<T>>::LANES < <S::Register<T> as Vector<T>>::LANES && step.count <= FOUR
}

/// The outputs of a layer.
#[inline(always)]
fn forward<T: Elementary, S: Simd>(step: &Step<'_, T>, layer: &Layer) {
    let input = step.turned(layer.sum, layer.outputs);
    let start = Start::Rows(step.parameters.at(layer.bias).cast_const());
    let a = Left::<T, 1, LANES> { ptr: step.parameters.at(layer.weight), rows: layer.outputs };
    let x = step.scratch.at(layer.input);
    // SAFETY: the places of the layer lie in their buffers, whose makers vouch for them.
    unsafe { a.chains::<S>(x, input.row(0, 0), layer.inputs, step.count, start) };
    let activation = layer.activation;
    if activation != Activation::Identity {
        let output = step.turned(layer.output, layer.outputs);
        let pass = ActivationForward { activation, input, output };
        if is_narrow::<T, S>(step) { pass.run::<Narrow<S>>() } else { pass.run::<S>() }
    }
}

#[inline(always)]
fn gather<T: Elementary, S: Simd>(
    target: Panels<T>,
    plain: Option<Gather<'_, T>>,
    scale: Option<T>,
) {
    if let Some(rows) = plain {
        rows.run_plain::<S>();
    }
    if let Some(divisor) = scale {
        Divide { target, divisor }.run::<S>();
    }
}

/// The losses, and the gradient at the last layer's outputs.
#[inline(always)]
fn losses<'a, T: Elementary, S: Simd>(
    step: &Step<'_, T>,
    last: &Layer,
    targets: Option<Gather<'_, T>>,
    loss: LossRows<'a, T>,
    loss_rows: Entry<LossRows<'a, T>>,
) {
    if loss.can_turn() {
        if let Some(targets) = targets {
            targets.run_plain::<Narrow<S>>();
        }
        let grad = step.turned(last.grad, last.outputs);
        let targets = match loss.targets {
            Targets::Values(values) => {
                turn::<T, S>(values, grad);
                Targets::Values(grad)
            }
            classes @ Targets::Classes(_) => classes,
        };
        let outputs = step.turned(last.output, last.outputs);
        let loss = LossRows { outputs, targets, grad: Some(grad), ..loss };
        if is_narrow::<T, S>(step) {
            loss.run_turned::<Narrow<S>>();
        } else {
            loss.run_turned::<S>();
        }
        return;
    }
    if let Some(targets) = targets {
        targets.run_plain::<S>();
    }
    let (outputs, grad) = (loss.outputs, loss.grad);
    // Rows are loaded 16 lanes at a time.
    turn::<T, S>(step.turned(last.output, LANES), outputs);
    loss_rows.call(loss);
    if let Some(grad) = grad {
        turn::<T, S>(grad, step.turned(last.grad, last.outputs));
    }
}

/// From the gradient at an activation's output to that at its input, flushed.
#[inline(always)]
fn activation_gradient<T: Elementary, S: Simd>(step: &Step<'_, T>, layer: &Layer) {
    let activation = layer.activation;
    let saved = if activation.needs_input() { layer.sum } else { layer.output };
    let saved = step.turned(saved, layer.outputs);
    let grad = step.turned(layer.grad, layer.outputs);
    let pass = ActivationBackward { activation, saved, grad };
    if is_narrow::<T, S>(step) { pass.run::<Narrow<S>>() } else { pass.run::<S>() }
}

/// The gradient at the output of the layer below.
#[inline(always)]
fn input_gradient<T: Elementary, S: Simd>(step: &Step<'_, T>, layer: &Layer, below: &Layer) {
    let a = Left::<T, LANES, 1> { ptr: step.parameters.at(layer.weight), rows: layer.inputs };
    let (d, below) = (step.scratch.at(layer.grad), step.scratch.at(below.grad));
    // SAFETY: as in `forward`.
    unsafe { a.chains::<S>(d, below, layer.outputs, step.count, Start::Zero) };
}
