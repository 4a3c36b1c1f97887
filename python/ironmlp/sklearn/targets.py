"""y as the core takes it, and labels from outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels

from ironmlp.sklearn.networks import Float


@dataclass(frozen=True)
class Targets:
    """The targets of all rows."""

    # Class indices (n,), or numbers (n, K).
    values: NDArray[Any]
    # K, the outputs of a network for them.
    outputs: int
    # What a split is stratified by, if it is: whether a row is of the second class.
    labels: NDArray[Any] | None


def numbers(y: Any) -> Targets:
    """Those of a regression."""
    values = y.toarray() if hasattr(y, "toarray") else y.reshape(len(y), -1)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return Targets(values, values.shape[1], None)


class Labels:
    """The labels that a classifier knows: classes, or with several a row flags for each.

    Two classes have one output, more have one each. Flags that were learned from a sparse y are
    given back by the binarizer, which knows the kind of sparse array that scikit-learn returns.
    """

    def __init__(
        self, classes: NDArray[Any], multilabel: bool, binarizer: LabelBinarizer | None = None
    ) -> None:
        self.classes, self.multilabel, self.binarizer = classes, multilabel, binarizer

    @classmethod
    def of(cls, y: Any) -> Labels:
        """The labels in y."""
        if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biuUS":
            return cls(np.unique(y), False)
        # What is no label at all is refused here in scikit-learn's words.
        binarizer = LabelBinarizer().fit(y)
        multilabel = binarizer.y_type_.startswith("multilabel")
        return cls(binarizer.classes_, multilabel, binarizer if binarizer.sparse_input_ else None)

    @property
    def output(self) -> str:
        """The activation of the outputs."""
        return "softmax" if len(self.classes) > 2 and not self.multilabel else "logistic"

    def targets(self, y: Any, dtype: np.dtype[Any]) -> Targets:
        """y, whose labels are all known, as numbers."""
        if self.multilabel:
            flags = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
            return Targets((flags > 0).astype(dtype), flags.shape[1], None)
        indices = np.searchsorted(self.classes, y)
        if self.output == "softmax":
            return Targets(indices.astype(np.int64), len(self.classes), None)
        return Targets(indices.astype(dtype)[:, None], 1, indices.astype(bool))

    def check_known(self, y: Any, warm_start: bool) -> None:
        """Refuse labels that a fit which goes on does not know, or with `warm_start` other ones."""
        found = unique_labels(y)
        if warm_start:
            if set(found) != set(self.classes):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes}, `y` has {found}"
                )
        elif len(np.setdiff1d(found, self.classes, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes}. 'y' has {found}."
            )

    def chosen(self, outputs: Float) -> Any:
        """The labels that outputs (n, K) choose."""
        if self.multilabel:
            flags = (outputs > 0.5).astype(int)
            return flags if self.binarizer is None else self.binarizer.inverse_transform(flags)
        if outputs.shape[1] > 1:
            return self.classes[outputs.argmax(axis=1)]
        last = len(self.classes) - 1  # a single class is always chosen
        return self.classes[np.minimum((outputs[:, 0] > 0.5).astype(int), last)]


def is_multilabel(y: Any) -> bool:
    """Whether y has several flags a row."""
    return bool(type_of_target(y).startswith("multilabel"))
