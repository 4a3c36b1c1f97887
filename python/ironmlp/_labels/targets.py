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


def columns(values: Array, rows: int, count: int, outputs: int | None = None) -> Array:
    """`values` as (rows, count); (rows,) counts as one column. The network has as many outputs,
    unless these are another number."""
    check_rows(values, rows)
    if values.ndim == 1 and count == 1:
        return values[:, np.newaxis]
    if values.shape != (rows, count):
        outputs = outputs or count
        must = f"({rows},) or ({rows}, 1)" if count == 1 else f"({rows}, {count})"
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
    return without(values, ~((values >= 0) & (values <= 1)), "lie from 0 to 1")


def not_negative(values: Array) -> Array:
    """`values`, if none is below 0."""
    return without(values, values < 0, "be at least 0")


def without(values: Array, wrong: Array, must: str) -> Array:
    """`values`, if none of them is wrong."""
    if wrong.any():
        row = first_row(wrong)
        value = values[row][wrong[row]].ravel()[0] if values.ndim > 1 else values[row]
        raise ValueError(f"y has {value} in row {row}, targets must {must}")
    return values
