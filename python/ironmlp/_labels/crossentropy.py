"""y of cross-entropy: one of K classes, or their probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ironmlp import _core
from ironmlp._arguments.arrays import Array, plural, real_array
from ironmlp._labels.array import first_row, label_array
from ironmlp._labels.matching import distinct, equal, is_range, listed, positions
from ironmlp._labels.reading import Choice, Reading
from ironmlp._labels.targets import are_targets, check_rows, unit_interval

# How far a row of class probabilities may be from summing to 1: float16 rounds each by 5e-4.
SUM_TOLERANCE = 1e-3


class Classes(Choice):
    """y is (n,) with class indices or exactly K labels, or (n, K) probabilities."""

    def __init__(self, outputs: int, ignore_index: int | None, known: Array | None = None) -> None:
        super().__init__(outputs, known)
        self.ignore_index = ignore_index

    @property
    def classes(self) -> Array:
        return np.arange(self.outputs) if self.known is None else self.known

    def fit(self, y: Any, rows: int, classes: Any = None) -> tuple[Array, Reading]:
        values = label_array(y)
        if classes is not None:
            return self._fit_among(self.with_classes(classes), values, rows)
        if self.known is not None or values.ndim != 1:
            return self._targets(values, rows), self
        check_rows(values, rows)
        known = np.arange(self.outputs)
        if values.dtype.kind == "b" and self.outputs == 2:
            known = known.astype(bool)
        elif not self._are_indices(values):
            known = distinct(values[~self._ignored(values)])
            self._check_labels(values, known)
            self._check_ignore_index(known)
        reading = Classes(self.outputs, self.ignore_index, known)
        return reading._indices(values), reading

    def _fit_among(self, known: Array, values: Array, rows: int) -> tuple[Array, Reading]:
        """As `fit`, with classes that were given."""
        check_rows(values, rows)
        if values.ndim != 1:
            raise ValueError(
                f"classes goes with labels, y of shape ({rows},); y has shape {values.shape}"
            )
        self._check_ignore_index(known)
        reading = Classes(self.outputs, self.ignore_index, known)
        return reading._indices(values), reading

    def encode(self, y: Any, rows: int) -> Array:
        return self._targets(label_array(y), rows)

    def _targets(self, values: Array, rows: int) -> Array:
        check_rows(values, rows)
        if values.ndim == 1:
            return self._indices(values)
        if values.shape != (rows, self.outputs):
            raise ValueError(
                f"y has shape {values.shape}, it must have shape ({rows},) with classes or "
                f"({rows}, {self.outputs}) with their probabilities"
            )
        targets = unit_interval(real_array("y", values))
        wrong = ~(np.abs(targets.sum(axis=1, dtype=np.float64) - 1.0) <= SUM_TOLERANCE)
        if wrong.any():
            row = first_row(wrong)
            raise ValueError(
                f"row {row} of y sums to {targets[row].sum():.6g}, the probabilities of classes "
                "sum to 1; flags that can be set together need binary_cross_entropy"
            )
        return targets

    def _check_labels(self, values: Array, known: Array) -> None:
        count = self.outputs
        if values.dtype.kind == "f" and are_targets(values):
            raise ValueError(
                "y has shape (n,) and holds fractions from 0 to 1, cross_entropy takes classes "
                f"there; probabilities have shape (n, {count})"
            )
        if len(known) != count:
            raise ValueError(
                f"y has {plural(len(known), 'label')} ({listed(known)}), the network has {count} "
                f"outputs: y holds integers from 0 to {count - 1}, or exactly {count} labels; "
                "classes=[...] names all where y lacks some"
            )

    def _check_ignore_index(self, known: Array) -> None:
        """Refuse an index that is a class too, or in the targets would be one."""
        ignored = self.ignore_index
        if ignored is None or is_range(known):
            return
        if 0 <= ignored < self.outputs:
            raise ValueError(
                f"ignore_index is {ignored}, with labels that are no indices it must lie "
                f"outside 0 to {self.outputs - 1}"
            )
        if equal(known, ignored).any():
            raise ValueError(f"classes has {ignored}, which is ignore_index and no class")

    def _ignored(self, values: Array) -> Array:
        if self.ignore_index is None:
            return np.zeros(values.shape, dtype=bool)
        return equal(values, self.ignore_index)

    def _are_indices(self, values: Array) -> bool:
        if values.dtype.kind not in "biuf":
            return False
        within = (values >= 0) & (values < self.outputs)
        if values.dtype.kind == "f":
            within &= np.floor(values) == values
        return bool(np.all(within | self._ignored(values)))

    def _indices(self, values: Array) -> Array:
        if is_range(self.classes) and self._are_indices(values):
            return values.astype(np.int64)
        ignored = self._ignored(values)
        indices = positions(values, self.classes, but=ignored)
        return np.where(ignored, self.ignore_index or 0, indices)

    def numbers_of(self, targets: Array) -> Array | None:
        if targets.ndim == 2:
            return None
        if self.ignore_index is None:
            return targets
        return np.where(targets == self.ignore_index, -1, targets)

    def _probabilities(self, outputs: Array) -> Array:
        return _core.softmax(outputs)
