"""Frames and series of pandas: NumPy's dtypes, nullable ones and those of Arrow."""

from __future__ import annotations

from typing import Any

import numpy as np

from ironmlp._arguments.frames.frame import Array, Frame, MissingError

# The kinds of NumPy's dtypes that are no numbers.
KINDS = {"M": "times", "m": "durations", "c": "complex numbers", "O": "objects", "U": "text"}


# Frames of up to so many elements that share a dtype of NumPy's are copied at once: of each column
# by itself pandas makes an object, which takes 20 us.
SMALL = 2**16


def frame(value: Any) -> Frame:
    names, dtypes = list(value.columns), set(value.dtypes)
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf" and value.size <= SMALL:
        return Frame(names, list(value.to_numpy().T), np.asarray)
    return Frame(names, [column for _, column in value.items()], read)


def read(column: Any) -> Array | str:
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return numbers_or_kind(column.to_numpy(), dtype)
    # Nullable dtypes and those of Arrow have it, and so have sparse ones, under another name.
    own = getattr(dtype, "subtype" if hasattr(dtype, "fill_value") else "numpy_dtype", None)
    if not isinstance(own, np.dtype) or own.kind not in "biuf":
        return f"dtype {dtype}"
    if hasattr(dtype, "numpy_dtype"):
        missing = np.asarray(column.isna())
        if missing.any():
            raise MissingError(int(missing.argmax()))
    return np.asarray(column.to_numpy(dtype=own))


def numbers_or_kind(values: Array, dtype: np.dtype[Any]) -> Array | str:
    return values if dtype.kind in "biuf" else f"dtype {dtype}, {KINDS.get(dtype.kind, 'records')}"
