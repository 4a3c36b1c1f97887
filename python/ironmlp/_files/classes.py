"""What `fit` has learned of y, as JSON and back."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ironmlp._arguments.arrays import Array

# The dtypes of labels: numbers, bools, text and bytes of some length, times, text of any length.
DTYPE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|[US][0-9]{1,9}|[Mm]8\[[0-9A-Za-z]{1,12}\])")

# Text in NumPy has one width for all labels, so a few long ones among many could take much memory.
BYTES_LIMIT = 2**28


def classes_to_json(learned: Any) -> Any:
    """The known classes (an array), True or False, or None."""
    if not isinstance(learned, np.ndarray):
        return learned
    kind = learned.dtype.kind
    if kind == "S":
        labels = [label.decode("latin-1") for label in learned.tolist()]
    elif kind in "Mm":
        labels = learned.astype(np.int64).tolist()
    else:
        labels = [label.item() if isinstance(label, np.generic) else label for label in learned]
    if not all(isinstance(label, bool | int | float | str) for label in labels):
        raise TypeError(f"a file cannot hold the labels {labels[:10]!r}: use pickle")
    dtype = {"O": "object", "T": "string"}.get(kind, learned.dtype.str)
    made = {"dtype": dtype, "classes": labels}
    classes_from_json(made)  # what could not be read is not written
    return made


def classes_from_json(value: Any) -> Any:
    """What `classes_to_json` got; ValueError for what it never gives."""
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, dict) or value.keys() != {"dtype", "classes"}:
        raise ValueError("learned must be null, true, false, or have dtype and classes")
    name, labels = value["dtype"], value["classes"]
    if not isinstance(labels, list) or not isinstance(name, str):
        raise ValueError("the classes must be a list, their dtype a string")
    if not all(isinstance(label, bool | int | float | str) for label in labels):
        raise ValueError("the classes must be numbers, strings, true or false")
    try:
        return array_of(labels, name)
    except (OverflowError, UnicodeError) as error:
        raise ValueError(f"the classes are not all of dtype {name}: {error}") from None


def array_of(labels: list[Any], name: str) -> Array:
    """The labels as an array of this dtype, each of them unchanged."""
    if name == "object":
        return np.array([*labels, None], dtype=object)[:-1]
    if name == "string" and all(isinstance(label, str) for label in labels):
        return np.array(labels, dtype=np.dtypes.StringDType())
    if not DTYPE.fullmatch(name):
        raise ValueError(f"the classes' dtype is {name!r}, which labels never have")
    dtype = np.dtype(name)
    if dtype.itemsize * len(labels) > BYTES_LIMIT:
        raise ValueError(f"the classes take {dtype.itemsize * len(labels)} bytes")
    given = [label.encode("latin-1") for label in labels] if dtype.kind == "S" else labels
    is_time = dtype.kind in "Mm"  # an integer in the unit of its dtype
    classes = np.array(given, np.int64 if is_time else dtype)
    if classes.tolist() != given:
        raise ValueError(f"the classes are not all of dtype {name}")
    return classes.view(dtype.newbyteorder("=")).astype(dtype) if is_time else classes
