"""y of a regression: numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ironmlp._arguments.arrays import Array
from ironmlp._labels.array import number_array
from ironmlp._labels.reading import Reading, numbers, refuse_classes
from ironmlp._labels.targets import columns


class Numbers(Reading):
    """y is (n,) for one output, or (n, K). `predict` returns the shape of y."""

    # The rest rounds nothing and raises no flag, and is called for each small batch: 1.3 us less.
    _computed: tuple[str, ...] = ("score",)

    def __init__(self, outputs: int, flat: bool) -> None:
        super().__init__(outputs)
        self.flat = flat

    @property
    def learned(self) -> bool:
        return self.flat

    def fit(self, y: Any, rows: int, classes: Any = None) -> tuple[Array, Reading]:
        refuse_classes(classes)
        values = number_array(y)
        return columns(values, rows, self.outputs), Numbers(self.outputs, values.ndim == 1)

    def encode(self, y: Any, rows: int) -> Array:
        return columns(number_array(y), rows, self.outputs)

    def labels(self, outputs: Array) -> Array:
        numbers(outputs, outputs)
        return outputs[:, 0] if self.flat else outputs

    def score(self, outputs: Array, targets: Array) -> dict[str, float]:
        return {"r2": r2(numbers(outputs, outputs), targets)}


def r2(outputs: Array, targets: Array) -> float:
    """The coefficient of determination, its mean over the outputs.

    1 - sum (y - t)^2 / sum (t - mean t)^2; a constant target counts 1 if met exactly, else 0.
    """
    wanted = targets.astype(np.float64)
    residual = np.sum((outputs.astype(np.float64) - wanted) ** 2, axis=0)
    total = np.sum((wanted - wanted.mean(axis=0)) ** 2, axis=0)
    varied = total > 0.0
    constant = (residual == 0.0).astype(np.float64)
    scores = np.where(varied, 1.0 - residual / np.where(varied, total, 1.0), constant)
    return float(scores.mean())
