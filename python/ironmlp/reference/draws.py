"""Random numbers: Philox4x64-10, as docs/random.md has it. Each purpose has streams of its own."""
# Functions of one table share one signature, whether they use all of it or not.
# ruff: noqa: ARG001, ARG005

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .specs import Array

WEIGHT, BIAS, SHUFFLE, DROPOUT, SPLIT = 1, 2, 3, 4, 5


def words(count: int, seed: int, purpose: int, layer: int = 0, row: int = 0, step: int = 0) -> Any:
    """The first `count` 64-bit words of a stream, (count,)."""
    key = np.array([seed, purpose << 32 | layer], np.uint64)
    counter = np.array([0, row, step, 0], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def uniform(shape: tuple[int, ...], bound: float, *stream: int) -> Array:
    """Numbers in [-bound, bound), in the order of the array's elements."""
    u = (words(math.prod(shape), *stream) >> 11) * 2.0**-53  # 53 random bits in [0, 1)
    return np.reshape((2.0 * u - 1.0) * bound, shape)


def normal(shape: tuple[int, ...], std: float, *stream: int) -> Array:
    """Normal numbers by Box and Muller's method, two words for each."""
    bits = words(2 * math.prod(shape), *stream) >> 11
    u1 = (bits[0::2] + 1) * 2.0**-53  # in (0, 1], so that its logarithm is finite
    u2 = bits[1::2] * 2.0**-53
    return np.reshape(std * (np.sqrt(-2.0 * np.log(u1)) * np.cos(2.0 * np.pi * u2)), shape)


def zeros(shape: tuple[int, ...], scale: float, *stream: int) -> Array:
    return np.zeros(shape)


# How to draw the weight, its scale for i inputs of one output and o outputs of one input, how to
# draw the bias.
INITIALIZERS: dict[str, tuple[Any, Callable[[int, int], float], Any]] = {
    "torch_linear": (uniform, lambda i, o: 1.0 / math.sqrt(i), uniform),
    "glorot_uniform": (uniform, lambda i, o: math.sqrt(6.0 / (i + o)), zeros),
    "he_normal": (normal, lambda i, o: math.sqrt(2.0 / i), zeros),
    "zeros": (zeros, lambda i, o: 0.0, zeros),
    "normal": (normal, lambda i, o: 1.0, normal),
}


def shuffled(n: int, seed: int, epoch: int) -> Array:
    """The order of the rows in an epoch, (n,)."""
    return swapped(n, seed, SHUFFLE, epoch)


def swapped(n: int, seed: int, purpose: int, step: int = 0) -> Array:
    """0, 1, ..., n - 1 in random order: Fisher and Yates, one word for each swap."""
    order, swaps = np.arange(n), words(n - 1, seed, purpose, step=step).tolist()
    for i, word in zip(range(n - 1, 0, -1), swaps, strict=True):
        j = word * (i + 1) >> 64  # in 0..i
        order[i], order[j] = order[j], order[i]
    return order


def held_out(classes: Array, share: float, seed: int) -> Array:
    """The rows that `validation_split` holds out, ascending: of each class its share, but one.

    `classes` (n,) numbers the class of each row; all are 0 where y has no classes, -1 is that of
    ignored rows, of which none needs to stay.
    """
    n, count = len(classes), math.ceil(share * len(classes))
    found, sizes = np.unique(classes, return_counts=True)
    most = sizes - (found >= 0) if len(found) > 1 or found[0] else sizes
    quotas = np.minimum(sizes * count // n, most)
    by_remainder = np.argsort(-(sizes * count % n), kind="stable")
    while quotas.sum() < count:
        for place in by_remainder[quotas[by_remainder] < most[by_remainder]]:
            quotas[place] += quotas.sum() < count
    order = swapped(n, seed, SPLIT)
    rows = [order[classes[order] == c][:quota] for c, quota in zip(found, quotas, strict=True)]
    return np.sort(np.concatenate(rows))


def dropout_mask(shape: tuple[int, int], p: float, seed: int, layer: int, step: int) -> Array:
    """0 with probability p, else 1 / (1 - p), (n, units): 16 bits a unit, a stream a row."""
    n, units = shape
    drop = round(p * 65536)
    rows = [words(-(-units // 4), seed, DROPOUT, layer, row, step) for row in range(n)]
    fields = np.array(rows).astype("<u8").view("<u2")[:, :units]  # a word holds four fields
    return np.where(fields >= drop, 65536 / (65536 - drop), 0.0)
