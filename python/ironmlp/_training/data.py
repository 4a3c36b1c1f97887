"""What a `fit` trains on: X, y and weights, checked and as the core takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.arrays import Array
from ironmlp._engine import Engine
from ironmlp._labels import Reading


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The rows of a `fit`."""

    X: Array
    targets: Array
    # How the model reads y from its first step on.
    reading: Reading
    # Of the rows; None if all are one.
    weights: NDArray[np.float64] | None

    @property
    def rows(self) -> int:
        return len(self.X)

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """The shape of one image; None for rows."""
        return self.X.shape[1:] if self.X.ndim > 2 else None


def read_data(model: Engine, X: Any, y: Any, sample_weight: Any, classes: Any) -> TrainingData:
    """The arguments of these names; the model stays as it is."""
    X = model._samples(X)
    targets, reading = model._reading.fit(y, len(X), classes)
    return TrainingData(X, targets, reading, model._weights(sample_weight, len(X)))
