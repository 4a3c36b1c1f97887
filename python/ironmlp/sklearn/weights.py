"""What rows count: their own weights, and those of their classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import _check_sample_weight

from ironmlp.sklearn.errors import ZeroWeightError


def checked_weights(sample_weight: Any, X: Any) -> NDArray[np.float64]:
    """Weights of the rows of X, none below zero."""
    zero = "Sample weights must contain at least one non-zero number."  # as scikit-learn 1.9 says
    try:
        weights = np.asarray(_check_sample_weight(sample_weight, X), np.float64)
    except ValueError as error:
        raise ZeroWeightError(zero) if str(error) == zero else error from None
    if not weights.any():
        raise ZeroWeightError(zero)
    if weights.min() < 0:
        raise ValueError("sample_weight has negative values, they must be at least 0")
    return weights


def factors_of_classes(
    class_weight: Any, classes: NDArray[Any], indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The factors (n,) on the weights of rows by the indices (n,) of their classes: "balanced", or
    a dict of all classes."""
    weights = compute_class_weight(class_weight, classes=classes, y=classes[indices])
    if not (np.isfinite(weights).all() and weights.min() >= 0):
        raise ValueError(
            f"class_weight is {class_weight}, all weights must be finite and at least 0"
        )
    factors: NDArray[np.float64] = weights[indices]
    return factors


def weighted(
    weights: NDArray[np.float64] | None,
    factors: NDArray[np.float64] | None,
    rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float64] | None:
    """Weights of all rows, those of `rows`, or of all, times their factors, if there are some."""
    if factors is None:
        return weights
    found = np.ones(len(factors)) if weights is None else weights.copy()
    chosen = slice(None) if rows is None else rows
    found[chosen] *= factors[chosen]
    return found
