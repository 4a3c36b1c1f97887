"""The table of a model's layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ironmlp._engine.network import nodes, parameter_shapes
from ironmlp._engine.repr import brief
from ironmlp.layers import Conv2d, Flatten, Layer, LayerNorm, Linear, Residual


class Summary(str):
    """A table that shows itself as a table at the prompt too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(layers: tuple[Layer, ...], dtype: np.dtype[Any]) -> Summary:
    """One line for each layer, those of a Residual before it: name, layer, outputs (units or
    channels), parameters; below it their sum, and how many of them training leaves as they are."""
    rows = [("", "layer", "outputs", "parameters")]
    total, frozen, outputs = 0, 0, 0
    shapes = parameter_shapes(layers)
    for name, layer in nodes(layers):
        if isinstance(layer, Linear):
            outputs = layer.out_features
        elif isinstance(layer, LayerNorm):
            outputs = layer.n
        elif isinstance(layer, Conv2d):
            outputs = layer.out_channels
        elif isinstance(layer, Flatten):
            outputs = 0
        tensors = (shapes.get(f"{name}.{kind}") for kind in ("weight", "bias"))
        count = sum(math.prod(shape) for shape in tensors if shape is not None)
        total += count
        frozen += 0 if getattr(layer, "trainable", True) else count
        shown = "Residual" if isinstance(layer, Residual) else brief(layer)
        rows.append((name, shown, str(outputs or ""), f"{count:,}"))
    numbers, names, sizes, parameters = (
        max(map(len, column)) for column in zip(*rows, strict=True)
    )
    lines = [
        f"{row[0]:>{numbers}}  {row[1]:<{names}}  {row[2]:>{sizes}}  {row[3]:>{parameters}}"
        for row in rows
    ]
    split = f": {total - frozen:,} trainable, {frozen:,} frozen" if frozen else ""
    return Summary("\n".join([*lines, f"{total:,} parameters in {dtype}{split}"]))
