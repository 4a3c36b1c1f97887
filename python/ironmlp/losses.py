"""Losses as data. Each compares the network's output, shape (n, K), with the targets.

`reduction` is "mean" or "sum". "mean" divides by the sum of the sample weights (without them: the
rows) times K; `CrossEntropy` by the sum over the rows of sample weight times class weight. If every
row is ignored or has weight 0, the loss and its gradient are 0.

A loss function of your own is f(outputs, y[rows]) -> (loss, dloss / doutputs), for each batch: the
outputs (n, K) in the model's dtype, the batch's rows of y, one number, and an array (n, K). With
`sample_weight` it is f(outputs, y[rows], weight[rows]), weights (n,) in float64, and does its own
weighting. y is any array of n rows, objects and records too, or a tuple of such arrays, as
(action, advantage), of which f gets a tuple. Numbers of shape (n,) for one output, or (n, K), come
as (n, K) in the model's dtype, everything else as it is. f may read the model (`forward`,
`predict`, `state_dict`, ...); what changes it raises RuntimeError.

Constructors raise TypeError for a value of the wrong kind and ValueError for one out of range; the
message names the argument and what it must be.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ironmlp._arguments.spec import Spec, refusal
from ironmlp._arguments.values import choice, flag, index, real, reals

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MAE", "MSE", "BinaryCrossEntropy", "CrossEntropy", "Huber", "LogCosh", "Loss"]


def __dir__() -> list[str]:
    return __all__


Reduction = Literal["mean", "sum"]
REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum")


class Loss(Spec):
    """The base of all losses."""

    __slots__ = ()
    reduction: str


class BinaryCrossEntropy(Loss):
    """-(q t log p + (1 - t) log(1 - p)) for targets t in [0, 1] and probabilities p, (n, K).

    With `from_logits` (the default) the network's output is the logit x, p = sigmoid(x), and value
    and gradient come from x directly: finite for every finite x, and right to the last digits where
    p rounds to 1. With `from_logits=False` the output is p itself, both logarithms are at least
    -100, and the network ends in `Sigmoid`.

    `pos_weight` is q: one number, or one for each of the K outputs; it needs `from_logits`. With
    one output and two labels it weighs `model.classes_[1]`, the label that sorts second: "yes" of
    "no" and "yes", but also "sound" of "cracked" and "sound". `fit(classes=["sound", "cracked"])`
    puts them in another order.
    """

    __slots__ = ("from_logits", "pos_weight", "reduction")
    from_logits: bool
    pos_weight: float | tuple[float, ...] | None

    def __init__(
        self,
        *,
        from_logits: bool = True,
        pos_weight: float | Sequence[float] | np.ndarray[Any, Any] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        weight: float | tuple[float, ...] | None
        if pos_weight is None:
            weight = None
        elif isinstance(pos_weight, numbers.Real):
            weight = real("pos_weight", pos_weight, at_least=0.0)
        else:
            weight = reals("pos_weight", pos_weight)
        logits = flag("from_logits", from_logits)
        if weight is not None and not logits:
            raise ValueError(
                f"pos_weight is {pos_weight!r}, with from_logits=False it must be None"
            )
        self._set(
            from_logits=logits,
            pos_weight=weight,
            reduction=choice("reduction", reduction, REDUCTIONS),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("pos_weight",)


class CrossEntropy(Loss):
    """-log softmax(x)[t] for logits x, (n, K), and classes t: indices (n,) or probabilities (n, K).

    `class_weight` holds K numbers. `label_smoothing` s in [0, 1] mixes each target with the uniform
    distribution: (1 - s) t + s / K. Rows whose index is `ignore_index` count for nothing. All three
    work as in PyTorch, weights and smoothing together too.
    """

    __slots__ = ("class_weight", "label_smoothing", "ignore_index", "reduction")  # noqa: RUF023
    class_weight: tuple[float, ...] | None
    label_smoothing: float
    ignore_index: int | None

    def __init__(
        self,
        *,
        class_weight: Sequence[float] | np.ndarray[Any, Any] | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        if ignore_index is not None:
            ignore_index = index("ignore_index", ignore_index)
        self._set(
            class_weight=None if class_weight is None else reals("class_weight", class_weight),
            label_smoothing=real("label_smoothing", label_smoothing, at_least=0.0, at_most=1.0),
            ignore_index=ignore_index,
            reduction=choice("reduction", reduction, REDUCTIONS),
        )

    def _rounded(self) -> tuple[str, ...]:
        # Under "mean" they are divided by their sum before they are rounded.
        return ("class_weight",) if self.reduction == "sum" else ()


class MSE(Loss):
    """(y - t)^2, without a factor 1/2."""

    __slots__ = ("reduction",)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self._set(reduction=choice("reduction", reduction, REDUCTIONS))


class MAE(Loss):
    """|y - t|; its derivative at 0 is 0."""

    __slots__ = ("reduction",)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self._set(reduction=choice("reduction", reduction, REDUCTIONS))


class Huber(Loss):
    """(y - t)^2 / 2 where |y - t| <= delta, else delta * (|y - t| - delta / 2), as in PyTorch."""

    __slots__ = ("delta", "reduction")
    _positive = ("delta",)
    delta: float

    def __init__(self, delta: float = 1.0, *, reduction: Reduction = "mean") -> None:
        self._set(
            delta=real("delta", delta, above=0.0),
            reduction=choice("reduction", reduction, REDUCTIONS),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("delta",)


class LogCosh(Loss):
    """log(cosh(y - t)), with the derivative tanh(y - t): as MSE / 2 near 0, as MAE far from it.

    It neither overflows nor cancels, at |y - t| of 1e-18 no more than at 1e30.
    """

    __slots__ = ("reduction",)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self._set(reduction=choice("reduction", reduction, REDUCTIONS))


LOSSES: dict[str, type[Loss]] = {
    "binary_cross_entropy": BinaryCrossEntropy,
    "cross_entropy": CrossEntropy,
    "mse": MSE,
    "mae": MAE,
    "huber": Huber,
    "log_cosh": LogCosh,
}

# A loss of the user's own, as the module says.
LossFunction = Callable[..., tuple[float, Any]]


def resolve_loss(loss: Any) -> Loss | LossFunction:
    """The loss that a string of `LOSSES` names; a loss or a function is returned as it is."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        return LOSSES[choice("loss", loss, LOSSES)]()
    if callable(loss) and not (isinstance(loss, type) and issubclass(loss, Loss)):
        function: LossFunction = loss
        return function
    raise refusal("loss", loss, Loss, LOSSES)
