"""y of a loss function of the user's own: whatever has a row for each row of X."""

from __future__ import annotations

from typing import Any

from ironmlp._arguments.arrays import Array, as_array
from ironmlp._labels.array import number_array
from ironmlp._labels.reading import Reading, refuse_classes
from ironmlp._labels.regression import Numbers
from ironmlp._labels.targets import check_rows, columns


class Own(Numbers):
    """y is an array of n rows, or a tuple of such arrays.

    Numbers of shape (n,) for one output, or (n, K), are read as those of a regression are, and
    `predict` returns their shape. Everything else stays as it is.
    """

    _computed: tuple[str, ...] = ("fit", "encode")

    def fit(self, y: Any, rows: int, classes: Any = None) -> tuple[Any, Reading]:
        refuse_classes(classes)
        targets = self.encode(y, rows)
        flat = not isinstance(targets, tuple) and targets.ndim == 2 and as_array("y", y).ndim == 1
        return targets, Own(self.outputs, flat)

    def encode(self, y: Any, rows: int) -> Any:
        if is_several(y):
            return tuple(self._rows(f"y[{index}]", entry, rows) for index, entry in enumerate(y))
        values = self._rows("y", y, rows)
        one_each = (rows,) if self.outputs == 1 and values.ndim == 1 else (rows, self.outputs)
        if values.dtype.kind in "biuf" and values.shape == one_each:
            return columns(number_array(values), rows, self.outputs)
        return values

    def _rows(self, name: str, values: Any, rows: int) -> Array:
        array = as_array(name, values)
        check_rows(array, rows, name)
        return array


def is_several(y: Any) -> bool:
    """Whether y is a tuple of arrays, not one of numbers."""
    return isinstance(y, tuple) and any(getattr(entry, "shape", ()) != () for entry in y)
