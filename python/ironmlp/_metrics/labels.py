"""Metrics of chosen classes and flags, as scikit-learn's functions of these names define them."""

from __future__ import annotations

import numpy as np

from ironmlp._arguments.arrays import Array
from ironmlp._metrics.task import Prediction

# Of how many classes `top5` is.
TOP = 5


def balanced_accuracy(made: Prediction) -> float:
    """The mean over the classes of the share of their rows that are found; classes without rows do
    not count (`balanced_accuracy_score`)."""
    task = made.task
    classes = 2 if task.kind == "two" else task.reading.outputs
    rows = np.bincount(task.indices, task.shares, classes)
    found = np.bincount(task.indices, task.shares * (task.indices == made.chosen), classes)
    there = rows > 0.0
    return float(np.mean(found[there] / rows[there])) if there.any() else 0.0


def f1(made: Prediction) -> float:
    """2 TP / (2 TP + FP + FN), 0 if there is nothing to divide by: of the second of two classes,
    else the mean over the classes that y or the prediction has, or over the flags (`f1_score`, with
    average="macro" for more than two classes)."""
    task = made.task
    truth, predicted = task.flags, one_hot(made)
    weights = task.shares[:, np.newaxis]
    met = np.sum(weights * (truth & predicted), axis=0)
    either = np.sum(weights * truth, axis=0) + np.sum(weights * predicted, axis=0)
    scores = np.divide(2.0 * met, either, out=np.zeros(len(met)), where=either > 0.0)
    if task.kind == "classes":
        scores = scores[truth.any(axis=0) | predicted.any(axis=0)]
    return float(scores.mean()) if scores.size else 0.0


def one_hot(made: Prediction) -> Array:
    """The prediction in the form of the task's `flags`."""
    if made.task.kind == "flags":
        return np.asarray(made.chosen == 1)
    classes = np.array([1]) if made.task.kind == "two" else np.arange(made.task.reading.outputs)
    return np.asarray(made.chosen[:, np.newaxis] == classes)


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
