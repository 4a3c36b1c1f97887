//! The row phase of a step: rows of X, outputs, losses, gradients at all layers.

use super::chains::{Left, Start};
use super::layers::{FOUR, Step, TinyLayer};
use super::turn::turn;
use crate::kernels::activation::{Activation, ActivationBackward, ActivationForward};
use crate::kernels::elementary::Elementary;
use crate::kernels::gather::{Divide, Gather};
use crate::kernels::loss::{LossRows, RowTargets};
use crate::kernels::panels::Panels;
use crate::simd::{Kernel, LANES, Narrow, Simd, Vector};

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
}

impl<'a, T: Elementary> Rows<'a, T> {
    /// Gathers X and targets, and turns them: what comes next may go over them more than once.
    #[inline(always)]
    pub(super) fn load<S: Simd>(self) -> Loaded<'a, T> {
        let Self { step, input, plain, scale, targets, loss } = self;
        if input.cols() <= FOUR {
            gather::<T, Narrow<S>>(input, plain, scale);
        } else {
            gather::<T, S>(input, plain, scale);
        }
        if let Some(first) = step.layers.first() {
            turn::<T, S>(input, step.turned(first.input, first.inputs));
        }
        let turned = S::REGISTERS > 1 && loss.can_turn();
        match targets {
            Some(targets) if turned => targets.run_plain::<Narrow<S>>(),
            Some(targets) => targets.run_plain::<S>(),
            None => {}
        }
        let loss = if turned { turned_loss::<T, S>(&step, loss) } else { loss };
        Loaded { step, loss, turned }
    }
}

/// Rows of X that are there, turned.
#[derive(Clone, Copy)]
pub(super) struct Loaded<'a, T: Elementary> {
    step: Step<'a, T>,
    /// With turned matrices where the loss can do them.
    loss: LossRows<'a, T>,
    turned: bool,
}

impl<T: Elementary> Loaded<'_, T> {
    /// Outputs, losses, gradients at all layers.
    #[inline(always)]
    pub(super) fn pass<S: Simd>(&self) {
        let Self { step, .. } = self;
        for layer in step.layers {
            forward::<T, S>(step, layer);
        }
        self.losses::<S>();
        for (index, layer) in step.layers.iter().enumerate().rev() {
            // The loss flushes its gradient itself (N5).
            if index + 1 < step.layers.len() || layer.activation != Activation::Identity {
                activation_gradient::<T, S>(step, layer);
            }
            if !layer.input_grad {
                return;
            }
            input_gradient::<T, S>(step, layer, &step.layers[index - 1]);
        }
    }

    /// The losses, and the gradient at the last layer's outputs.
    #[inline(always)]
    fn losses<S: Simd>(&self) {
        let Self { step, loss, turned } = *self;
        let (Some(last), Some(grad)) = (step.layers.last(), loss.grad) else { return };
        if turned {
            if is_narrow::<T, S>(&step) {
                loss.run_turned::<Narrow<S>>();
            } else {
                loss.run_turned::<S>();
            }
            return;
        }
        // Rows are loaded 16 lanes at a time.
        turn::<T, S>(step.turned(last.output, LANES), loss.outputs);
        // A copy here would be as large as all else.
        S::call(loss);
        turn::<T, S>(grad, step.turned(last.grad, last.outputs));
    }
}

/// The loss on turned matrices. Targets lie where rows as rows would have their gradient.
#[inline(always)]
fn turned_loss<'a, T: Elementary, S: Simd>(
    step: &Step<'_, T>,
    loss: LossRows<'a, T>,
) -> LossRows<'a, T> {
    let (Some(last), Some(room)) = (step.layers.last(), loss.grad) else { return loss };
    let targets = match loss.targets {
        RowTargets::Values(values) => {
            let (place, cols) = (room.row(0, 0), room.cols());
            // SAFETY: a matrix of the scratch buffer has room for 16 x 16 elements.
            let turned = unsafe { Panels::from_raw(place, cols, step.count, LANES) };
            turn::<T, S>(values, turned);
            RowTargets::Values(turned)
        }
        classes @ RowTargets::Classes(_) => classes,
    };
    let outputs = step.turned(last.output, last.outputs);
    let grad = Some(step.turned(last.grad, last.outputs));
    LossRows { outputs, targets, grad, ..loss }
}

/// Whether a turned matrix of this step is done in registers of four lanes.
#[inline(always)]
fn is_narrow<T: Elementary, S: Simd>(step: &Step<'_, T>) -> bool {
    <S::Four<T> as Vector<T>>::LANES < <S::Register<T> as Vector<T>>::LANES && step.count <= FOUR
}

/// The outputs of a layer.
#[inline(always)]
fn forward<T: Elementary, S: Simd>(step: &Step<'_, T>, layer: &TinyLayer) {
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
        if is_narrow::<T, S>(step) { pass.run::<Narrow<S>>() } else { S::call(pass) }
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

/// From the gradient at an activation's output to that at its input, flushed.
#[inline(always)]
fn activation_gradient<T: Elementary, S: Simd>(step: &Step<'_, T>, layer: &TinyLayer) {
    let activation = layer.activation;
    let saved = if activation.needs_input() { layer.sum } else { layer.output };
    let saved = step.turned(saved, layer.outputs);
    let grad = step.turned(layer.grad, layer.outputs);
    let pass = ActivationBackward { activation, saved, grad };
    if is_narrow::<T, S>(step) { pass.run::<Narrow<S>>() } else { S::call(pass) }
}

/// The gradient at the output of the layer below.
#[inline(always)]
fn input_gradient<T: Elementary, S: Simd>(
    step: &Step<'_, T>,
    layer: &TinyLayer,
    below: &TinyLayer,
) {
    let a = Left::<T, LANES, 1> { ptr: step.parameters.at(layer.weight), rows: layer.inputs };
    let (d, below) = (step.scratch.at(layer.grad), step.scratch.at(below.grad));
    // SAFETY: as in `forward`.
    unsafe { a.chains::<S>(d, below, layer.outputs, step.count, Start::Zero) };
}
