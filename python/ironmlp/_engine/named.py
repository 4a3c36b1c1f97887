"""Arrays by the names of a model's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ironmlp._arguments.arrays import Array, real_array


def named_arrays(
    argument: str, given: Any, shapes: Mapping[str, tuple[int, ...]], strict: bool = True
) -> dict[str, Array]:
    """The arrays of a dict in canonical order; `strict` asks for exactly the keys of `shapes`."""
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{argument} is of type {type(given).__name__}, it must be a dict of arrays"
        )
    missing = [key for key in shapes if key not in given]
    unexpected = [key for key in given if key not in shapes]
    if strict and (missing or unexpected):
        parts = [
            f"{what} {', '.join(repr(key) for key in keys)}"
            for what, keys in (("lacks", missing), ("has the unexpected", unexpected))
            if keys
        ]
        raise ValueError(
            f"{argument} {' and '.join(parts)}; the model has {', '.join(map(repr, shapes))}"
        )
    arrays = {}
    for key, shape in shapes.items():
        if key not in given:
            continue
        array = real_array(f"{argument}[{key!r}]", given[key])
        if array.shape != shape:
            raise ValueError(f"{argument}[{key!r}] has shape {array.shape}, the model has {shape}")
        arrays[key] = array
    return arrays
