"""Layers with weights, pools and Flatten, forward and backward."""
# Functions of one table share one signature, whether they use all of it or not.
# ruff: noqa: ARG001, ARG005

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .specs import Array, kind, spec


def linear(x: Array, W: Array, layer: Any) -> Any:
    return x @ W.T  # (n, in) @ (in, out)


def linear_backward(x: Array, W: Array, dy: Array, layer: Any) -> tuple[Any, Any]:
    return dy.T @ x, dy @ W  # dW: (out, n) @ (n, in), and dx: (n, out) @ (out, in)


def pair(value: Any) -> tuple[int, int]:
    """A size for rows and one for columns; a single number is both."""
    rows, columns = value if isinstance(value, tuple | list) else (value, value)
    return rows, columns


class Windows:
    """Where the windows of a convolution or pool lie on images (n, C, H, W), padded already.

    Output (i, j) sees the elements (i * stride + u * dilation, j * stride + v * dilation), for each
    offset (u, v) in the kernel. So the elements that one offset meets, for all outputs at once, are
    a slice of the images with steps of `stride`: a loop over the few offsets does for all places.
    """

    def __init__(self, layer: Any, height: int, width: int) -> None:
        self.kernel = pair(layer.kernel_size)
        self.stride = pair(layer.stride or layer.kernel_size)  # pools: None is the kernel's size
        self.dilation = pair(getattr(layer, "dilation", 1))
        reach = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        room = (height - reach[0], width - reach[1])
        if min(room) < 0:
            raise ValueError(f"{kind(layer)}: windows of {reach} on images of {height, width}")
        self.places = [r // s + 1 for r, s in zip(room, self.stride, strict=True)]  # H', W'

    def offsets(self) -> list[tuple[int, int]]:
        return [(u, v) for u in range(self.kernel[0]) for v in range(self.kernel[1])]

    def at(self, x: Array, u: int, v: int) -> Array:
        """What offset (u, v) meets, (n, C, H', W'): a view, so that += writes into x."""
        rows, columns = (
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, d, n, s in zip((u, v), self.dilation, self.places, self.stride, strict=True)
        )
        return x[:, :, rows, columns]


def padded(x: Array, layer: Any) -> Array:
    """Images with a border of zeros."""
    rows, columns = pair(layer.padding)
    return np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)))


def channel_groups(layer: Any) -> list[tuple[slice, slice]]:
    """The output channels and the input channels of each group."""
    o, i = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    return [(slice(g * o, g * o + o), slice(g * i, g * i + i)) for g in range(layer.groups)]


def conv2d(x: Array, W: Array, layer: Any) -> Any:
    """x (n, in, H, W) and kernels (out, in / groups, kh, kw) to (n, out, H', W')."""
    x = padded(x, layer)
    windows = Windows(layer, *x.shape[2:])
    y = np.zeros((len(x), len(W), *windows.places), x.dtype)
    for u, v in windows.offsets():
        seen = windows.at(x, u, v)
        for o, i in channel_groups(layer):
            y[:, o] += np.einsum("nihw,oi->nohw", seen[:, i], W[o, :, u, v], optimize=True)
    return y


def conv2d_backward(x: Array, W: Array, dy: Array, layer: Any) -> tuple[Any, Any]:
    """dW and dx: the products of `conv2d`, each with dy in the place of the sought factor."""
    x = padded(x, layer)
    windows = Windows(layer, *x.shape[2:])
    dW, dx = np.zeros_like(W), np.zeros_like(x)
    for u, v in windows.offsets():
        seen, dseen = windows.at(x, u, v), windows.at(dx, u, v)
        for o, i in channel_groups(layer):
            dW[o, :, u, v] = np.einsum("nohw,nihw->oi", dy[:, o], seen[:, i], optimize=True)
            dseen[:, i] += np.einsum("nohw,oi->nihw", dy[:, o], W[o, :, u, v], optimize=True)
    rows, columns = pair(layer.padding)
    return dW, dx[:, :, rows : x.shape[2] - rows, columns : x.shape[3] - columns]


def average_pool(x: Array, layer: Any) -> Any:
    windows = Windows(layer, *x.shape[2:])
    return sum(windows.at(x, u, v) for u, v in windows.offsets()) / math.prod(windows.kernel)


def average_pool_backward(x: Array, y: Array, dy: Array, layer: Any) -> Any:
    windows, dx = Windows(layer, *x.shape[2:]), np.zeros_like(x)
    for u, v in windows.offsets():
        windows.at(dx, u, v)[...] += dy / math.prod(windows.kernel)
    return dx


def max_pool(x: Array, layer: Any) -> Any:
    windows = Windows(layer, *x.shape[2:])
    y = windows.at(x, 0, 0)
    for u, v in windows.offsets():
        y = np.maximum(y, windows.at(x, u, v))
    return y


def max_pool_backward(x: Array, y: Array, dy: Array, layer: Any) -> Any:
    """dy goes to the first element of the window that has the largest value."""
    windows, dx = Windows(layer, *x.shape[2:]), np.zeros_like(x)
    open_places = np.ones(y.shape, bool)  # whose largest element has not been met yet
    for u, v in windows.offsets():
        met = open_places & (windows.at(x, u, v) == y)
        windows.at(dx, u, v)[...] += dy * met
        open_places &= ~met
    return dx


# Layers with a weight: y without the bias from x and W, then dW and dx from x, W and dy.
WEIGHTED: dict[str, tuple[Callable[[Array, Array, Any], Any], Any]] = {
    "Linear": (linear, linear_backward),
    "Conv2d": (conv2d, conv2d_backward),
}

# Layers of images without parameters: y from x, then dx from x, y and dy.
SHAPING: dict[str, tuple[Callable[[Array, Any], Any], Any]] = {
    "AvgPool2d": (average_pool, average_pool_backward),
    "MaxPool2d": (max_pool, max_pool_backward),
    "Flatten": (
        lambda x, layer: x.reshape(len(x), -1),
        lambda x, y, dy, layer: dy.reshape(x.shape),
    ),
}


def slopes_backward(x: Array, slopes: Array, dy: Array) -> Array:
    """The gradient of a PReLU's slopes: one for each feature or channel, or one for all."""
    terms = dy * np.minimum(x, 0.0)
    found: Array = terms.sum(axis=(0, *range(2, x.ndim)) if len(slopes) > 1 else None)
    return found.reshape(-1)


def nodes(layers: Any, prefix: str = "", start: int = 0) -> list[tuple[str, Any, int]]:
    """Each layer with its name and the place, in this list, of the first one within a Residual.

    The layers of a Residual come before it, and are called "k.0", "k.1" if it is "k". The place in
    this list is the number by which a layer's random numbers are drawn.
    """
    found: list[tuple[str, Any, int]] = []
    for index, layer in enumerate(map(spec, layers)):
        name, first = f"{prefix}{index}", start + len(found)
        if kind(layer) == "Residual":
            found += nodes(layer.layers, f"{name}.", first)
        found.append((name, layer, first))
    return found


def weight_shape(layer: Any) -> tuple[int, ...]:
    """(out, in) of a Linear, (out, in / groups, kh, kw) of a Conv2d; (n,) of the others."""
    if kind(layer) == "Linear":
        return layer.out_features, layer.in_features
    if hasattr(layer, "n"):
        return (layer.n,)
    if kind(layer) == "PReLU":
        return (layer.num_parameters,)
    kernel = pair(layer.kernel_size)
    return (layer.out_channels, layer.in_channels // layer.groups, *kernel)


def by_channel(values: Array, ndim: int) -> Array:
    """One value for each feature or channel, to be added to (n, out, ...)."""
    return values.reshape(-1, *[1] * (ndim - 2))
