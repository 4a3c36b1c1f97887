"""Checks of the numbers that a loss compares outputs with."""

from __future__ import annotations

import numpy as np

from ironmlp._arguments.arrays import Array, plural
from ironmlp._environment import computed
from ironmlp._labels.array import check_finite, first_row


@computed
def in_dtype(values: Array, dtype: str) -> Array:
    """Targets in a model's dtype, which must hold them."""
    values = values.astype(dtype)
    check_finite(values)
    return values


def check_rows(values: Array, rows: int, name: str = "y") -> None:
    if values.ndim == 0 or len(values) != rows:
        got = f"shape {values.shape}" if values.ndim == 0 else plural(len(values), "row")
        raise ValueError(f"{name} has {got}, X has {plural(rows, 'row')}")


def columns(values: Array, rows: int, outputs: int) -> Array:
    """`values` as (rows, outputs); (rows,) counts as one column."""
    check_rows(values, rows)
    if values.ndim == 1 and outputs == 1:
        return values[:, np.newaxis]
    if values.shape != (rows, outputs):
        must = f"({rows},) or ({rows}, 1)" if outputs == 1 else f"({rows}, {outputs})"
        raise ValueError(
            f"y has shape {values.shape}, the network has {plural(outputs, 'output')}: "
            f"y must have shape {must}"
        )
    return values


def are_targets(values: Array) -> bool:
    """Whether these are numbers in [0, 1]."""
    return values.dtype.kind in "biuf" and bool(np.all((values >= 0) & (values <= 1)))


def unit_interval(values: Array) -> Array:
    """`values`, if they all lie in [0, 1]."""
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        row = first_row(wrong)
        value = values[row][wrong[row]].ravel()[0] if values.ndim > 1 else values[row]
        raise ValueError(f"y has {value} in row {row}, targets must lie from 0 to 1")
    return values
