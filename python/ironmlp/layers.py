"""Layers as data: what a network is made of. They hold no parameters and do no arithmetic.

Each layer maps a batch of rows, shape (n, in), to (n, out). The activations work element by
element, (n, k) to (n, k); in their formulas x is the input and y the output.

Constructors raise TypeError for a value of the wrong kind (a float where an integer belongs) and
ValueError for one out of range; the message names the argument and what it must be.
"""

from __future__ import annotations

from typing import Any, Literal

from ironmlp._spec import Spec, choice, flag, real, refusal, size

__all__ = [
    "ELU",
    "GELU",
    "Dropout",
    "Identity",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]

Initializer = Literal["torch_linear", "glorot_uniform", "he_normal", "zeros", "normal"]

# The names of the initial parameters' distributions; docs/random.md has the formulas.
INITIALIZERS: tuple[Initializer, ...] = (
    "torch_linear",
    "glorot_uniform",
    "he_normal",
    "zeros",
    "normal",
)

# The largest drop probability: masks use 16 random bits a unit, and one unit in 65,536 must stay.
LARGEST_DROP = 1.0 - 2.0**-16


class Layer(Spec):
    """The base of all layers."""

    __slots__ = ()


class Linear(Layer):
    """y = x W^T + b, with W of shape (out_features, in_features) and b of shape (out_features,).

    `init` names the distribution of the initial parameters; None takes the model's, which is
    "torch_linear" unless an `MLP` is told otherwise. A layer with `trainable=False` keeps its
    parameters; `lr_scale` (at least 0) multiplies the learning rate of this layer.
    """

    __slots__ = ("in_features", "out_features", "bias", "init", "trainable", "lr_scale")  # noqa: RUF023
    in_features: int
    out_features: int
    bias: bool
    init: str | None
    trainable: bool
    lr_scale: float

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: Initializer | None = None,
        trainable: bool = True,
        lr_scale: float = 1.0,
    ) -> None:
        self._set(
            in_features=size("in_features", in_features),
            out_features=size("out_features", out_features),
            bias=flag("bias", bias),
            init=None if init is None else choice("init", init, INITIALIZERS),
            trainable=flag("trainable", trainable),
            lr_scale=real("lr_scale", lr_scale, at_least=0.0),
        )


class Dropout(Layer):
    """While training, each unit is 0 with probability p, else multiplied by 1 / (1 - p).

    p is rounded to a multiple of 2**-16, and lies between 0 and 1 - 2**-16. Without training the
    layer is the identity.
    """

    __slots__ = ("p",)
    p: float

    def __init__(self, p: float = 0.5) -> None:
        self._set(p=real("p", p, at_least=0.0, at_most=LARGEST_DROP))


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


class ELU(Activation):
    """y = x for x > 0, else alpha * (exp(x) - 1) (alpha at least 0)."""

    __slots__ = ("alpha",)
    alpha: float

    def __init__(self, alpha: float = 1.0) -> None:
        self._set(alpha=real("alpha", alpha, at_least=0.0))


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


class Softplus(Activation):
    """y = log(1 + exp(beta * x)) / beta, and y = x where beta * x > threshold, as in PyTorch."""

    __slots__ = ("beta", "threshold")
    beta: float
    threshold: float

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self._set(
            beta=real("beta", beta, above=0.0),
            threshold=real("threshold", threshold, at_least=0.0),
        )


ACTIVATIONS: dict[str, type[Activation]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "logistic": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "softplus": Softplus,
}


def resolve_activation(activation: Any) -> Activation:
    """The layer that a string of `ACTIVATIONS` names; an activation layer is returned as it is."""
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        return ACTIVATIONS[choice("activation", activation, ACTIVATIONS)]()
    raise refusal("activation", activation, Activation, ACTIVATIONS)
