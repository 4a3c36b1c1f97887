"""Lion: steps by the sign of a mean of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from ironmlp._arguments.values import real
from ironmlp.optimizers.base import Optimizer, Rate, rate, two_betas
from ironmlp.optimizers.options import Options, checked_options


class Lion(Optimizer):
    """w = w - lr * (sign(b1 m + (1 - b1) g) + weight_decay * w), then m = b2 m + (1 - b2) g.

    m is 0 at first, (b1, b2) = betas in [0, 1), the sign of 0 is 0. Steps are larger than Adam's
    with the same `lr`: take a third to a tenth of it, and as much more of `weight_decay`.
    Chen and others, "Symbolic discovery of optimization algorithms" (2023).
    """

    __slots__ = ("lr", "betas", "weight_decay")  # noqa: RUF023
    betas: tuple[float, float]
    weight_decay: float

    def __init__(
        self,
        lr: Rate = 1e-4,
        betas: Sequence[float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        self._set(
            lr=rate("lr", lr),
            betas=two_betas(betas),
            weight_decay=real("weight_decay", weight_decay, at_least=0.0),
            **checked_options(self, options),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "weight_decay")
