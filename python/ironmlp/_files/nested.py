"""Nested values as JSON, and the arrays in them as tensors beside it.

A value is None, a bool, a number, a string, an array in float32, float64 or int64, or a list or
dict of values. In the JSON an array is {"$": "array"}, and a float that is not finite {"$": "inf"};
the tensor's name is the way to it, "training/callbacks/0/best_state/moments/1".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ironmlp._arguments.arrays import Array
from ironmlp._files.safetensors import NAMES

# The key that marks what JSON has no word for.
MARK = "$"
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def taken_apart(value: Any, name: str) -> tuple[Any, dict[str, Array]]:
    """A value as JSON and its tensors by name; TypeError for what is no such value."""
    tensors: dict[str, Array] = {}

    def plain(value: Any, way: str) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {MARK: repr(value)}
        if isinstance(value, list | tuple):
            return [plain(entry, f"{way}/{index}") for index, entry in enumerate(value)]
        if isinstance(value, Mapping) and all(isinstance(k, str) and k != MARK for k in value):
            return {key: plain(entry, f"{way}/{key}") for key, entry in value.items()}
        if isinstance(value, np.ndarray) and value.dtype.name in NAMES and way not in tensors:
            tensors[way] = value
            return {MARK: "array"}
        raise TypeError(
            f"a file cannot hold {value!r:.60} ({type(value).__name__}) as {way!r}: it takes "
            "numbers, strings, bools, None, arrays in float32, float64 and int64, lists and dicts "
            f"with strings other than {MARK!r} as keys"
        )

    return plain(value, name), tensors


def put_together(
    value: Any, name: str, tensors: Mapping[str, Any], read: Callable[[Any], Array]
) -> Any:
    """The value that was taken apart, each of the `tensors` being read once.

    ValueError if they are not exactly those that the JSON names.
    """
    left = dict(tensors)

    def whole(value: Any, way: str) -> Any:
        if isinstance(value, list):
            return [whole(entry, f"{way}/{index}") for index, entry in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if MARK not in value:
            return {key: whole(entry, f"{way}/{key}") for key, entry in value.items()}
        kind = value[MARK]
        if len(value) == 1 and kind == "array" and way in left:
            return read(left.pop(way))
        if len(value) == 1 and isinstance(kind, str) and kind in NOT_FINITE:
            return NOT_FINITE[kind]
        raise ValueError(f"{way!r} is {value!r:.60}, and there is no such tensor or number")

    found = whole(value, name)
    if left:
        raise ValueError(f"nothing tells what the tensor {next(iter(left))!r} is")
    return found
