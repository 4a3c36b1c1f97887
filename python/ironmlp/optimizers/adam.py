"""Adam and its relatives: steps by the mean of gradients and of their squares."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Unpack

from ironmlp._arguments.values import flag, real
from ironmlp.optimizers.base import Optimizer, Rate, rate, two_betas
from ironmlp.optimizers.options import Options, checked_options


class Adam(Optimizer):
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2, both 0 at first; at update t = 1, 2, ...:

    w = w - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps), (b1, b2) = betas in [0, 1).
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), in PyTorch's form. With
    `amsgrad` the largest v so far stands in the place of v: Reddi and others, "On the convergence
    of Adam and beyond" (2018). With `eps_hat` eps is the epsilon hat of Kingma and Ba's section 2,
    as in Keras and scikit-learn: w = w - lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps).
    """

    __slots__ = ("lr", "betas", "eps", "weight_decay", "amsgrad", "eps_hat")  # noqa: RUF023
    _later = MappingProxyType({"amsgrad": False, "eps_hat": False})
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool
    eps_hat: bool

    def __init__(
        self,
        lr: Rate = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        amsgrad: bool = False,
        eps_hat: bool = False,
        **options: Unpack[Options],
    ) -> None:
        self._set(
            **checked_adam(lr, betas, eps, weight_decay),
            amsgrad=flag("amsgrad", amsgrad),
            eps_hat=flag("eps_hat", eps_hat),
            **checked_options(self, options),
        )

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
        lr: Rate = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        **options: Unpack[Options],
    ) -> None:
        self._set(**checked_adam(lr, betas, eps, weight_decay), **checked_options(self, options))

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "eps", "weight_decay")


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: m and v as Adam's, and at update t = 1, 2, ...

    w = w - lr * (h' / (1 - p h') * m + (1 - h) / (1 - p) * g) / (sqrt(v) / sqrt(1 - b2^t) + eps)

    with h = b1 (1 - 0.96^(t momentum_decay) / 2), h' that of update t + 1, and p the product of
    all h up to this one. Dozat, "Incorporating Nesterov momentum into Adam" (2016), in PyTorch's
    form.
    """

    __slots__ = ("lr", "betas", "eps", "weight_decay", "momentum_decay")  # noqa: RUF023
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    momentum_decay: float

    def __init__(
        self,
        lr: Rate = 2e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        **options: Unpack[Options],
    ) -> None:
        self._set(
            **checked_adam(lr, betas, eps, weight_decay),
            momentum_decay=real("momentum_decay", momentum_decay, at_least=0.0),
            **checked_options(self, options),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "eps", "weight_decay")


class RAdam(Optimizer):
    """Adam with rectified steps: m and v as Adam's, and at update t = 1, 2, ...

    w = w - lr / (1 - b1^t) * m, until k = n - 2 t b2^t / (1 - b2^t) is above 5, then
    w = w - lr / (1 - b1^t) * m * r * sqrt(1 - b2^t) / (sqrt(v) + eps)

    with n = 2 / (1 - b2) - 1 and r = sqrt((k - 4) (k - 2) n / ((n - 4) (n - 2) k)). Liu and others,
    "On the variance of the adaptive learning rate and beyond" (2020), in PyTorch's form.
    """

    __slots__ = ("lr", "betas", "eps", "weight_decay")  # noqa: RUF023
    betas: tuple[float, float]
    eps: float
    weight_decay: float

    def __init__(
        self,
        lr: Rate = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        self._set(**checked_adam(lr, betas, eps, weight_decay), **checked_options(self, options))

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "eps", "weight_decay")


def checked_adam(
    lr: Rate, betas: Sequence[float], eps: float, weight_decay: float
) -> dict[str, Any]:
    """The arguments that Adam and its relatives have in common."""
    return {
        "lr": rate("lr", lr),
        "betas": two_betas(betas),
        "eps": real("eps", eps, above=0.0),
        "weight_decay": real("weight_decay", weight_decay, at_least=0.0),
    }
