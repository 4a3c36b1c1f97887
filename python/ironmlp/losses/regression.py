"""Losses of the difference of an output and its target."""

from __future__ import annotations

from ironmlp._arguments.values import choice, real
from ironmlp.losses.base import REDUCTIONS, Loss, Reduction


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
