"""Loss functions of the user's own: what they return, and steps that they spoil."""

from __future__ import annotations

from ironmlp._arguments.arrays import Array, real_array
from ironmlp._environment import computed
from ironmlp._labels.array import check_finite
from ironmlp.losses import LossFunction


def call_loss(function: LossFunction, outputs: Array, targets: Array) -> tuple[float, Array]:
    """The loss and its gradient by the outputs, checked."""
    returned = function(outputs, targets)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(
            f"the loss function returned {returned!r}, it must return a tuple: the loss and its "
            "gradient by the outputs"
        )
    loss, gradient = returned
    value = real_array("the loss", loss)
    if value.ndim:
        raise ValueError(f"the loss has shape {value.shape}, it must be one number")
    gradient = real_array("the gradient of the loss", gradient)
    if gradient.shape != outputs.shape:
        raise ValueError(
            f"the gradient of the loss has shape {gradient.shape}, the outputs {outputs.shape}"
        )
    return float(value), gradient


@computed
def check_gradient(gradient: Array, dtype: str) -> None:
    """Refuse a gradient of the loss that is not finite in a model's dtype, under its own name."""
    check_finite(gradient.astype(dtype), "the gradient of the loss")


def not_applied(why: str, epoch: int) -> FloatingPointError:
    """The error of a single step that would have done harm."""
    error = FloatingPointError(f"{why}, the step was not applied")
    error.epoch, error.batch = epoch, 0  # type: ignore[attr-defined]
    return error
