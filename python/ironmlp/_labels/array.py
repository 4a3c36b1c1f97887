"""y as an array in which each label is as it was given, and none is missing."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from ironmlp._arguments.arrays import Array, as_array, real_array

INTEGERS = (Integral, np.bool_)
NUMBERS = (Real, np.bool_)

# The types of which no value stands for a missing one.
PRESENT = frozenset((str, bytes, bool, int, np.str_, np.bytes_, np.bool_))

# From here on not every integer is a float64.
EXACT_LIMIT = 2.0**53


def label_array(y: Any, name: str = "y") -> Array:
    """`y` as an array without missing values: finite numbers, or labels of another type.

    Objects that are all numbers get a dtype that holds each of them exactly, and stay objects if
    there is none. ValueError for a missing label (None, NaN, NaT, pandas.NA) and for infinite
    numbers, TypeError for labels of several types and for what is no label.
    """
    values = as_array(name, y)
    if values.dtype.kind in "biu" and values.dtype.isnative:  # as they are, and none is missing
        return values
    if values.dtype.kind in "OT":
        values = of_objects(values, values.astype(object), name)
    elif was_guessed(y) and may_differ(values):
        objects = np.array(y, dtype=object)
        if objects.shape == values.shape:  # else these are no labels but what holds some
            values = of_objects(values, objects, name)
    if values.dtype.kind in "cV":
        raise TypeError(f"{name} has dtype {values.dtype}, it must hold real numbers or labels")
    if values.dtype.kind in "biuf" and values.dtype.char != "g":  # float64 is shorter
        values = real_array(name, values)
    check_finite(values, name)
    return values


def number_array(y: Any) -> Array:
    """`y` as an array of real numbers, of which none is missing or infinite."""
    values = as_array("y", y)
    if values.dtype.kind == "O":
        check_present(values, set(map(type, values.ravel().tolist())), "y")
    values = real_array("y", values)
    check_finite(values)
    return values


def was_guessed(y: Any) -> bool:
    """Whether NumPy chose the dtype by looking at Python objects, as it does for a list."""
    return not (hasattr(y, "dtype") or hasattr(y, "__array__"))


def may_differ(values: Array) -> bool:
    """Whether an array that was made of Python objects may hold others: beside text, numbers and
    missing values become text, and beside other numbers, large integers are rounded."""
    if values.dtype.kind == "f":
        return bool(np.any(np.abs(values) >= EXACT_LIMIT))
    return values.dtype.kind in "US"


def of_objects(values: Array, objects: Array, name: str) -> Array:
    """`values`, which NumPy made of these Python objects, if it kept them; else what does."""
    elements = objects.ravel().tolist()
    kinds = set(map(type, elements))
    check_present(objects, kinds, name)
    families = {family_of(kind) for kind in kinds}
    if len(families) > 1 and families & {"text", "bytes"}:
        raise several_types(name, kinds)
    if families == {"numbers"}:
        return of_numbers(elements, kinds).reshape(objects.shape)
    # Arrays of text drop zeros at its end.
    zero = {"U": "\0", "S": b"\0"}.get(values.dtype.kind)
    return objects if zero and any(text.endswith(zero) for text in elements) else values


def of_numbers(elements: list[Any], kinds: set[type]) -> Array:
    """Numbers in the first dtype that holds all of them exactly, or as Python's own."""
    numbers = [x.item() if isinstance(x, np.generic) else x for x in elements]
    values = np.asarray(numbers)
    if all(issubclass(kind, INTEGERS) for kind in kinds):
        if values.dtype.kind not in "bi" and min(numbers) >= 0 and max(numbers) < 2**64:
            return np.array(numbers, dtype=np.uint64)
        exact = values.dtype.kind in "bi"
    else:
        exact = values.dtype.kind == "f" and values.tolist() == numbers
    return values if exact else np.array([*numbers, None], dtype=object)[:-1]


def family_of(kind: type) -> str:
    """What types of comparable labels share: numbers, text, bytes or others."""
    if issubclass(kind, NUMBERS):
        return "numbers"
    return "text" if issubclass(kind, str) else "bytes" if issubclass(kind, bytes) else "others"


def several_types(name: str, kinds: set[type]) -> TypeError:
    listed = ", ".join(sorted(kind.__name__ for kind in kinds))
    return TypeError(
        f"{name} has labels of several types ({listed}), they must be sortable: give all of them "
        "one type"
    )


def check_present(objects: Array, kinds: set[type], name: str) -> None:
    """Refuse None, NaN, NaT and pandas.NA among Python objects of these types."""
    if kinds <= PRESENT or objects.ndim == 0:
        return
    for place, label in enumerate(objects.ravel().tolist()):
        if type(label) not in PRESENT and is_missing(label):
            row = place * len(objects) // objects.size
            raise ValueError(
                f"{name} has {label!r} in row {row}, which is missing: drop such rows, or give "
                "missing labels one of their own"
            )


def is_missing(label: Any) -> bool:
    if label is None or type(label).__name__ == "NAType":
        return True
    try:
        return bool(label != label)
    except (TypeError, ValueError):  # what does not compare with itself as one value
        return False


def check_finite(values: Array, name: str = "y") -> None:
    if values.dtype.kind not in "fMm":
        return
    wrong = np.isnat(values) if values.dtype.kind in "Mm" else ~np.isfinite(values)
    if wrong.any():
        row = first_row(wrong)
        raise ValueError(f"{name} has a NaN or infinite value in row {row}, all must be finite")


def first_row(wrong: Array) -> int:
    """The first row of a boolean array with a True."""
    wrong = np.atleast_1d(wrong)
    return int(wrong.reshape(len(wrong), -1).any(axis=1).argmax())
