"""y of a regression: numbers."""

from __future__ import annotations

from typing import Any

from ironmlp._arguments.arrays import Array
from ironmlp._labels.array import number_array
from ironmlp._labels.reading import Reading, numbers, refuse_classes
from ironmlp._labels.targets import columns


class Numbers(Reading):
    """y is (n,) for one number, or (n, C). `predict` returns the shape of y."""

    # The rest rounds nothing and raises no flag, and is called for each small batch: 1.3 us less.
    _computed: tuple[str, ...] = ("score",)

    def __init__(self, outputs: int, flat: bool) -> None:
        super().__init__(outputs)
        self.flat = flat

    @property
    def targets(self) -> int:
        """How many numbers of y a row has: C."""
        return self.outputs

    @property
    def learned(self) -> bool:
        return self.flat

    def fit(self, y: Any, rows: int, classes: Any = None) -> tuple[Array, Reading]:
        refuse_classes(classes)
        values = number_array(y)
        return self._targets(values, rows), self._shaped(values.ndim == 1)

    def encode(self, y: Any, rows: int) -> Array:
        return self._targets(number_array(y), rows)

    def _targets(self, values: Array, rows: int) -> Array:
        return columns(values, rows, self.outputs)

    def _shaped(self, flat: bool) -> Reading:
        """The same for a y of another shape."""
        return Numbers(self.outputs, flat)

    def labels(self, outputs: Array) -> Array:
        estimates = self.estimates(outputs)
        numbers(estimates, outputs)
        return estimates[:, 0] if self.flat else estimates

    def estimates(self, outputs: Array) -> Array:
        """What is compared with y, (n, C)."""
        return outputs
