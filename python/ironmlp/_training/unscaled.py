"""A look at the scales of data that a model has not met before."""

from __future__ import annotations

import math
import warnings

import numpy as np

from ironmlp._engine import Engine
from ironmlp._engine.architecture import STANDARDIZED
from ironmlp._training.data import TrainingData
from ironmlp._training.streams import Stream

# A network's initial weights are for numbers around 1. Of columns whose widths differ as much, the
# narrow ones count for nothing; targets as large take thousands of steps to reach.
RATIO = 1000.0
LARGE = 100.0
# In fewer rows columns of one scale may differ as much by chance.
ROWS = 8


def warn_of_scales(model: Engine, data: TrainingData | Stream) -> None:
    """Warn, once for each model: before its first step.

    Images and bytes are left out, whose columns are all of one kind, and what is standardized.
    """
    core = model._core
    if core.steps or not isinstance(data, TrainingData):
        return
    X = data.X
    of_bytes = isinstance(X, np.ndarray) and X.dtype.itemsize == 1
    of_x = not (model._standardize or core.in_features is None or of_bytes or len(X) < ROWS)
    of_y = isinstance(model._loss, STANDARDIZED) and not model._standardize_y
    if not (of_x or of_y):
        return
    ratio, largest = core.look(X if of_x else None, data.targets if of_y else None)
    found = []
    if RATIO <= ratio < math.inf:  # infinite where X is
        found.append(
            f"the widest column of X spans {ratio:.2g} times as much as the narrowest: "
            "standardize=True brings all to one scale"
        )
    if largest > LARGE:
        found.append(f"y reaches {largest:.3g}: standardize_y=True brings it to a scale of 1")
    if found:
        warnings.warn(
            f"{'; '.join(found)} (an argument of the model; without it training may take long, or "
            "learn little)",
            UserWarning,
            stacklevel=4,
        )
