"""What each layer makes of one sample, and in how many multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ironmlp._arguments.arrays import plural
from ironmlp._arguments.values import size
from ironmlp._engine.network import in_features, nodes
from ironmlp.layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    MaxPool2d,
)

# Of a row (n,), of an image (C, H, W); None for a size that is not known.
Shape = tuple[int | None, ...]


class Made(NamedTuple):
    """A layer, the shape of what it gives, and its multiply-adds, None if they are not known."""

    name: str
    layer: Layer
    shape: Shape
    multiply_adds: int | None


def input_shape(
    layers: tuple[Layer, ...], columns: int | None, given: Any, channels_last: bool
) -> Shape:
    """The shape of a sample of a network that takes rows of so many `columns`, or images (None).

    Without one that is `given`, the pixels of images are not known.
    """
    if given is None:
        if columns is not None:
            return (columns,)
        return (next(filter(None, map(channels, layers)), None), None, None)
    entries = given if isinstance(given, tuple | list) else (given,)
    shape = tuple(size("input_shape", entry) for entry in entries)
    if columns is not None:
        takes = math.prod(shape) if isinstance(layers[0], Flatten) else shape
        if takes not in (columns, (columns,)):
            raise ValueError(
                f"input_shape is {shape}, the network takes rows of {plural(columns, 'column')}"
            )
        return (columns,)
    if len(shape) != 3:
        order = "(H, W, C)" if channels_last else "(C, H, W)"
        raise ValueError(f"input_shape is {shape}, it must be {order}, that of one image")
    return (shape[2], *shape[:2]) if channels_last else shape


def made(layers: tuple[Layer, ...], shape: Shape) -> Iterator[Made]:
    """All layers in the order of computation.

    A multiply-add is a product of a weight and an input that is added to a sum, those with padding
    included. Only `Linear` and `Conv2d` have any; biases are not counted.

    ValueError for images that do not fit.
    """
    listed = list(nodes(layers))
    for place, (name, layer) in enumerate(listed):
        work: int | None = 0
        if isinstance(layer, Linear | LayerNorm | BatchNorm1d):
            takes = in_features(layer)
            if shape not in ((takes,), (None,)):
                raise ValueError(
                    f"input_shape does not fit: layer {name} takes {plural(takes or 0, 'feature')},"
                    f" gets {shape[0]}"
                )
            if isinstance(layer, Linear):
                work = layer.in_features * layer.out_features
                shape = (layer.out_features,)
        elif isinstance(layer, Conv2d | BatchNorm2d):
            takes = channels(layer)
            if shape[0] not in (takes, None):
                raise ValueError(
                    f"input_shape does not fit: layer {name} takes {plural(takes or 0, 'channel')},"
                    f" gets {shape[0]}"
                )
            if isinstance(layer, BatchNorm2d):
                yield Made(name, layer, (takes, *shape[1:]), work)
                continue
            shape = (layer.out_channels, *pixels(name, layer, shape))
            taps = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
            outputs = product(shape)
            work = None if outputs is None else outputs * taps
        elif isinstance(layer, AvgPool2d | MaxPool2d):
            shape = (shape[0], *pixels(name, layer, shape))
        elif isinstance(layer, Flatten):
            after = (in_features(later) for _, later in listed[place:])
            shape = (product(shape) or next(filter(None, after), None),)
        yield Made(name, layer, shape, work)


def channels(layer: Layer) -> int | None:
    """The channels of the images that a layer takes, if it takes no others."""
    if isinstance(layer, Conv2d):
        return layer.in_channels
    return layer.n if isinstance(layer, BatchNorm2d) else None


def pixels(name: str, layer: Conv2d | AvgPool2d | MaxPool2d, shape: Shape) -> Iterator[int | None]:
    """The height and width of what a convolution or pool gives."""
    padding, dilation = (0, 0), (1, 1)
    if isinstance(layer, Conv2d):
        padding, dilation = layer.padding, layer.dilation
    for axis, pixel in enumerate(shape[1:]):
        if pixel is None:
            yield None
            continue
        room = pixel + 2 * padding[axis]
        reach = dilation[axis] * (layer.kernel_size[axis] - 1) + 1
        if reach > room:
            raise ValueError(
                f"input_shape does not fit: the kernel of layer {name} is larger than its input of "
                f"{shape[1]} x {shape[2]}"
            )
        yield (room - reach) // layer.stride[axis] + 1


def product(shape: Shape) -> int | None:
    """The numbers of a sample of this shape."""
    return None if None in shape else math.prod(size for size in shape if size is not None)
