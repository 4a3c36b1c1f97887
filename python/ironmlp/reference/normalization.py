"""Layers that give features the same mean and variance, forward and backward."""

from typing import Any

import numpy as np

from .layers import by_channel
from .specs import Array, kind

# Those whose means are over the rows of a batch, in training, and of past batches otherwise.
OVER_BATCHES = ("BatchNorm1d", "BatchNorm2d")
NORMS = ("LayerNorm", *OVER_BATCHES)


def axes(layer: Any, x: Array) -> tuple[int, ...]:
    """What means are taken over: the features of each row, or rows (and pixels) of each channel."""
    return (0, *range(2, x.ndim)) if kind(layer) in OVER_BATCHES else (1,)


def statistics(x: Array, layer: Any) -> tuple[Array, Array]:
    """Mean and variance of x, in float64, with axes of length 1 for those that are gone."""
    wide, over = x.astype(np.float64), axes(layer, x)
    mean = wide.mean(axis=over, keepdims=True)
    return mean, ((wide - mean) ** 2).mean(axis=over, keepdims=True)


def normalized(x: Array, layer: Any, past: Any = None) -> tuple[Array, Array]:
    """xhat, of mean 0 and variance 1, and what x - mean was divided by.

    `past` is the mean and variance of other batches, one number a channel, in place of x's own.
    """
    if past is None:
        mean, variance = statistics(x, layer)
    else:
        mean, variance = (by_channel(p.astype(np.float64), x.ndim) for p in past)
    deviation = np.sqrt(variance + layer.eps)
    return (x.astype(np.float64) - mean) / deviation, deviation


def normalized_backward(
    xhat: Array, deviation: Array, dxhat: Array, over: tuple[int, ...] | None
) -> Array:
    """dx: of dxhat what the mean (constant) and the variance (along xhat) took away, where these
    were taken `over` some axes of x."""
    if over is None:
        return dxhat / deviation
    constant = dxhat.mean(axis=over, keepdims=True)
    along = (dxhat * xhat).mean(axis=over, keepdims=True)
    dx: Array = (dxhat - constant - xhat * along) / deviation
    return dx


def fresh(layer: Any, dtype: Any) -> dict[str, Array]:
    """The running values of a model that has seen no batch."""
    values = {"running_mean": np.zeros(layer.n, dtype), "running_var": np.ones(layer.n, dtype)}
    return values | {"num_batches_tracked": np.array(0, np.int64)}


def moved(running: dict[str, Array], x: Array, layer: Any) -> dict[str, Array]:
    """The running values after one more batch."""
    batches = running["num_batches_tracked"] + 1
    share = 1.0 / batches if layer.momentum is None else layer.momentum
    mean, variance = (values.ravel() for values in statistics(x, layer))
    count = x.size // len(mean)  # values of a channel
    found = {"running_mean": mean, "running_var": variance * (count / (count - 1))}
    for key, new in found.items():
        old = running[key].astype(np.float64)
        found[key] = ((1.0 - share) * old + share * new).astype(running[key].dtype)
    return found | {"num_batches_tracked": np.array(batches, np.int64)}
