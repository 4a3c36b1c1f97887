"""Layers of images, and the way from images to rows."""

from __future__ import annotations

from ironmlp._arguments.values import choice, flag, pair, real, size
from ironmlp.layers.base import INITIALIZERS, Initializer, Layer


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
