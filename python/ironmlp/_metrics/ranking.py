"""Metrics of the order in which probabilities put rows, as scikit-learn's functions of these names
define them: of the probability of the second of two classes, else the mean over the classes, each
against all others, or over the flags. A class or flag that no row has does not count, nor for
`roc_auc` one that all rows have; NaN if none counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.arrays import Array
from ironmlp._metrics.task import Prediction

Sums = NDArray[np.float64]


def roc_auc(made: Prediction) -> float:
    """The area under the curve of the true-positive over the false-positive rate, by trapezoids:
    `roc_auc_score`, with average="macro" and multi_class="ovr" for more than two classes."""
    return macro(made, area)


def average_precision(made: Prediction) -> float:
    """The sum of (R_k - R_(k-1)) P_k over the thresholds, with precision P and recall R:
    `average_precision_score`, with average="macro"."""
    return macro(made, precision)


def macro(made: Prediction, score: Callable[[Sums, Sums], float | None]) -> float:
    columns = zip(made.task.flags.T, made.scores.T, strict=True)
    found = [score(*sums(truth, scores, made.task.shares)) for truth, scores in columns]
    defined = [number for number in found if number is not None]
    return float(np.mean(defined)) if defined else float("nan")


def sums(truth: Array, scores: Array, weights: Sums) -> tuple[Sums, Sums]:
    """The weights of rows that are it, and of rows that are not, with at least the score: for each
    different score, the largest first."""
    counted = weights > 0.0
    truth, scores, weights = truth[counted], scores[counted], weights[counted]
    order = np.argsort(-scores, kind="stable")
    truth, scores, weights = truth[order], scores[order], weights[order]
    # Where the next row has another score.
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
    return np.cumsum(weights * truth)[last], np.cumsum(weights * ~truth)[last]


def area(right: Sums, wrong: Sums) -> float | None:
    if not (right.size and right[-1] > 0.0 and wrong[-1] > 0.0):
        return None
    right, wrong = np.append(0.0, right), np.append(0.0, wrong)
    twice = np.sum(np.diff(wrong) * (right[1:] + right[:-1]))
    return float(twice / 2.0 / (right[-1] * wrong[-1]))


def precision(right: Sums, wrong: Sums) -> float | None:
    if not (right.size and right[-1] > 0.0):
        return None
    steps = np.diff(np.append(0.0, right))
    return float(np.sum(steps * right / (right + wrong)) / right[-1])
