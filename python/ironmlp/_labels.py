"""What y means for each kind of loss: y to targets, and outputs back to labels.

One immutable class for each row of the table in the guide; `fit` returns the targets together with
the reading that the model keeps if training begins, so a refused y leaves the model as it was.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ironmlp import _core
from ironmlp._arrays import Array, as_array, plural, real_array
from ironmlp._environment import Computed, computed
from ironmlp.losses import BinaryCrossEntropy, CrossEntropy, Loss, LossFunction

# How far a row of class probabilities may be from summing to 1: float16 rounds each by 5e-4.
SUM_TOLERANCE = 1e-3


class Reading(Computed, ABC):
    """The base: how to read y for a network with `outputs` outputs."""

    _computed = ("fit", "encode", "labels", "probabilities", "score")

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

    def fit(self, y: Any, rows: int) -> tuple[Array, Reading]:
        """The targets, and the reading that a model trained on them has."""
        return self.encode(y, rows), self

    @abstractmethod
    def encode(self, y: Any, rows: int) -> Array:
        """The targets, of labels already known."""

    @abstractmethod
    def labels(self, outputs: Array) -> Array:
        """What `predict` returns for the network's outputs (n, K)."""

    @abstractmethod
    def score(self, outputs: Array, targets: Array) -> dict[str, float]:
        """The name and value of what `evaluate` returns beside the loss."""


class Classification(Reading):
    """The base of those for the cross-entropies."""

    @abstractmethod
    def probabilities(self, outputs: Array) -> Array:
        """What `predict_proba` returns for the network's outputs (n, K)."""


class Numbers(Reading):
    """Regression: y is (n,) for one output, or (n, K). `predict` returns the shape of y."""

    def __init__(self, outputs: int, flat: bool) -> None:
        super().__init__(outputs)
        self.flat = flat

    @property
    def learned(self) -> bool:
        return self.flat

    def fit(self, y: Any, rows: int) -> tuple[Array, Reading]:
        return self.encode(y, rows), Numbers(self.outputs, np.ndim(y) == 1)

    def encode(self, y: Any, rows: int) -> Array:
        targets = columns(real_array("y", y), rows, self.outputs)
        check_finite(targets)
        return targets

    def labels(self, outputs: Array) -> Array:
        return outputs[:, 0] if self.flat else outputs

    def score(self, outputs: Array, targets: Array) -> dict[str, float]:
        return {"r2": r2(outputs, targets)}


class Flags(Classification):
    """Binary cross-entropy with several outputs: y is (n, K), numbers in [0, 1]."""

    def __init__(self, outputs: int, from_logits: bool) -> None:
        super().__init__(outputs)
        self.from_logits = from_logits

    def encode(self, y: Any, rows: int) -> Array:
        return unit_interval(columns(real_array("y", y), rows, self.outputs))

    def labels(self, outputs: Array) -> Array:
        return self._positive(outputs).astype(np.int64)

    def probabilities(self, outputs: Array) -> Array:
        return _core.sigmoid(outputs) if self.from_logits else outputs

    def score(self, outputs: Array, targets: Array) -> dict[str, float]:
        return {"accuracy": float(np.mean(self._positive(outputs) == (targets > 0.5)))}

    def _positive(self, outputs: Array) -> Array:
        positive: Array = outputs > (0.0 if self.from_logits else 0.5)
        return positive


class TwoClasses(Flags):
    """Binary cross-entropy with one output: y is (n,) or (n, 1).

    Numbers in [0, 1] are the targets themselves; otherwise y has two labels of any type, and the
    output is about the second one in sorted order.
    """

    def __init__(self, from_logits: bool, known: Array | None = None) -> None:
        super().__init__(1, from_logits)
        self.known = known

    @property
    def learned(self) -> Array | None:
        return self.known

    @property
    def classes(self) -> Array:
        return np.arange(2) if self.known is None else self.known

    def fit(self, y: Any, rows: int) -> tuple[Array, Reading]:
        if self.known is not None:
            return self.encode(y, rows), self
        values = self._values(y, rows)
        known = np.arange(2)
        if values.dtype.kind == "b":
            known = known.astype(bool)
        elif not are_targets(values):
            known = distinct(values)
            if len(known) != 2:
                raise ValueError(
                    f"y has {plural(len(known), 'label')} ({listed(known)}), binary_cross_entropy "
                    "takes numbers from 0 to 1, or exactly 2 labels"
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
            unit_interval(values)
        return values[:, np.newaxis]

    def labels(self, outputs: Array) -> Array:
        return self.classes[self._positive(outputs)[:, 0].astype(np.intp)]

    def probabilities(self, outputs: Array) -> Array:
        if self.from_logits:
            # sigmoid(-x) keeps the digits that 1 - sigmoid(x) loses.
            return _core.sigmoid(np.concatenate([-outputs, outputs], axis=1))
        return np.concatenate([1.0 - outputs, outputs], axis=1)


class Classes(Classification):
    """Cross-entropy: y is (n,) with class indices or exactly K labels, or (n, K) probabilities."""

    def __init__(self, outputs: int, ignore_index: int | None, known: Array | None = None) -> None:
        super().__init__(outputs)
        self.ignore_index = ignore_index
        self.known = known

    @property
    def learned(self) -> Array | None:
        return self.known

    @property
    def classes(self) -> Array:
        return np.arange(self.outputs) if self.known is None else self.known

    def fit(self, y: Any, rows: int) -> tuple[Array, Reading]:
        values = label_array(y)
        if self.known is not None or values.ndim != 1:
            return self.encode(y, rows), self
        check_rows(values, rows)
        known = np.arange(self.outputs)
        if values.dtype.kind == "b" and self.outputs == 2:
            known = known.astype(bool)
        elif not self._are_indices(values):
            known = distinct(values[~self._ignored(values)])
            self._check_labels(values, known)
        reading = Classes(self.outputs, self.ignore_index, known)
        return reading._indices(values), reading

    def encode(self, y: Any, rows: int) -> Array:
        values = label_array(y)
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
                f"outputs: y holds integers from 0 to {count - 1}, or exactly {count} labels"
            )
        if self.ignore_index is not None and 0 <= self.ignore_index < count:
            raise ValueError(
                f"ignore_index is {self.ignore_index}, with labels that are no indices it must lie "
                f"outside 0 to {count - 1}"
            )

    def _ignored(self, values: Array) -> Array:
        if self.ignore_index is None or values.dtype.kind not in "biuf":
            return np.zeros(values.shape, dtype=bool)
        ignored: Array = values == self.ignore_index
        return ignored

    def _are_indices(self, values: Array) -> bool:
        if values.dtype.kind not in "biuf":
            return False
        within = (values >= 0) & (values < self.outputs)
        if values.dtype.kind == "f":
            within &= np.floor(values) == values
        return bool(np.all(within | self._ignored(values)))

    def _indices(self, values: Array) -> Array:
        if is_range(self.classes):
            if not self._are_indices(values):
                values = positions(values, self.classes)
            return values.astype(np.int64)
        ignored = self._ignored(values)
        indices = np.full(len(values), self.ignore_index or 0, dtype=np.int64)
        indices[~ignored] = positions(values[~ignored], self.classes)
        return indices

    def labels(self, outputs: Array) -> Array:
        labels: Array = self.classes[np.argmax(outputs, axis=1)]
        return labels

    def probabilities(self, outputs: Array) -> Array:
        return _core.softmax(outputs)

    def score(self, outputs: Array, targets: Array) -> dict[str, float]:
        predicted = np.argmax(outputs, axis=1)
        if targets.ndim == 2:
            return {"accuracy": float(np.mean(predicted == np.argmax(targets, axis=1)))}
        counted = ~self._ignored(targets)
        right = np.count_nonzero((predicted == targets) & counted)
        return {"accuracy": float(right) / max(int(np.count_nonzero(counted)), 1)}


def reading_of(loss: Loss | LossFunction, outputs: int, learned: Any = None) -> Reading:
    """How a network with this loss reads y: before any fit, or with what one has learned."""
    if isinstance(loss, CrossEntropy):
        return Classes(outputs, loss.ignore_index, learned)
    if isinstance(loss, BinaryCrossEntropy):
        if outputs == 1:
            return TwoClasses(loss.from_logits, learned)
        return Flags(outputs, loss.from_logits)
    return Numbers(outputs, flat=bool(learned))


def label_array(y: Any) -> Array:
    """y as an array without missing values: numbers in a dtype that the compiled part reads, or
    labels of another type."""
    values = as_array("y", y)
    if values.dtype.kind == "O":
        # pandas keeps columns of integers and bools with gaps as objects.
        inferred = as_array("y", values.tolist())
        if inferred.shape == values.shape and inferred.dtype.kind in "biuf":
            values = inferred
    if values.dtype.kind in "cV":
        raise TypeError(f"y has dtype {values.dtype}, it must hold real numbers or labels")
    if values.dtype.kind in "biuf":
        values = real_array("y", values)
    if values.dtype.kind in "fMm":
        check_finite(values)
    return values


def check_finite(values: Array) -> None:
    if values.dtype.kind in "biu":
        return
    wrong = np.isnat(values) if values.dtype.kind in "Mm" else ~np.isfinite(values)
    if wrong.any():
        row = first_row(wrong)
        raise ValueError(f"y has a NaN or infinite value in row {row}, all must be finite")


@computed
def in_dtype(values: Array, dtype: str) -> Array:
    """Targets in a model's dtype, which must hold them."""
    values = values.astype(dtype)
    check_finite(values)
    return values


def check_rows(values: Array, rows: int) -> None:
    if values.ndim == 0 or len(values) != rows:
        got = f"shape {values.shape}" if values.ndim == 0 else plural(len(values), "row")
        raise ValueError(f"y has {got}, X has {plural(rows, 'row')}")


def columns(values: Array, rows: int, outputs: int) -> Array:
    """`values` as (rows, outputs); (rows,) counts as one column."""
    check_rows(values, rows)
    if values.ndim == 1 and outputs == 1:
        return values[:, np.newaxis]
    if values.shape != (rows, outputs):
        must = f"({rows},) or ({rows}, 1)" if outputs == 1 else f"({rows}, {outputs})"
        raise ValueError(
            f"y has shape {values.shape}, the network has {plural(outputs, 'output')}: "
            f"y must have shape {must}"
        )
    return values


def are_targets(values: Array) -> bool:
    """Whether these are numbers in [0, 1]."""
    return values.dtype.kind in "biuf" and bool(np.all((values >= 0) & (values <= 1)))


def unit_interval(values: Array) -> Array:
    """`values`, if they all lie in [0, 1]."""
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        row = first_row(wrong)
        value = values[row][wrong[row]].ravel()[0] if values.ndim > 1 else values[row]
        raise ValueError(f"y has {value} in row {row}, targets must lie from 0 to 1")
    return values


def is_range(classes: Array) -> bool:
    """Whether the classes are 0, 1, ..., so that a label is its own index."""
    return classes.dtype.kind in "bi" and bool(np.all(classes == np.arange(len(classes))))


def distinct(values: Array) -> Array:
    """The different values, sorted."""
    try:
        return np.unique(values)
    except TypeError:
        raise TypeError("y has labels of several types, they must be sortable") from None


def positions(values: Array, classes: Array) -> Array:
    """The index in `classes` of each value."""
    if label_kind(values) != label_kind(classes):
        raise ValueError(f"y has dtype {values.dtype}, the model's classes are {listed(classes)}")
    try:
        indices = np.searchsorted(classes, values)
    except TypeError:
        raise TypeError("y has labels of several types, they must be sortable") from None
    indices = np.minimum(indices, len(classes) - 1)
    wrong = classes[indices] != values
    if wrong.any():
        row = first_row(wrong)
        label = values[row : row + 1].tolist()[0]
        raise ValueError(f"y[{row}] is {label!r}, the model's classes are {listed(classes)}")
    return indices


def label_kind(values: Array) -> str:
    """A letter that values of comparable types share: numbers, strings and objects, or others."""
    kind = values.dtype.kind
    return "i" if kind in "biuf" else "U" if kind in "UOT" else kind


def listed(labels: Array) -> str:
    """The first labels for a message."""
    shown = ", ".join(repr(label) for label in labels[:10].tolist())
    return f"{shown}, ..." if len(labels) > 10 else shown


def first_row(wrong: Array) -> int:
    """The first row of a boolean array with a True."""
    return int(wrong.reshape(len(wrong), -1).any(axis=1).argmax())


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
