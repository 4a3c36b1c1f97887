"""Tables, record batches and arrays of pyarrow, and what streams itself in Arrow's format."""

from __future__ import annotations

from typing import Any

import numpy as np

from ironmlp._arguments.frames import polars_frame
from ironmlp._arguments.frames.frame import Array, Frame, MissingError

# Those of `str(type)` that are numbers.
NUMBERS = frozenset(
    ["bool", "halffloat", "float", "double"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


def frame(value: Any) -> Frame:
    return Frame(value.column_names, value.columns, read)


def read(column: Any) -> Array | str:
    if str(column.type) not in NUMBERS:
        return f"type {column.type}"
    if column.null_count:
        raise MissingError(int(as_numpy(column.is_null()).argmax()))
    return as_numpy(column)


def as_numpy(column: Any) -> Array:
    return np.asarray(column.to_numpy(zero_copy_only=False))


def streamed(argument: str, value: Any) -> Frame:
    """A frame of another library, through its `__arrow_c_stream__`."""
    kind = type(value).__name__
    try:
        from pyarrow import table
    except ImportError:
        try:
            from polars import DataFrame
        except ImportError:
            raise TypeError(
                f"{argument} is a {kind}, which pyarrow or polars would read: install one of them, "
                "or make a NumPy array or a pandas frame of it"
            ) from None
        return polars_frame.frame(checked(argument, kind, DataFrame, value))
    return frame(checked(argument, kind, table, value))


def checked(argument: str, kind: str, make: Any, value: Any) -> Any:
    """What `make` makes of a stream; whatever it raises becomes a TypeError."""
    try:
        return make(value)
    except Exception as error:
        raise TypeError(
            f"{argument} is a {kind}, whose __arrow_c_stream__ cannot be read as a table ({error})"
        ) from error
