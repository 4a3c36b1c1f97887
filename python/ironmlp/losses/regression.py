"""Losses of the difference of an output and its target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ironmlp._arguments.values import choice, real, reals
from ironmlp.losses.base import REDUCTIONS, Loss, Reduction

if TYPE_CHECKING:
    import numpy as np


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


class Quantile(Loss):
    """The pinball loss of K quantiles q of one number: (1 - q) (y - t) where y > t, else
    q (t - y); its derivative at y = t is 0.

    `quantiles` are numbers between 0 and 1, one for each output, in any order: `Quantile([0.05,
    0.5, 0.95])` of a network with three outputs. y is (n,), `predict` gives (n, K); with
    `sort=True` each row is sorted, so that no quantile crosses another (Chernozhukov, Fernández-Val
    and Galichon 2010). "mean" is over rows and quantiles. Metrics of numbers take the quantile
    nearest to 1/2, of two the first.

    Source of the formula: Koenker and Bassett 1978.
    """

    __slots__ = ("quantiles", "reduction")
    quantiles: tuple[float, ...]

    def __init__(
        self,
        quantiles: Sequence[float] | np.ndarray[Any, Any],
        *,
        reduction: Reduction = "mean",
    ) -> None:
        levels = reals("quantiles", quantiles, above=0.0, below=1.0)
        if len(set(levels)) < len(levels):
            raise ValueError(f"quantiles is {quantiles!r}, they must be different")
        self._set(quantiles=levels, reduction=choice("reduction", reduction, REDUCTIONS))
