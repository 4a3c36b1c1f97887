"""One update of a parameter."""

import math
from typing import Any

import numpy as np

from .specs import Array, kind


def updated(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    """Update t = 1, 2, ... of a parameter w by its gradient g: the new w, and the new memory.

    o is the optimizer; the memory of w holds two arrays of its shape, zero at first.
    """
    m, v = memory
    g = g + o.weight_decay * w
    if kind(o) == "SGD":
        m = o.momentum * m + g
        return w - lr * (g + o.momentum * m if o.nesterov else m), (m, v)
    b1, b2 = o.betas  # Adam
    m = b1 * m + (1.0 - b1) * g
    v = b2 * v + (1.0 - b2) * g * g
    root = np.sqrt(v) / math.sqrt(1.0 - b2**t) + o.eps
    return w - lr / (1.0 - b1**t) * (m / root), (m, v)
