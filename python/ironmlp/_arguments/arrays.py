"""Checks of array arguments. Each message names the argument and both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.tensors import in_own_dtype, without_tensors
from ironmlp._environment import computed

Array = NDArray[Any]

# The dtypes that the compiled part reads in place: bool, integers, float16, float32, float64.
READ_IN_PLACE = frozenset("?bhilqBHILQefd")

# How error messages call the dtypes that are no numbers.
KINDS = {"O": "objects", "U": "strings", "S": "bytes", "c": "complex numbers", "V": "records"}


def plural(count: int, noun: str) -> str:
    """`count` and the noun: "1 row", "3 rows"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def as_array(name: str, value: Any) -> Array:
    """`value` as a plain array, without a copy where it is an array: of one of a user's own class a
    view, so that nothing of that class is asked again. Masked arrays and ragged lists fail.
    """
    if type(value) is np.ndarray:
        return in_own_dtype(value)
    if hasattr(value, "mask") and hasattr(value, "filled"):
        raise TypeError(f"{name} is a masked array, it must be a plain one: fill or drop the mask")
    try:
        return in_own_dtype(np.asarray(without_tensors(name, value)))
    except ValueError as error:
        raise ValueError(f"{name} is not an array of one shape: {error}") from None


def real_array(name: str, value: Any) -> Array:
    """`value` as an array of real numbers in a dtype that the compiled part reads.

    Native float16, float32, float64, integers and bools stay as they are, in any memory order;
    longer floats and foreign byte orders are copied. Anything else is a TypeError.
    """
    array = as_array(name, value)
    if array.dtype.char in READ_IN_PLACE and array.dtype.isnative:
        return array
    return readable(name, array)


@computed
def readable(name: str, array: Array) -> Array:
    """An array of real numbers, copied to a dtype that the compiled part reads."""
    if array.dtype.kind in "biu":
        return array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f":
        # A number beyond float64 becomes infinite, as one beyond float32 does in the compiled part.
        return array.astype(np.float64 if array.itemsize > 4 else array.dtype.newbyteorder("="))
    what = KINDS.get(array.dtype.kind, "no numbers")
    raise TypeError(f"{name} has dtype {array.dtype} ({what}), it must hold real numbers")


def matrix(name: str, value: Any, columns: int) -> Array:
    """`value` as real rows, shape (n, columns), n at least 1."""
    array = real_array(name, value)
    if array.ndim != 2:
        hint = "; one row is X.reshape(1, -1)" if array.ndim == 1 else ""
        raise ValueError(
            f"{name} has {plural(array.ndim, 'dimension')}, it must have 2: rows and columns{hint}"
        )
    if array.shape[1] != columns:
        raise ValueError(
            f"{name} has {plural(array.shape[1], 'column')}, the network takes {columns}"
        )
    if not len(array):
        raise ValueError(f"{name} has 0 rows, it must have at least 1")
    return array


def samples(name: str, value: Any, columns: int | None, flatten: bool) -> Array:
    """`value` as the batch of a network that takes so many columns, or images (None).

    With `flatten` the samples may have any shape of that many numbers. What images a network takes,
    the core checks.
    """
    if columns is None:
        return real_array(name, value)
    if flatten:
        array = real_array(name, value)
        value = array.reshape(len(array), -1) if array.ndim > 2 and array.size else array
    return matrix(name, value, columns)


def row_weights(name: str, value: Any, rows: int) -> NDArray[np.float64] | None:
    """`value` as one finite weight >= 0 for each row in float64, or None."""
    return None if value is None else checked_weights(name, value, rows)


@computed
def checked_weights(name: str, value: Any, rows: int) -> NDArray[np.float64]:
    weights = real_array(name, value).astype(np.float64)
    if weights.shape != (rows,):
        raise ValueError(
            f"{name} has shape {weights.shape}, X has {plural(rows, 'row')}: "
            f"it must have shape ({rows},)"
        )
    wrong = ~(np.isfinite(weights) & (weights >= 0.0))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{name}[{row}] is {weights[row]}, it must be finite and at least 0")
    return weights


def check_counted(name: str, weights: NDArray[np.float64] | None) -> None:
    """Refuse weights of which all are 0: of nothing there is no mean."""
    if weights is not None and not weights.any():
        raise ValueError(f"{name} is 0 for all rows, at least one must count")
