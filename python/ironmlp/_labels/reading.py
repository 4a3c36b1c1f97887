"""What all readings of y share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ironmlp._arguments.arrays import Array
from ironmlp._environment import Computed
from ironmlp._labels.array import first_row
from ironmlp._labels.matching import listed, listed_classes, positions


class Reading(Computed, ABC):
    """The base: how to read y for a network with `outputs` outputs.

    `fit` returns the targets together with the reading that the model keeps if training begins, so
    a refused y leaves the model as it was.
    """

    _computed: tuple[str, ...] = ("fit", "encode", "labels", "probabilities")

    def __init__(self, outputs: int) -> None:
        self.outputs = outputs

    @property
    def classes(self) -> Array:
        raise AttributeError(
            "classes_ exists for models that choose between classes, this one does not"
        )

    @property
    def learned(self) -> Any:
        """What `fit` has learned of y, for `reading_of`: the known classes, or whether y was flat;
        None if nothing."""
        return None

    def fit(self, y: Any, rows: int, classes: Any = None) -> tuple[Array, Reading]:
        """The targets, and the reading that a model trained on them has.

        `classes` are all labels in the order of the outputs, for a y that may lack some.
        """
        refuse_classes(classes)
        return self.encode(y, rows), self

    @abstractmethod
    def encode(self, y: Any, rows: int) -> Array:
        """The targets, of labels already known."""

    @abstractmethod
    def labels(self, outputs: Array) -> Array:
        """What `predict` returns for the network's outputs (n, K)."""

    def answer(self, sort: bool, return_std: bool) -> Callable[[Array], Any]:
        """What makes of outputs (n, K) what `predict` returns with these arguments."""
        if sort:
            raise ValueError("sort is True, it is for models with the loss Quantile")
        if return_std:
            raise ValueError("return_std is True, it is for models with the loss GaussianNLL")
        return self.labels


def refuse_classes(classes: Any) -> None:
    if classes is not None:
        raise ValueError(
            "classes must be None for a model that does not choose between classes: it goes with "
            "cross_entropy, or binary_cross_entropy or focal and one output"
        )


class Classification(Reading):
    """The base of those for the cross-entropies and what is made of them."""

    def probabilities(self, outputs: Array) -> Array:
        """What `predict_proba` returns for the network's outputs (n, K)."""
        return numbers(self._probabilities(outputs), outputs)

    @abstractmethod
    def _probabilities(self, outputs: Array) -> Array:
        """The same, NaN where outputs have none."""


class Choice(Classification):
    """The base of those that choose one of several classes: the first of the most probable."""

    def __init__(self, outputs: int, known: Array | None) -> None:
        super().__init__(outputs)
        self.known = known

    @property
    def learned(self) -> Array | None:
        return self.known

    @abstractmethod
    def numbers_of(self, targets: Array) -> Array | None:
        """The number of each row's class, -1 of an ignored one; None if targets are
        probabilities."""

    def chosen(self, outputs: Array) -> Array:
        """The index of each row's class."""
        indices: Array = np.argmax(self.probabilities(outputs), axis=1)
        return indices

    def labels(self, outputs: Array) -> Array:
        labels: Array = self.classes[self.chosen(outputs)]
        return labels

    def with_classes(self, classes: Any) -> Array:
        """The classes of the argument `classes`, which must be the known ones if there are any."""
        known = listed_classes(classes, len(self.classes))
        if self.known is None:
            return known
        try:
            same = np.array_equal(positions(known, self.known), np.arange(len(known)))
        except (TypeError, ValueError):  # of another type, or with another label
            same = False
        if not same:
            raise ValueError(
                f"classes is {listed(known)}, the model's classes are {listed(self.known)}: "
                "reset() forgets them"
            )
        return self.known


def numbers(answers: Array, outputs: Array) -> Array:
    """`answers`, a row for each of the outputs, if none of them is NaN."""
    wrong = np.isnan(answers)
    if wrong.any():
        row = first_row(wrong)
        raise ValueError(
            f"row {row} of X has the outputs {listed(outputs[row])}, of which nothing can be "
            "predicted: look for NaN, infinite or very large numbers in X and in the parameters "
            "(forward gives such outputs as they are)"
        )
    return answers
