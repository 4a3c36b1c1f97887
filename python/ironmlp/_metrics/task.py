"""What outputs of some rows are to meet, and what they predict: in the forms that metrics take."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.arrays import Array
from ironmlp._environment import computed
from ironmlp._labels import Choice, Classification, Numbers, Reading
from ironmlp._labels.binary import Flags, TwoClasses

# What can be predicted: one of two classes, one of several, flags, the probabilities of any of
# these, numbers, and what only a loss function of the user's knows.
KINDS = {
    "two": "two classes",
    "classes": "several classes",
    "flags": "flags",
    "probabilities": "probabilities as targets",
    "numbers": "numbers",
    "own": "targets that only its loss function knows",
}


class Task:
    """Targets of some rows as a reading made them, with weights of the rows or None.

    Rows of `ignore_index` are left out of everything here.
    """

    def __init__(self, reading: Reading, targets: Any, weights: NDArray[np.float64] | None) -> None:
        self.reading = reading
        self._counted: Array | None = None
        self.kind = "own"
        if isinstance(reading, Choice):
            numbers = reading.numbers_of(targets)
            self.kind = "probabilities"
            if numbers is not None:
                self.kind = "two" if isinstance(reading, TwoClasses) else "classes"
                self._counted = None if np.all(numbers >= 0) else numbers >= 0
        elif isinstance(reading, Flags):
            whole = np.all((targets == 0) | (targets == 1))
            self.kind = "flags" if whole else "probabilities"
        elif isinstance(reading, Numbers) and isinstance(targets, np.ndarray):
            fits = targets.shape[1:] == (reading.targets,) and targets.dtype.kind in "biuf"
            self.kind = "numbers" if fits else "own"
        self.targets = self.counted(targets)
        self.weights = None if weights is None else self.counted(weights)

    def counted(self, rows: Any) -> Any:
        """Those of the rows that are not ignored."""
        if self._counted is None:
            return rows
        return rows[self._counted]

    @cached_property
    def truth(self) -> Any:
        """What y said: labels (n,), flags (n, K), or numbers in the shape of y."""
        if self.kind == "two":
            return self.reading.classes[self.indices]
        if self.kind == "classes":
            return self.reading.classes[self.targets]
        if self.kind == "flags":
            return self.targets.astype(np.int64)
        flat = self.kind == "numbers" and getattr(self.reading, "flat", False)
        return self.targets[:, 0] if flat else self.targets

    @cached_property
    def indices(self) -> Array:
        """The class of each row, (n,)."""
        two = self.kind == "two"
        indices: Array = self.targets[:, 0].astype(np.intp) if two else self.targets
        return indices

    @cached_property
    def classes(self) -> int:
        """How many there are."""
        return 2 if self.kind == "two" else self.reading.outputs

    @cached_property
    def present(self) -> Array:
        """Which of the classes the rows have, (C,)."""
        return np.asarray(np.bincount(self.indices, minlength=self.classes) > 0)

    @cached_property
    def true(self) -> Array:
        """The shares of each class's rows, (C,), or of those that have each flag, (K,)."""
        if self.kind == "flags":
            return self.shares @ self.flags
        return np.bincount(self.indices, self.shares, self.classes)

    @cached_property
    def flags(self) -> Array:
        """Which of the things that a score is for a row is, (n, C): the second of two classes, each
        class, or each flag."""
        if self.kind == "classes":
            return np.asarray(self.indices[:, np.newaxis] == np.arange(self.reading.outputs))
        return np.asarray(self.targets > 0.5)

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The weight of each row among all of them, (n,): 0 if no row counts."""
        weights = np.ones(len(self.targets)) if self.weights is None else self.weights
        largest = weights.max(initial=0.0)
        if not largest:
            return np.zeros(len(weights))
        shares: NDArray[np.float64] = weights / largest
        shares /= shares.sum()
        return shares


class Tallies(NamedTuple):
    """Of each class, (C,), or flag, (K,), the shares of the rows that have it, that are said to
    have it, and both."""

    true: Array
    predicted: Array
    met: Array


class Prediction:
    """A task, and the outputs (n, K) for all of its rows."""

    def __init__(self, task: Task, outputs: Array) -> None:
        self.task = task
        # With the ignored rows.
        self._all = outputs

    @cached_property
    def outputs(self) -> Array:
        outputs: Array = self.task.counted(self._all)
        return outputs

    @cached_property
    def estimates(self) -> Array:
        """What is compared with the numbers of y, (n, C)."""
        reading = self.task.reading
        assert isinstance(reading, Numbers)
        return reading.estimates(self.outputs)

    @cached_property
    def probabilities(self) -> Array:
        """What `predict_proba` gives: (n, 2), or (n, K)."""
        reading = self.task.reading
        assert isinstance(reading, Classification)
        return reading.probabilities(self.outputs)

    @cached_property
    def scores(self) -> Array:
        """The probabilities of the task's `flags`, (n, C)."""
        two = isinstance(self.task.reading, TwoClasses)
        return self.probabilities[:, 1:] if two else self.probabilities

    @property
    def positive(self) -> Array:
        """As `scores`, of two classes (n,)."""
        return self.scores[:, 0] if isinstance(self.task.reading, TwoClasses) else self.scores

    @cached_property
    def chosen(self) -> Array:
        """The class of each row, (n,), or each flag, (n, K)."""
        if isinstance(self.task.reading, Flags):
            return (self.probabilities > 0.5).astype(np.int64)
        chosen: Array = np.argmax(self.probabilities, axis=1)
        return chosen

    @cached_property
    def tallies(self) -> Tallies:
        task, chosen = self.task, self.chosen
        if task.kind == "flags":
            met = task.shares @ (task.flags & (chosen == 1))
            return Tallies(task.true, task.shares @ chosen, met)
        met = np.bincount(task.indices, task.shares * (task.indices == chosen), task.classes)
        return Tallies(task.true, np.bincount(chosen, task.shares, task.classes), met)

    @cached_property
    def labels(self) -> Array:
        """What `predict` gives."""
        reading = self.task.reading
        if not isinstance(reading, Classification):
            return reading.labels(self.outputs)
        if isinstance(reading, Flags):
            return self.chosen
        labels: Array = reading.classes[self.chosen]
        return labels

    @computed
    def is_defined(self) -> bool:
        """Whether something can be predicted of each row; where not, none of these can be had."""
        try:
            if isinstance(self.task.reading, Classification):
                return self.probabilities is not None
            return not np.isnan(self.outputs).any()
        except ValueError:
            return False
