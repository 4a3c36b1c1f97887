"""Loss functions of the user's own: what they get, what they return, and steps that they spoil."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from ironmlp._arguments.arrays import Array, real_array
from ironmlp._labels import in_dtype
from ironmlp.losses import LossFunction

# From the outputs of some rows, and which rows of X they are, to their loss and its gradient.
LossOfRows = Callable[[Array, Any], tuple[float, Array]]


def loss_of_rows(
    function: LossFunction, targets: Any, weights: NDArray[Any] | None, dtype: str, width: int
) -> LossOfRows:
    """A user's function with its y and weights, for rows of them; None stands for all rows."""
    targets = own_targets(targets, dtype, width)
    several = isinstance(targets, tuple)

    def call(outputs: Array, rows: Any) -> tuple[float, Array]:
        wanted, weighing = targets, weights
        if rows is not None:
            # `take` takes a third of the time of an index.
            if several:
                wanted = tuple(array.take(rows, axis=0) for array in targets)
            else:
                wanted = targets.take(rows, axis=0)
            weighing = None if weights is None else weights.take(rows)
        if weighing is None:
            return call_loss(function, outputs, wanted)
        return call_loss(function, outputs, wanted, weighing)

    return call


def own_targets(targets: Any, dtype: str, width: int) -> Any:
    """Targets as a user's function gets them: a number for each output in the model's dtype, and
    whatever else as it is."""
    if isinstance(targets, tuple) or targets.dtype.kind not in "biuf":
        return targets
    return in_dtype(targets, dtype) if targets.shape[1:] == (width,) else targets


def call_loss(function: LossFunction, outputs: Array, *arguments: Any) -> tuple[float, Array]:
    """The loss and its gradient by the outputs, checked."""
    returned: Any = function(outputs, *arguments)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(
            f"the loss function returned {returned!r}, it must return a tuple: the loss and its "
            "gradient by the outputs"
        )
    loss, gradient = returned
    if not isinstance(loss, float):  # which NumPy's float64 is
        value = real_array("the loss", loss)
        if value.ndim:
            raise ValueError(f"the loss has shape {value.shape}, it must be one number")
        loss = value
    gradient = real_array("the gradient of the loss", gradient)
    if gradient.shape != outputs.shape:
        raise ValueError(
            f"the gradient of the loss has shape {gradient.shape}, the outputs {outputs.shape}"
        )
    return float(loss), gradient


def not_applied(why: str, epoch: int) -> FloatingPointError:
    """The error of a single step that would have done harm."""
    error = FloatingPointError(f"{why}, the step was not applied")
    error.epoch, error.batch = epoch, 0  # type: ignore[attr-defined]
    return error
