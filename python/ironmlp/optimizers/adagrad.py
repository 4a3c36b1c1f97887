"""Adagrad: steps by gradients over the root of the sum of their squares."""

from __future__ import annotations

from typing import Unpack

from ironmlp._arguments.values import real
from ironmlp.optimizers.base import Optimizer, Rate, rate
from ironmlp.optimizers.options import Options, checked_options


class Adagrad(Optimizer):
    """v = v + g^2; w = w - lr / (1 + (t - 1) lr_decay) * g / (sqrt(v) + eps), v = 0 at first, at
    update t = 1, 2, ...

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization" (2011), in PyTorch's form.
    """

    __slots__ = ("lr", "lr_decay", "weight_decay", "eps")  # noqa: RUF023
    lr_decay: float
    weight_decay: float
    eps: float

    def __init__(
        self,
        lr: Rate = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        eps: float = 1e-10,
        **options: Unpack[Options],
    ) -> None:
        self._set(
            lr=rate("lr", lr),
            lr_decay=real("lr_decay", lr_decay, at_least=0.0),
            weight_decay=real("weight_decay", weight_decay, at_least=0.0),
            eps=real("eps", eps, above=0.0),
            **checked_options(self, options),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "weight_decay", "eps")
