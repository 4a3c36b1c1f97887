"""Elementwise functions, and the strings that stand for them."""

from __future__ import annotations

from typing import Any, Literal

from ironmlp._arguments.spec import refusal
from ironmlp._arguments.values import choice, flag, real, size
from ironmlp.layers.base import Layer


class Activation(Layer):
    """The base of the element-by-element layers."""

    __slots__ = ()


class Identity(Activation):
    """y = x"""

    __slots__ = ()


class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x)), the logistic function."""

    __slots__ = ()


class Tanh(Activation):
    """y = tanh(x)"""

    __slots__ = ()


class ReLU(Activation):
    """y = max(0, x); NaN stays NaN."""

    __slots__ = ()


class LeakyReLU(Activation):
    """y = x for x > 0, else negative_slope * x (negative_slope at least 0)."""

    __slots__ = ("negative_slope",)
    negative_slope: float

    def __init__(self, negative_slope: float = 0.01) -> None:
        self._set(negative_slope=real("negative_slope", negative_slope, at_least=0.0))

    def _rounded(self) -> tuple[str, ...]:
        return ("negative_slope",)


class ELU(Activation):
    """y = x for x > 0, else alpha * (exp(x) - 1) (alpha at least 0)."""

    __slots__ = ("alpha",)
    alpha: float

    def __init__(self, alpha: float = 1.0) -> None:
        self._set(alpha=real("alpha", alpha, at_least=0.0))

    def _rounded(self) -> tuple[str, ...]:
        return ("alpha",)


class SELU(Activation):
    """y = 1.0507... * x for x > 0, else 1.0507... * 1.6732... * (exp(x) - 1).

    With these two numbers of Klambauer and others, 2017, activations keep mean 0 and variance 1
    from layer to layer. PyTorch's definition.
    """

    __slots__ = ()


class GELU(Activation):
    """y = x * Phi(x), Phi the normal distribution function: (1 + erf(x / sqrt(2))) / 2.

    approximate="tanh" takes (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 for Phi. Both forms
    are PyTorch's.
    """

    __slots__ = ("approximate",)
    approximate: str

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self._set(approximate=choice("approximate", approximate, ("none", "tanh")))


class SiLU(Activation):
    """y = x / (1 + exp(-x)), also called swish."""

    __slots__ = ()


class Mish(Activation):
    """y = x * tanh(log(1 + exp(x))), as in PyTorch (Misra 2019), to 3 units in the last place."""

    __slots__ = ()


class Hardswish(Activation):
    """y = x * max(0, min(x + 3, 6)) / 6, as in PyTorch (Howard and others, 2019)."""

    __slots__ = ()


class PReLU(Activation):
    """y = x for x > 0, else w * x, with slopes w that are trained (He and others, 2015).

    w has shape (num_parameters,) and begins as `init`: one slope for all features, or one for each
    of the rows' features, (n_rows, num_parameters), or of the images' channels,
    (n, num_parameters, H, W). `trainable` and `lr_scale` are as in `Linear`. PyTorch's definition,
    in which weight decay draws slopes to 0 as it does weights.
    """

    __slots__ = ("num_parameters", "init", "trainable", "lr_scale")  # noqa: RUF023
    num_parameters: int
    init: float
    trainable: bool
    lr_scale: float

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        *,
        trainable: bool = True,
        lr_scale: float = 1.0,
    ) -> None:
        self._set(
            num_parameters=size("num_parameters", num_parameters),
            init=real("init", init),
            trainable=flag("trainable", trainable),
            lr_scale=real("lr_scale", lr_scale, at_least=0.0),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("init", "lr_scale")


class Softplus(Activation):
    """y = log(1 + exp(beta * x)) / beta, and y = x where beta * x > threshold, as in PyTorch."""

    __slots__ = ("beta", "threshold")
    _positive = ("beta",)
    beta: float
    threshold: float

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self._set(
            beta=real("beta", beta, above=0.0),
            threshold=real("threshold", threshold, at_least=0.0),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("beta", "threshold")


ACTIVATIONS: dict[str, type[Activation]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "logistic": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "prelu": PReLU,
    "elu": ELU,
    "selu": SELU,
    "gelu": GELU,
    "silu": SiLU,
    "mish": Mish,
    "hardswish": Hardswish,
    "softplus": Softplus,
}


def resolve_activation(activation: Any) -> Activation:
    """The layer that a string of `ACTIVATIONS` names; an activation layer is returned as it is."""
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        return ACTIVATIONS[choice("activation", activation, ACTIVATIONS)]()
    raise refusal("activation", activation, Activation, ACTIVATIONS)
