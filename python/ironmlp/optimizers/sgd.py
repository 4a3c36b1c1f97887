"""Stochastic gradient descent."""

from __future__ import annotations

from types import MappingProxyType
from typing import Unpack

from ironmlp._arguments.values import flag, real
from ironmlp.optimizers.base import Optimizer, Rate, rate
from ironmlp.optimizers.options import Options, checked_options


class SGD(Optimizer):
    """v = momentum * v + g; w = w - lr * v, v = 0 at first.

    With `nesterov` (which needs a momentum above 0) w = w - lr * (g + momentum * v). With
    `dampening` in [0, 1] (not together with it) v = momentum * v + (1 - dampening) * g from the
    second update on; without momentum it changes nothing.

    With `lr_in_velocity` the velocity has the learning rate in it, as in Keras and scikit-learn:
    v = momentum * v - lr * g; w = w + v, with `nesterov` w = w + momentum * v - lr * g. It is the
    same as long as `lr` is; there is no dampening, and a momentum of 0 goes with `nesterov` too.
    """

    __slots__ = ("lr", "momentum", "weight_decay", "nesterov", "dampening", "lr_in_velocity")  # noqa: RUF023
    _later = MappingProxyType({"dampening": 0.0, "lr_in_velocity": False})
    momentum: float
    weight_decay: float
    nesterov: bool
    dampening: float
    lr_in_velocity: bool

    def __init__(
        self,
        lr: Rate = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        dampening: float = 0.0,
        lr_in_velocity: bool = False,
        **options: Unpack[Options],
    ) -> None:
        self._set(
            lr=rate("lr", lr),
            momentum=real("momentum", momentum, at_least=0.0),
            weight_decay=real("weight_decay", weight_decay, at_least=0.0),
            nesterov=flag("nesterov", nesterov),
            dampening=real("dampening", dampening, at_least=0.0, at_most=1.0),
            lr_in_velocity=flag("lr_in_velocity", lr_in_velocity),
            **checked_options(self, options),
        )
        if self.nesterov and self.momentum == 0.0 and not self.lr_in_velocity:
            raise ValueError("momentum is 0.0, with nesterov=True it must be above 0")
        for name in ("nesterov", "lr_in_velocity"):
            if getattr(self, name) and self.dampening != 0.0:
                raise ValueError(f"dampening is {self.dampening}, with {name}=True it must be 0")

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "momentum", "weight_decay")
