"""Labels among classes: equal ones are found whatever the dtypes, and no others.

Numbers are compared by their values. NumPy compares an int64 with a uint64 in a sorted search, and
an integer with a float anywhere, as float64, in which 2**53 + 1 is 2**53.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ironmlp._arguments.arrays import Array
from ironmlp._labels.array import family_of, first_row, label_array, several_types


def distinct(values: Array, name: str = "y") -> Array:
    """The different labels, sorted."""
    try:
        return np.unique(values)
    except TypeError as error:
        raise several_types(name, set(map(type, values.tolist()))) from error


def listed_classes(classes: Any, count: int) -> Array:
    """The argument `classes` as an array of ours, of `count` different labels in its own order."""
    known = label_array(classes, "classes").copy()
    if known.ndim != 1:
        raise ValueError(f"classes has shape {known.shape}, it must list the {count} labels")
    if len(known) != count:
        raise ValueError(
            f"classes has {len(known)} labels ({listed(known)}), the model chooses between {count}"
        )
    if len(distinct(known, "classes")) != count:
        raise ValueError(f"classes is {listed(known)}, its {count} labels must be different")
    return known


def positions(values: Array, classes: Array, but: Array | None = None) -> Array:
    """The index in `classes` of each value; ValueError with the first row that is none of them.

    In the rows `but` values are no labels, and their indices are unspecified.
    """
    if but is not None and but.all():
        return np.zeros(len(values), dtype=np.intp)
    try:
        indices, found = search(values, classes)
    except TypeError:  # they do not compare
        raise ValueError(
            f"y has dtype {values.dtype}, the model's classes are {listed(classes)}"
        ) from None
    if but is not None:
        found |= but
    if not found.all():
        row = first_row(~found)
        label = values[row : row + 1].tolist()[0]
        raise ValueError(f"y[{row}] is {label!r}, the model's classes are {listed(classes)}")
    return indices


def search(values: Array, classes: Array) -> tuple[Array, Array]:
    """The index in `classes` of each value, and whether it is there; TypeError if they do not
    compare."""
    values, classes, exact = comparable(values, classes)
    order = None if np.all(classes[:-1] < classes[1:]) else np.argsort(classes)
    indices = np.searchsorted(classes, values, sorter=order)
    indices = np.minimum(indices, len(classes) - 1)
    if order is not None:
        indices = order[indices]
    return indices, exact & (classes[indices] == values)


def comparable(values: Array, classes: Array) -> tuple[Array, Array, Array | bool]:
    """Both in one dtype, and where it holds the values exactly."""
    if values.dtype == classes.dtype:
        return values, classes, True
    if family(values) != family(classes):
        raise TypeError
    kinds = values.dtype.kind + classes.dtype.kind
    if "O" in kinds or "T" in kinds:
        return values.astype(object), classes.astype(object), True
    if values.dtype.kind in "biuf":
        cast, exact = exactly(values, classes.dtype)
        return cast, classes, exact
    if values.dtype.kind in "Mm":
        # There and back: a time between two of the unit, or beyond its range, comes back another.
        cast = values.astype(classes.dtype)
        return cast, classes, cast.astype(values.dtype) == values
    return values, classes, True


def exactly(values: Array, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Finite numbers in `dtype`, and where it holds them exactly; others are unspecified there."""
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    if dtype.kind == "f":
        cast = values.astype(dtype)
        if values.dtype.kind == "f":
            return cast, np.asarray(cast == values)
        back, exact = exactly(cast, values.dtype)
        return cast, exact & (back == values)
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if values.dtype.kind == "f":
        # Both ends are powers of two, which floats hold.
        inside = (values >= float(least)) & (values < float(most + 1))
        exact = inside & (np.floor(values) == values)
    else:
        exact = (values >= least) & (values <= most)
    return np.where(exact, values, 0).astype(dtype), exact


def equal(values: Array, number: int) -> Array:
    """Where labels are this number."""
    if values.dtype.kind == "O":
        return np.asarray(values == number, dtype=bool)
    found = np.zeros(values.shape, dtype=bool)
    if values.dtype.kind in "biuf":
        cast, exact = exactly(np.array([number]), values.dtype)
        found = (values == cast) & exact
    return found


def is_range(classes: Array) -> bool:
    """Whether the classes are 0, 1, ..., so that a label is its own index."""
    return classes.dtype.kind in "biu" and bool(np.all(classes == np.arange(len(classes))))


def family(labels: Array) -> str:
    """What comparable dtypes share: "numbers", "text", "bytes", or else their kind."""
    kind = labels.dtype.kind
    if kind == "O" and labels.size:
        found = family_of(type(labels.ravel()[0]))
        return "numbers" if found == "others" else found  # as Decimal is
    return {**dict.fromkeys("biuf", "numbers"), "U": "text", "T": "text", "S": "bytes"}.get(
        kind, kind
    )


def listed(labels: Array) -> str:
    """The first labels for a message."""
    shown = ", ".join(repr(label) for label in labels[:10].tolist())
    return f"{shown}, ..." if len(labels) > 10 else shown
