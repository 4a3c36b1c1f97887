"""Metrics of chosen classes and flags, as scikit-learn's functions of these names define them."""

from __future__ import annotations

import numpy as np

from ironmlp._metrics.task import Prediction

# Of how many classes `top5` is.
TOP = 5


def balanced_accuracy(made: Prediction) -> float:
    """The mean over the classes of the share of their rows that are found; classes without rows do
    not count (`balanced_accuracy_score`)."""
    tallies = made.tallies
    there = tallies.true > 0.0
    return float((tallies.met[there] / tallies.true[there]).mean()) if there.any() else 0.0


def f1(made: Prediction) -> float:
    """2 TP / (2 TP + FP + FN), 0 if there is nothing to divide by: of the second of two classes,
    else the mean over the classes that y or the prediction has, or over the flags (`f1_score`, with
    average="macro" for more than two classes)."""
    tallies = made.tallies
    either = tallies.true + tallies.predicted
    scores = np.divide(2.0 * tallies.met, either, out=np.zeros(len(either)), where=either > 0.0)
    if made.task.kind == "two":
        return float(scores[1])
    if made.task.kind == "classes":
        scores = scores[made.task.present | (np.bincount(made.chosen, minlength=len(scores)) > 0)]
    return float(scores.mean()) if scores.size else 0.0


def top5(made: Prediction) -> float:
    """The share of rows whose class is among the five most probable; of equally probable ones the
    last come first (`top_k_accuracy_score`, k=5)."""
    best = np.argsort(made.probabilities, axis=1, kind="stable")[:, -TOP:]
    found = np.any(best == made.task.indices[:, np.newaxis], axis=1)
    return float(np.sum(made.task.shares * found))


def log_loss(made: Prediction) -> float:
    """The mean of -log p of the row's class, where p is kept within the dtype's epsilon of 0 and 1
    (`log_loss`)."""
    task, p = made.task, made.probabilities
    epsilon = np.finfo(p.dtype).eps
    own = p[np.arange(len(p)), task.indices].clip(epsilon, 1.0 - epsilon)
    return float(-np.sum(task.shares * np.log(own.astype(np.float64))))
