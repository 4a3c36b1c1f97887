"""y of binary cross-entropy and focal: flags, or one of two classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ironmlp import _core
from ironmlp._arguments.arrays import Array, plural, real_array
from ironmlp._labels.array import label_array, number_array
from ironmlp._labels.matching import distinct, is_range, listed, positions
from ironmlp._labels.reading import Choice, Classification, Reading
from ironmlp._labels.targets import are_targets, columns, unit_interval

# Logits of such a magnitude have probabilities on their own side of 1/2 in every dtype: what
# rounding does to them is far smaller.
CLEAR = 2.0**-10


class Flags(Classification):
    """Several outputs: y is (n, K), numbers in [0, 1]. `predict` sets those above 1/2."""

    def __init__(self, outputs: int, from_logits: bool) -> None:
        super().__init__(outputs)
        self.from_logits = from_logits

    def encode(self, y: Any, rows: int) -> Array:
        return unit_interval(columns(number_array(y), rows, self.outputs))

    def labels(self, outputs: Array) -> Array:
        return (self.probabilities(outputs) > 0.5).astype(np.int64)

    def _probabilities(self, outputs: Array) -> Array:
        return _core.sigmoid(outputs) if self.from_logits else outputs


class TwoClasses(Choice):
    """One output: y is (n,) or (n, 1).

    Numbers in [0, 1] are the targets themselves; otherwise y has two labels of any type, and the
    output is about the second of the classes, which are sorted unless they were given.
    """

    def __init__(self, from_logits: bool, known: Array | None = None) -> None:
        super().__init__(1, known)
        self.from_logits = from_logits

    @property
    def classes(self) -> Array:
        return np.arange(2) if self.known is None else self.known

    def fit(self, y: Any, rows: int, classes: Any = None) -> tuple[Array, Reading]:
        values = self._values(y, rows)
        if classes is not None:
            known = self.with_classes(classes)
            targets = positions(values, known)[:, np.newaxis]
            return targets, TwoClasses(self.from_logits, known)
        if self.known is not None:
            return self._targets(values), self
        known = np.arange(2)
        if values.dtype.kind == "b":
            known = known.astype(bool)
        elif not are_targets(values):
            known = distinct(values)
            if len(known) != 2:
                raise ValueError(
                    f"y has {plural(len(known), 'label')} ({listed(known)}), binary_cross_entropy "
                    "and focal take numbers from 0 to 1, or exactly 2 labels: classes=[...] names "
                    "both where y lacks one"
                )
        reading = TwoClasses(self.from_logits, known)
        return reading._targets(values), reading

    def encode(self, y: Any, rows: int) -> Array:
        return self._targets(self._values(y, rows))

    def _values(self, y: Any, rows: int) -> Array:
        return columns(label_array(y), rows, 1)[:, 0]

    def _targets(self, values: Array) -> Array:
        classes = self.classes
        if not is_range(classes) or values.dtype.kind not in "biuf":
            values = positions(values, classes)
        else:
            values = real_array("y", unit_interval(values))
        return values[:, np.newaxis]

    def numbers_of(self, targets: Array) -> Array | None:
        are_labels = np.all((targets == 0) | (targets == 1))
        return targets[:, 0].astype(np.int64) if are_labels else None

    def chosen(self, outputs: Array) -> Array:
        if self.from_logits and np.abs(outputs).min() >= CLEAR:  # and none is NaN
            return (outputs[:, 0] > 0.0).astype(np.intp)
        return super().chosen(outputs)

    def _probabilities(self, outputs: Array) -> Array:
        if self.from_logits:
            # sigmoid(-x) keeps the digits that 1 - sigmoid(x) loses.
            return _core.sigmoid(np.concatenate([-outputs, outputs], axis=1))
        return np.concatenate([1.0 - outputs, outputs], axis=1)
