"""LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998, "Gradient-based learning applied to document
recognition") as a ready `Sequential`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ironmlp._arguments.values import integer, size
from ironmlp.layers import AvgPool2d, Conv2d, Flatten, Linear
from ironmlp.layers.activations import Activation, resolve_activation
from ironmlp.losses import Loss, LossFunction
from ironmlp.model import Sequential

__all__ = ["LeNet5"]


def __dir__() -> list[str]:
    return __all__


EXAMPLE = "LeNet5((1, 28, 28), 10)"


def LeNet5(  # noqa: N802
    input_shape: tuple[int, int, int] = (1, 28, 28),
    n_classes: int = 10,
    *,
    activation: str | Activation = "sigmoid",
    padding: int = 2,
    loss: str | Loss | LossFunction = "cross_entropy",
    **settings: Any,
) -> Sequential:
    """Two convolutions of 5 x 5, each with an average pool of 2 x 2, and three `Linear` layers.

    `input_shape` is one image's (C, H, W), or (H, W, C) with `channels_last=True`; `n_classes` are
    the outputs, one for each class. The layers have 6 and 16 channels, then 120, 84 and `n_classes`
    units, with `activation` after each but the last. The first convolution has `padding` pixels at
    each border: 2 is the common form, for 28 x 28; 0 with "tanh" is the original's, for 32 x 32.
    The default "sigmoid" is the common form's too, and learns slowly: on `datasets.digit_images`
    with SGD it takes some hundred epochs to begin, where "relu" needs a few.
    `settings` are the other keywords of `Sequential`: optimizer, dtype, seed, n_threads, scale,
    channels_last, standardize, standardize_y.

    TypeError for an `input_shape` that is no shape, ValueError for images of which nothing is left
    after the second pool.
    """
    if isinstance(input_shape, str) or not isinstance(input_shape, Iterable):
        raise TypeError(f"input_shape is {input_shape!r}, it must be a shape: {EXAMPLE}")
    shape = tuple(size("input_shape", entry) for entry in input_shape)
    if len(shape) != 3:
        raise ValueError(
            f"input_shape is {shape}, it must have 3 entries, channels and pixels: {EXAMPLE}"
        )
    padding = integer("padding", padding)
    if padding < 0:
        raise ValueError(f"padding is {padding}, it must be at least 0")
    channels, *pixels = (*shape[2:], *shape[:2]) if settings.get("channels_last") else shape
    # After a convolution of 5 x 5 and a pool of 2 x 2, twice.
    height, width = (((n + 2 * padding - 4) // 2 - 4) // 2 for n in pixels)
    if height < 1 or width < 1:
        raise ValueError(
            f"input_shape is {shape} with padding {padding}: nothing is left after the second pool"
        )
    between = resolve_activation(activation)
    layers = [
        *(Conv2d(channels, 6, 5, padding=padding), between, AvgPool2d(2)),
        *(Conv2d(6, 16, 5), between, AvgPool2d(2)),
        Flatten(),
        *(Linear(16 * height * width, 120), between),
        *(Linear(120, 84), between),
        Linear(84, size("n_classes", n_classes)),
    ]
    return Sequential(layers, loss=loss, **settings)
