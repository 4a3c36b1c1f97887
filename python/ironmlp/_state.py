"""Parameters by name, and the table of a model's layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ironmlp._arrays import Array, real_array
from ironmlp._network import parameter_shapes
from ironmlp._repr import brief
from ironmlp.layers import Conv2d, Flatten, Linear

if TYPE_CHECKING:
    from ironmlp.model import Sequential


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


class Summary(str):
    """A table that shows itself as a table at the prompt too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(model: Sequential) -> Summary:
    """One line for each layer: index, layer, outputs (units or channels), parameters; below it
    their sum, and how many of them training leaves as they are."""
    rows = [("", "layer", "outputs", "parameters")]
    total, frozen, outputs = 0, 0, 0
    shapes = parameter_shapes(model.layers)
    for index, layer in enumerate(model.layers):
        if isinstance(layer, Linear):
            outputs = layer.out_features
        elif isinstance(layer, Conv2d):
            outputs = layer.out_channels
        elif isinstance(layer, Flatten):
            outputs = 0
        tensors = (shapes.get(f"{index}.{kind}") for kind in ("weight", "bias"))
        count = sum(math.prod(shape) for shape in tensors if shape is not None)
        total += count
        frozen += 0 if getattr(layer, "trainable", True) else count
        rows.append((str(index), brief(layer), str(outputs or ""), f"{count:,}"))
    numbers, names, sizes, parameters = (
        max(map(len, column)) for column in zip(*rows, strict=True)
    )
    lines = [
        f"{row[0]:>{numbers}}  {row[1]:<{names}}  {row[2]:>{sizes}}  {row[3]:>{parameters}}"
        for row in rows
    ]
    split = f": {total - frozen:,} trainable, {frozen:,} frozen" if frozen else ""
    return Summary("\n".join([*lines, f"{total:,} parameters in {model.dtype}{split}"]))
