"""`class_weight`: a factor for each class on the weights of the rows that train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.values import real
from ironmlp._environment import computed
from ironmlp._labels import Choice, Reading, label_array, positions
from ironmlp._labels.matching import listed
from ironmlp.losses import CrossEntropy, Loss, LossFunction

Weights = NDArray[np.float64]

# Weights beyond these are too far from 1 for the product of two to be told from 0 or infinity.
LARGEST = 2.0**1000


def checked_class_weight(
    class_weight: Any, loss: Loss | LossFunction, reading: Reading
) -> str | Weights | None:
    """The argument of this name: "balanced", or the weight of each of the reading's classes."""
    if class_weight is None:
        return None
    if isinstance(loss, CrossEntropy) and loss.class_weight is not None:
        raise ValueError(
            "class_weight is given to fit and to CrossEntropy, it must be one of them: that of fit "
            "leaves validation unweighted"
        )
    if not isinstance(reading, Choice):
        raise ValueError(
            "class_weight goes with classes: cross_entropy, or binary_cross_entropy or focal and "
            "one output"
        )
    if isinstance(class_weight, str):
        if class_weight == "balanced":
            return class_weight
        raise ValueError(
            f"class_weight is {class_weight!r}, it must be 'balanced' or a dict {{label: weight}}"
        )
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"class_weight is {class_weight!r} ({type(class_weight).__name__}), it must be "
            "'balanced' or a dict {label: weight}"
        )
    factors = np.ones(len(reading.classes))
    for label, weight in class_weight.items():
        try:
            place = positions(label_array([label], "class_weight"), reading.classes)[0]
        except ValueError:
            raise ValueError(
                f"class_weight has {label!r}, the model's classes are {listed(reading.classes)}"
            ) from None
        factors[place] = real(f"class_weight[{label!r}]", weight, at_least=0.0)
    return factors


def classes_of(reading: Reading, targets: Any) -> NDArray[np.int64] | None:
    """The number of each row's class among `classes_`, -1 of an ignored one; None if the rows have
    no classes."""
    if not isinstance(reading, Choice):
        return None
    numbers: NDArray[np.int64] | None = reading.numbers_of(targets)
    return numbers


@computed
def weighted(
    class_weight: str | Weights | None,
    classes: NDArray[np.int64] | None,
    weights: Weights | None,
    trained: NDArray[np.uint32] | None,
) -> Weights | None:
    """The weights of all rows: those of the rows that are `trained` on (None: all) times their
    class's, the others as they are."""
    if class_weight is None:
        return weights
    if classes is None:
        raise ValueError(
            "class_weight goes with classes in y, which has probabilities: weigh the rows by "
            "sample_weight"
        )
    everywhere = slice(None) if trained is None else trained
    numbers = classes[everywhere]
    if isinstance(class_weight, str):
        counts = np.bincount(numbers[numbers >= 0])
        present = np.maximum(counts, 1)
        class_weight = counts.sum() / (np.count_nonzero(counts) * present)
    factors = np.where(numbers >= 0, class_weight[numbers], 1.0)
    product = np.ones(len(classes)) if weights is None else weights.copy()
    product[everywhere] = times(product[everywhere], factors)
    return product


def times(weights: Weights, factors: Weights) -> Weights:
    """The products, of which none overflows, nor vanishes beside the others, at any scale of both:
    where the scale of the products is beyond f64 it is the nearest that is not."""
    scale, of_factors = unit(weights), unit(factors)
    products = (weights / scale) * (factors / of_factors)
    exponent = np.log2(scale) + np.log2(of_factors)
    products *= 2.0 ** np.clip(exponent, -np.log2(LARGEST), np.log2(LARGEST))
    return products


def unit(weights: Weights) -> float:
    """A power of two near the largest."""
    largest = float(weights.max(initial=0.0))
    return 2.0 ** np.clip(np.floor(np.log2(largest)), -1022, 1022) if largest else 1.0
