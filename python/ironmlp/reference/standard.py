"""Columns brought to mean 0 and standard deviation 1."""

from typing import Any, NamedTuple

import numpy as np

from .silent import silent
from .specs import Array


class Standard(NamedTuple):
    """Mean and standard deviation of each column of rows, or of each channel of images."""

    mean: Array  # (columns,) or (channels,)
    deviation: Array


@silent
def learned(X: Array) -> Standard:
    """Those of X, (n, columns) or (n, channels, H, W): of the whole population, and 1 of what does
    not vary."""
    over = tuple(axis for axis in range(X.ndim) if axis != 1)
    X = X.astype(np.float64)
    low, high, n = X.min(axis=over), X.max(axis=over), X.size // X.shape[1]
    mean = np.clip((X / n).sum(axis=over), low, high)
    rest = X - spread(mean, X)
    # In this unit no square overflows or vanishes.
    unit = abs(rest).max(axis=over)
    rest = rest / spread(np.where(unit > 0.0, unit, 1.0), X)
    more = rest.mean(axis=over)  # what rounding has left in the mean
    deviation = unit * np.sqrt(((rest - spread(more, X)) ** 2).mean(axis=over))
    return Standard(
        np.where(low < high, mean + unit * more, low),
        np.where((low < high) & (deviation > 0.0), deviation, 1.0),
    )


def spread(columns: Array, X: Array) -> Array:
    """A number for each column or channel, against all of X."""
    return columns.reshape(1, -1, *(1,) * (X.ndim - 2))


@silent
def standardized(X: Any, by: Standard) -> Array:
    return np.asarray((X.astype(np.float64) - spread(by.mean, X)) / spread(by.deviation, X))


@silent
def restored(Z: Any, by: Standard) -> Array:
    """From the standard scale back."""
    return np.asarray(Z.astype(np.float64) * spread(by.deviation, Z) + spread(by.mean, Z))
