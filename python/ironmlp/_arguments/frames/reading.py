"""Which values are frames or columns of one, and the numbers in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ironmlp._arguments.frames import arrow_frame, interchange, pandas_frame, polars_frame
from ironmlp._arguments.frames.frame import Array, Frame, MissingError, missing_value

LIBRARIES = {"pandas": pandas_frame, "polars": polars_frame, "pyarrow": arrow_frame}

# What frames of these libraries have, and their columns have not; and columns, and nothing else.
FRAMES = {"pandas": "iterrows", "polars": "get_columns", "pyarrow": "column_names"}
COLUMNS = {"pandas": "dtype", "polars": "null_count", "pyarrow": "null_count"}


def library_of(value: Any) -> str | None:
    """The package of `LIBRARIES` that the class of a value, or one that it inherits from, is of."""
    for kind in type(value).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in LIBRARIES:
            return package
    return None


def frame_of(argument: str, value: Any) -> Frame | None:
    """The columns of a value, if it is a frame."""
    library = library_of(value)
    if library is not None:
        if hasattr(value, FRAMES[library]):
            found: Frame = LIBRARIES[library].frame(value)
            return found
        if hasattr(value, "collect"):
            raise TypeError(
                f"{argument} is a {type(value).__name__}: collect() makes a frame of it"
            )
        return None
    if hasattr(value, "__arrow_c_stream__"):
        return arrow_frame.streamed(argument, value)
    return interchange.frame(value) if hasattr(value, "__dataframe__") else None


def without_frames(argument: str, value: Any) -> Any:
    """`value` with the columns of these libraries made arrays: a series or a frame of one column as
    (n,), several columns, which must be numbers, as (n, K)."""
    library = library_of(value)
    if library is None and hasattr(value, "__array__"):
        return value
    frame = frame_of(argument, value)
    if frame is None:
        column = library is not None and hasattr(value, COLUMNS[library])
        return labels(argument, LIBRARIES[library].read, value) if library and column else value
    if len(frame.columns) == 1:
        return labels(argument, frame.read, frame.columns[0])
    columns = frame.numbers(argument)
    if len(set(map(len, columns))) > 1:
        raise ValueError(f"{argument} has columns of several lengths")
    return np.stack(columns, axis=1) if columns else np.zeros((0, 0))


def labels(argument: str, read: Any, column: Any) -> Array:
    """A column as an array: numbers, or else whatever labels it holds."""
    try:
        found = read(column)
    except MissingError as missing:
        raise missing_value(argument, missing.row) from None
    return found if isinstance(found, np.ndarray) else np.asarray(column)
