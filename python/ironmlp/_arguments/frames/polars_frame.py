"""Frames and series of polars."""

from __future__ import annotations

from typing import Any

import numpy as np

from ironmlp._arguments.frames.frame import Array, Frame, MissingError


def frame(value: Any) -> Frame:
    return Frame(value.columns, value.get_columns(), read)


def read(column: Any) -> Array | str:
    dtype = column.dtype
    if not (dtype.is_numeric() or str(dtype) == "Boolean") or dtype.is_decimal():
        return f"dtype {dtype}"
    if column.null_count():
        raise MissingError(int(np.asarray(column.is_null()).argmax()))
    if str(dtype) in ("Int128", "UInt128"):  # which NumPy has not
        column = column.cast(float)
    return np.asarray(column.to_numpy())
