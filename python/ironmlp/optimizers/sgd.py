"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Unpack

from ironmlp._arguments.values import flag, real
from ironmlp.optimizers.base import Optimizer, Rate, rate
from ironmlp.optimizers.options import Options, checked_options


class SGD(Optimizer):
    """v = momentum * v + g; w = w - lr * v, v = 0 at first.

    With `nesterov` (which needs a momentum above 0) w = w - lr * (g + momentum * v).
    """

    __slots__ = ("lr", "momentum", "weight_decay", "nesterov")  # noqa: RUF023
    momentum: float
    weight_decay: float
    nesterov: bool

    def __init__(
        self,
        lr: Rate = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[Options],
    ) -> None:
        self._set(
            lr=rate("lr", lr),
            momentum=real("momentum", momentum, at_least=0.0),
            weight_decay=real("weight_decay", weight_decay, at_least=0.0),
            nesterov=flag("nesterov", nesterov),
            **checked_options(self, options),
        )
        if self.nesterov and self.momentum == 0.0:
            raise ValueError("momentum is 0.0, with nesterov=True it must be above 0")

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "momentum", "weight_decay")
