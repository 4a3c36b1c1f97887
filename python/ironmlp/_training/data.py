"""What a `fit` trains on: X, y and weights, checked and as the core takes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ironmlp._core import Run
from ironmlp._engine import Engine
from ironmlp._engine.inputs import Names, Samples
from ironmlp._labels import Reading
from ironmlp._training.advance import Advance, ByCore, ByFunction
from ironmlp._training.course import Course
from ironmlp._training.split import Split
from ironmlp._training.streams import refuse_stream
from ironmlp._training.weights import checked_class_weight, classes_of, weighted
from ironmlp.losses import Loss


class TrainingData(NamedTuple):
    """The rows of a `fit`."""

    X: Samples
    # Of X's columns; None of an array.
    names: Names
    # Of a loss function of the user's also a tuple of arrays.
    targets: Any
    # How the model reads y from its first step on.
    reading: Reading
    # Of the rows; None if all are one.
    weights: NDArray[np.float64] | None
    # Which of the rows are trained on; None if all are.
    trained: NDArray[np.uint32] | None = None

    @property
    def rows(self) -> int:
        """How many are trained on."""
        return len(self.X if self.trained is None else self.trained)

    def weighted(self, model: Engine, class_weight: Any, part: Split | None) -> TrainingData:
        """The same, of which this part is trained on, with the weights that its classes have."""
        if part is None and class_weight is None:
            return self
        trained = None if part is None else part.trained
        weights = self.weights
        if class_weight is not None:
            factors = checked_class_weight(class_weight, model._loss, self.reading)
            classes = classes_of(self.reading, self.targets)
            weights = weighted(factors, classes, weights, trained)
        return self._replace(trained=trained, weights=weights)

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """The shape of one image; None for rows."""
        return self.X.shape[1:] if self.X.ndim > 2 else None

    def way(
        self, model: Engine, course: Course, check_finite: bool, validation: Any
    ) -> tuple[Advance, Callable[[], Run]]:
        """How a run over these rows goes on, and what begins it; `validation` is for the core."""
        loss, targets = model._loss, self.targets
        advance: Advance = ByCore()
        if not isinstance(loss, Loss):
            advance, targets = ByFunction(model._loss_of_rows(targets, self.weights)), None
        # No function of Python's, in which a Ctrl-C could come and keep the run.
        begin = partial(
            model._core.fit,
            self.X,
            targets,
            self.weights,
            course.epochs,
            course.batch_size,
            course.shuffle,
            check_finite,
            validation,
        )
        return advance, begin


def read_data(model: Engine, X: Any, y: Any, sample_weight: Any, classes: Any) -> TrainingData:
    """The arguments of these names; the model stays as it is."""
    refuse_stream(X)
    X, names = model._named_samples(X)
    targets, reading = model._reading.fit(y, len(X), classes)
    return TrainingData(X, names, targets, reading, model._weights(sample_weight, len(X)))
