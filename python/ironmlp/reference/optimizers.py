"""One update of a parameter."""
# Not every formula has the number of the update in it.
# ruff: noqa: ARG001

import math
from typing import Any

import numpy as np

from .specs import Array, kind


def updated(
    o: Any, lr: float, w: Array, g: Array, memory: Any, t: int, decays: bool = True
) -> tuple[Array, Any]:
    """Update t = 1, 2, ... of a parameter w by its gradient g: the new w, and the new memory.

    o is the optimizer; the memory of w holds two arrays of its shape, zero at first. `decays`:
    whether its weight decay is for w.
    """
    return OPTIMIZERS[kind(o)](o if decays else WithoutDecay(o), lr, w, g, memory, t)


class WithoutDecay:
    """An optimizer without its weight decay."""

    weight_decay = 0.0

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)


def sgd(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    m, v = memory
    g = g + o.weight_decay * w
    m = o.momentum * m + g
    return w - lr * (g + o.momentum * m if o.nesterov else m), (m, v)


def adam(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    step, memory = adam_step(o, g + o.weight_decay * w, memory, t)
    return w - lr * step, memory


def adamw(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    step, memory = adam_step(o, g, memory, t)
    return w - lr * o.weight_decay * w - lr * step, memory


def adam_step(o: Any, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    """What Adam subtracts, but for the learning rate."""
    (b1, b2), (m, v) = o.betas, memory
    m = b1 * m + (1.0 - b1) * g
    v = b2 * v + (1.0 - b2) * g * g
    root = np.sqrt(v) / math.sqrt(1.0 - b2**t) + o.eps
    return m / root / (1.0 - b1**t), (m, v)


def lion(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    (b1, b2), (m, unused) = o.betas, memory
    direction = np.sign(b1 * m + (1.0 - b1) * g)
    return w - lr * (direction + o.weight_decay * w), (b2 * m + (1.0 - b2) * g, unused)


OPTIMIZERS = {"SGD": sgd, "Adam": adam, "AdamW": adamw, "Lion": lion}
