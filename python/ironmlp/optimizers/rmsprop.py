"""RMSprop: steps by gradients over the root of their mean square."""

from __future__ import annotations

from typing import Unpack

from ironmlp._arguments.values import flag, real
from ironmlp.optimizers.base import Optimizer, Rate, rate
from ironmlp.optimizers.options import Options, checked_options


class RMSprop(Optimizer):
    """v = alpha v + (1 - alpha) g^2; w = w - lr * g / (sqrt(v) + eps), v = 0 at first.

    With `centered` the root is that of max(v - a^2, 0), a = alpha a + (1 - alpha) g. With
    `momentum` m = momentum * m + g / (sqrt(v) + eps); w = w - lr * m. alpha is in [0, 1).
    Tieleman and Hinton, "Lecture 6.5: RMSProp" (2012); centered: Graves, "Generating sequences
    with recurrent neural networks" (2013); in PyTorch's form.
    """

    __slots__ = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered")  # noqa: RUF023
    alpha: float
    eps: float
    weight_decay: float
    momentum: float
    centered: bool

    def __init__(
        self,
        lr: Rate = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        **options: Unpack[Options],
    ) -> None:
        self._set(
            lr=rate("lr", lr),
            alpha=real("alpha", alpha, at_least=0.0, below=1.0),
            eps=real("eps", eps, above=0.0),
            weight_decay=real("weight_decay", weight_decay, at_least=0.0),
            momentum=real("momentum", momentum, at_least=0.0),
            centered=flag("centered", centered),
            **checked_options(self, options),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "eps", "weight_decay", "momentum")
