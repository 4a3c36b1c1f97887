"""The table of a model's layers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Self

from ironmlp._engine.network import parameter_shapes
from ironmlp._engine.repr import brief
from ironmlp._engine.shapes import Made, Shape, made
from ironmlp._html import Markup, element, table
from ironmlp.layers import Layer, Residual

HEAD = ("", "layer", "output", "parameters", "multiply-adds")
# The columns whose entries are set to the right.
NUMBERS = {3, 4}


class Parts(NamedTuple):
    """What a summary is made of."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    foot: list[str]


class Summary(str):
    """A table that shows itself as a table at the prompt too, and in a notebook."""

    __slots__ = ("_parts",)
    _parts: Parts

    def __new__(cls, text: str, parts: Parts) -> Self:
        made = super().__new__(cls, text)
        made._parts = parts
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, Parts]]:
        return type(self), (str(self), self._parts)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> Markup:
        head, rows, foot = self._parts
        return element("div", table(head, rows, NUMBERS), *(element("div", line) for line in foot))


def summary(layers: tuple[Layer, ...], dtype: Any, shape: Shape, channels_last: bool) -> Summary:
    """The table of these layers for samples of this shape, (C, H, W) or (n,).

    A line for each layer, those within a Residual after it, further in; below them the sums.
    """
    counts = {"trainable": 0, "frozen": 0}
    shapes = parameter_shapes(layers)
    rows: list[tuple[str, ...]] = []
    listed = list(made(layers, shape))
    for name, layer, output, work in sorted(listed, key=place):
        tensors = (shapes.get(f"{name}.{kind}") for kind in ("weight", "bias"))
        count = sum(math.prod(tensor) for tensor in tensors if tensor is not None)
        frozen = count and not getattr(layer, "trainable", True)
        counts["frozen" if frozen else "trainable"] += count
        shown = "Residual" if isinstance(layer, Residual) else brief(layer)
        rows.append(
            (
                name,
                "  " * name.count(".") + shown,
                written(output, channels_last),
                f"{count:,}",
                "?" if work is None else f"{work:,}",
                "frozen" if frozen else "",
            )
        )
    head: tuple[str, ...] = (*HEAD, "")
    if not counts["frozen"]:
        head, rows = HEAD, [row[:-1] for row in rows]
    split = ": {trainable:,} trainable, {frozen:,} frozen".format(**counts)
    foot = [
        f"{sum(counts.values()):,} parameters in {dtype}{split if counts['frozen'] else ''}",
        in_all(listed, shape, channels_last),
    ]
    return Summary("\n".join([*in_columns([head, *rows]), *foot]), Parts(head, rows, foot))


def place(made: Made) -> list[int]:
    """What sorts a Residual before the layers within."""
    return [int(part) for part in made.name.split(".")]


def written(shape: Shape, channels_last: bool) -> str:
    """A shape in the order of X's axes."""
    if len(shape) == 3 and channels_last:
        shape = (*shape[1:], shape[0])
    return " x ".join("?" if size is None else f"{size}" for size in shape)


def in_all(listed: list[Made], shape: Shape, channels_last: bool) -> str:
    """The line about the work for one sample."""
    work = [made.multiply_adds for made in listed]
    known = [count for count in work if count is not None]
    what = "an image" if len(shape) == 3 else "a row"
    if len(known) == len(work):
        return f"{sum(known):,} multiply-adds for {what} of {written(shape, channels_last)}"
    order = "(H, W, C)" if channels_last else "(C, H, W)"
    return f"multiply-adds depend on the images' size: summary(input_shape={order})"


def in_columns(rows: list[tuple[str, ...]]) -> list[str]:
    """The rows as lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            f"{cell:>{width}}" if column in NUMBERS else f"{cell:<{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
