"""Layers as data: what a network is made of. They hold no parameters and do no arithmetic.

`Linear` maps a batch of rows, shape (n, in), to (n, out); `Conv2d` and the pools map a batch of
images, (n, C, H, W), and `Flatten` makes rows of them. The activations and `Dropout` work element
by element on either. `LayerNorm` works on rows, and `Residual` goes around layers that do. In their
formulas x is the input and y the output.

Constructors raise TypeError for a value of the wrong kind (a float where an integer belongs) and
ValueError for one out of range; the message names the argument and what it must be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ironmlp._arguments.spec import Spec, refusal
from ironmlp._arguments.values import choice, flag, pair, real, size

__all__ = [
    "ELU",
    "GELU",
    "AvgPool2d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "Identity",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Mish",
    "ReLU",
    "Residual",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]


def __dir__() -> list[str]:
    return __all__


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

# How deep one Residual may be in another: what goes through them calls itself.
DEEPEST = 32


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

    def _rounded(self) -> tuple[str, ...]:
        return ("lr_scale",)


class Conv2d(Layer):
    """Each output channel is a sum of cross-correlations of input channels with small kernels.

    y[o, i, j] = b[o] + sum over c, u, v of W[o, c, u, v] * x[c, i * stride + u * dilation -
    padding, j * stride + v * dilation - padding], where x outside the image counts as 0; PyTorch's
    definition. Images (n, in_channels, H, W) become (n, out_channels, H', W') with
    H' = (H + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1, and W' likewise.

    `kernel_size`, `stride`, `padding` and `dilation` are numbers or pairs (for rows, for columns),
    and are kept as pairs. `groups` divides both numbers of channels: outputs of a group see its
    in_channels / groups inputs alone. W is (out_channels, in_channels / groups, *kernel_size), b is
    (out_channels,). `init`, `trainable` and `lr_scale` are as in `Linear`; the number of inputs of
    one output is in_channels / groups * the kernel's size.
    """

    __slots__ = (  # noqa: RUF023
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
        "init",
        "trainable",
        "lr_scale",
    )
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    bias: bool
    init: str | None
    trainable: bool
    lr_scale: float

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        init: Initializer | None = None,
        trainable: bool = True,
        lr_scale: float = 1.0,
    ) -> None:
        self._set(
            in_channels=size("in_channels", in_channels),
            out_channels=size("out_channels", out_channels),
            kernel_size=pair("kernel_size", kernel_size),
            stride=pair("stride", stride),
            padding=pair("padding", padding, at_least=0),
            dilation=pair("dilation", dilation),
            groups=size("groups", groups),
            bias=flag("bias", bias),
            init=None if init is None else choice("init", init, INITIALIZERS),
            trainable=flag("trainable", trainable),
            lr_scale=real("lr_scale", lr_scale, at_least=0.0),
        )
        for name in ("in_channels", "out_channels"):
            channels = getattr(self, name)
            if channels % self.groups:
                raise ValueError(f"{name} is {channels}, groups ({self.groups}) must divide it")

    def _rounded(self) -> tuple[str, ...]:
        return ("lr_scale",)


class _Pool(Layer):
    """The base of the pools, which name the arguments: a spec reads its own class's slots."""

    __slots__ = ()
    kernel_size: tuple[int, int]
    stride: tuple[int, int]

    def __init__(
        self, kernel_size: int | tuple[int, int], stride: int | tuple[int, int] | None = None
    ) -> None:
        self._set(
            kernel_size=pair("kernel_size", kernel_size),
            stride=pair("stride", kernel_size if stride is None else stride),
        )


class AvgPool2d(_Pool):
    """The mean of each window of `kernel_size`, windows `stride` apart (None: `kernel_size`).

    Both are numbers or pairs (for rows, for columns). Images (n, C, H, W) become (n, C, H', W')
    with H' = (H - kernel_size) // stride + 1; what is left at the border belongs to no window.
    """

    __slots__ = ("kernel_size", "stride")


class MaxPool2d(_Pool):
    """The largest value of each window; sizes as in `AvgPool2d`.

    The gradient goes to the first of equal values, row by row.
    """

    __slots__ = ("kernel_size", "stride")


class Flatten(Layer):
    """Images (n, C, H, W) become rows (n, C * H * W)."""

    __slots__ = ()


class Dropout(Layer):
    """While training, each unit is 0 with probability p, else multiplied by 1 / (1 - p).

    p is rounded to a multiple of 2**-16, and lies between 0 and 1 - 2**-16. Without training the
    layer is the identity.
    """

    __slots__ = ("p",)
    p: float

    def __init__(self, p: float = 0.5) -> None:
        self._set(p=real("p", p, at_least=0.0, at_most=LARGEST_DROP))


class LayerNorm(Layer):
    """y = w * (x - mean) / sqrt(variance + eps) + b over the n features of each row.

    Rows (n_rows, n) stay of that shape. The variance is divided by n; w and b have shape (n,) and
    begin as 1 and 0; without `affine` there are none. eps is at least 0. `trainable` and `lr_scale`
    are as in `Linear`. Ba, Kiros and Hinton, 2016; PyTorch's definition.
    """

    __slots__ = ("n", "eps", "affine", "trainable", "lr_scale")  # noqa: RUF023
    n: int
    eps: float
    affine: bool
    trainable: bool
    lr_scale: float

    def __init__(
        self,
        n: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        trainable: bool = True,
        lr_scale: float = 1.0,
    ) -> None:
        self._set(
            n=size("n", n),
            eps=real("eps", eps, at_least=0.0),
            affine=flag("affine", affine),
            trainable=flag("trainable", trainable),
            lr_scale=real("lr_scale", lr_scale, at_least=0.0),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr_scale",)


class Residual(Layer):
    """y = x + what the layers make of x, one after the other (He and others, 2016).

    Rows (n_rows, n) stay of that shape: the layers give as many features as they take. They may be
    any but those of images, also others of this kind, up to 32 deep. Within a network the layers of
    a `Residual` at place k are called "k.0", "k.1" and so on.
    """

    __slots__ = ("layers",)
    layers: tuple[Layer, ...]

    def __init__(self, layers: Iterable[Layer]) -> None:
        listed = layer_list(layers)
        if not listed:
            raise ValueError("layers has 0 layers, a Residual needs at least one")
        self._set(layers=listed)
        if self._depth() > DEEPEST:
            raise ValueError(f"layers nest deeper than {DEEPEST} times, a Residual allows no more")

    def _depth(self) -> int:
        within = (layer._depth() for layer in self.layers if isinstance(layer, Residual))
        return 1 + max(within, default=0)


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
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "mish": Mish,
    "softplus": Softplus,
}


def resolve_activation(activation: Any) -> Activation:
    """The layer that a string of `ACTIVATIONS` names; an activation layer is returned as it is."""
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        return ACTIVATIONS[choice("activation", activation, ACTIVATIONS)]()
    raise refusal("activation", activation, Activation, ACTIVATIONS)


def layer_list(layers: Any) -> tuple[Layer, ...]:
    """The layers of a network or a Residual; TypeError for what is no sequence of them."""
    if isinstance(layers, str | Layer) or not isinstance(layers, Iterable):
        raise TypeError(
            f"layers is {layers!r} ({type(layers).__name__}), it must be a sequence of layers"
        )
    listed = tuple(layers)
    for index, layer in enumerate(listed):
        if isinstance(layer, str):
            raise TypeError(f"layers[{index}] is {layer!r}, layers are no names{written(layer)}")
        if not isinstance(layer, Layer):
            raise refusal(f"layers[{index}]", layer, Layer, ())
    return listed


def written(name: str) -> str:
    """The end of a message: how the layer is written that a name stands for."""
    from ironmlp._arguments import foreign  # which only errors need

    known = foreign.string("activation", name, ACTIVATIONS)
    return f": write im.{ACTIVATIONS[known].__name__}()" if known else ""
