"""What every optimizer does beside its formula: penalties on weights, clipping, an average."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from .losses import counted, row_weights
from .silent import silent
from .specs import Array, kind

Tensors = dict[str, Array]


@silent
def batch_weight(y: Array, targets: Array, weight: Any, loss: Any) -> float:
    """What the rows of a batch weigh together, in a cross-entropy each times its class's weight."""
    if kind(loss) == "CrossEntropy":
        return counted(y, targets, weight, loss)
    return float(np.sum(row_weights(weight, len(y))))


@silent
def penalized(
    o: Any, parameters: Tensors, grads: Tensors, trained: Collection[str], weight: float
) -> tuple[float, Tensors]:
    """The penalty on weights, of a batch whose rows weigh so much, and the gradients with it."""
    if not (o.l1 or o.l2) or weight == 0.0:
        return 0.0, grads
    value, grads = 0.0, dict(grads)
    for key in trained:
        w = parameters[key]
        if w.ndim > 1:  # no bias, no normalization's
            wide = w.astype(np.float64)
            value += o.l1 * float(np.abs(wide).sum()) + 0.5 * o.l2 * float((wide * wide).sum())
            grads[key] = grads[key] + o.l2 / weight * w + o.l1 / weight * np.sign(w)
    return value / weight, grads


@silent
def clipped(o: Any, grads: Tensors) -> Tensors:
    """Gradients with no element beyond `clip_value`, then with no norm beyond `clip_norm`."""
    if o.clip_value is not None:
        grads = {key: np.clip(g, -o.clip_value, o.clip_value) for key, g in grads.items()}
    if o.clip_norm is None:
        return grads
    squares = sum(float((g.astype(np.float64) ** 2).sum()) for g in grads.values())
    factor = min(1.0, o.clip_norm / (math.sqrt(squares) + 1e-6))
    return {key: g * g.dtype.type(factor) for key, g in grads.items()}


@silent
def moved_average(o: Any, average: Tensors, parameters: Mapping[str, Array]) -> Tensors:
    """The average of the parameters after an update of them; nothing without `ema`."""
    return {key: a + (1.0 - o.ema) * (parameters[key] - a) for key, a in average.items()}
