"""Optimizers as data: how a gradient g changes a parameter w. The formulas are PyTorch's, Lion's
is its paper's.

`lr` is the learning rate, at least 0. `weight_decay` is for weights and biases. That of SGD and
Adam, c, adds c * w to the gradient (L2); that of AdamW and Lion is decoupled: it moves w alone.

Constructors raise TypeError for a value of the wrong kind and ValueError for one out of range; the
message names the argument and what it must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ironmlp._arguments.spec import Spec, refusal
from ironmlp._arguments.values import choice, flag, real, reals

__all__ = ["SGD", "Adam", "AdamW", "Lion", "Optimizer"]


def __dir__() -> list[str]:
    return __all__


class Optimizer(Spec):
    """The base of all optimizers."""

    __slots__ = ()
    lr: float

    def _with_lr(self, lr: float) -> Self:
        """The same optimizer with this learning rate."""
        return self if lr == self.lr else type(self)(**{**self._arguments(), "lr": lr})


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
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self._set(
            lr=real("lr", lr, at_least=0.0),
            momentum=real("momentum", momentum, at_least=0.0),
            weight_decay=real("weight_decay", weight_decay, at_least=0.0),
            nesterov=flag("nesterov", nesterov),
        )
        if self.nesterov and self.momentum == 0.0:
            raise ValueError("momentum is 0.0, with nesterov=True it must be above 0")

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "momentum", "weight_decay")


class Adam(Optimizer):
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2, both 0 at first; at update t = 1, 2, ...:

    w = w - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps), (b1, b2) = betas in [0, 1).
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), in PyTorch's form.
    """

    __slots__ = ("lr", "betas", "eps", "weight_decay")  # noqa: RUF023
    betas: tuple[float, float]
    eps: float
    weight_decay: float

    def __init__(
        self,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self._set(**checked_adam(lr, betas, eps, weight_decay))

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "eps", "weight_decay")


class AdamW(Optimizer):
    """w = w - lr * weight_decay * w, then Adam's update, in which w has no other decay.

    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), in PyTorch's form.
    """

    __slots__ = ("lr", "betas", "eps", "weight_decay")  # noqa: RUF023
    betas: tuple[float, float]
    eps: float
    weight_decay: float

    def __init__(
        self,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        self._set(**checked_adam(lr, betas, eps, weight_decay))

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "eps", "weight_decay")


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
        lr: float = 1e-4,
        betas: Sequence[float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        self._set(
            lr=real("lr", lr, at_least=0.0),
            betas=two_betas(betas),
            weight_decay=real("weight_decay", weight_decay, at_least=0.0),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "weight_decay")


def checked_adam(
    lr: float, betas: Sequence[float], eps: float, weight_decay: float
) -> dict[str, Any]:
    """The arguments that Adam and its relatives have in common."""
    return {
        "lr": real("lr", lr, at_least=0.0),
        "betas": two_betas(betas),
        "eps": real("eps", eps, above=0.0),
        "weight_decay": real("weight_decay", weight_decay, at_least=0.0),
    }


def two_betas(betas: Sequence[float]) -> tuple[float, ...]:
    """The decays of two moments, each at least 0 and below 1."""
    pair = reals("betas", betas)
    if len(pair) != 2:
        raise ValueError(f"betas has {len(pair)} entries, it must have 2")
    return tuple(real(f"betas[{i}]", beta, below=1.0) for i, beta in enumerate(pair))


OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "lion": Lion}


def resolve_optimizer(optimizer: Any) -> Optimizer:
    """The optimizer that a string of `OPTIMIZERS` names; None is Adam(), an optimizer itself."""
    if optimizer is None:
        return Adam()
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str):
        return OPTIMIZERS[choice("optimizer", optimizer, OPTIMIZERS)]()
    raise refusal("optimizer", optimizer, Optimizer, OPTIMIZERS)
