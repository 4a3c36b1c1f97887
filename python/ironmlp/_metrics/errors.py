"""Metrics of numbers, as scikit-learn's functions of these names define them: the mean over the
outputs of the weighted mean over the rows, in float64."""

from __future__ import annotations

import numpy as np

from ironmlp._arguments.arrays import Array
from ironmlp._metrics.task import Prediction


def differences(made: Prediction) -> Array:
    found: Array = made.estimates.astype(np.float64) - made.task.targets
    return found


def mean(made: Prediction, values: Array) -> Array:
    """The weighted mean over the rows, (K,)."""
    found: Array = np.sum(made.task.shares[:, np.newaxis] * values, axis=0)
    return found


def mae(made: Prediction) -> float:
    """The mean of |y - t| (`mean_absolute_error`)."""
    return float(mean(made, np.abs(differences(made))).mean())


def rmse(made: Prediction) -> float:
    """The root of the mean of (y - t)^2 (`root_mean_squared_error`)."""
    return float(np.sqrt(mean(made, differences(made) ** 2)).mean())


def r2(made: Prediction) -> float:
    """1 - sum w (y - t)^2 / sum w (t - m)^2 with the weighted mean m of t; a constant target counts
    1 if met exactly, else 0 (`r2_score`)."""
    wanted = made.task.targets.astype(np.float64)
    residual = mean(made, differences(made) ** 2)
    total = mean(made, (wanted - mean(made, wanted)) ** 2)
    varied = total > 0.0
    constant = (residual == 0.0).astype(np.float64)
    scores = np.where(varied, 1.0 - residual / np.where(varied, total, 1.0), constant)
    return float(scores.mean())
