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

    o is the optimizer; the memory of w holds three arrays of its shape, zero at first. `decays`:
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
    m, *unused = memory
    g = g + o.weight_decay * w
    share = 1.0 - o.dampening if o.momentum and t > 1 else 1.0
    if o.lr_in_velocity:
        m = o.momentum * m - lr * g
        return w + (o.momentum * m - lr * g if o.nesterov else m), (m, *unused)
    m = o.momentum * m + share * g
    return w - lr * (g + o.momentum * m if o.nesterov else m), (m, *unused)


def adam(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    m, v, largest = averages(o, g + o.weight_decay * w, memory)
    largest = np.maximum(largest, v)
    size = largest if o.amsgrad else v
    if o.eps_hat:
        corrected = lr * math.sqrt(1.0 - o.betas[1] ** t) / (1.0 - o.betas[0] ** t)
        return w - corrected * m / (np.sqrt(size) + o.eps), (m, v, largest)
    return w - lr * step(o, m, size, t), (m, v, largest)


def adamw(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    m, v, unused = averages(o, g, memory)
    return w - lr * o.weight_decay * w - lr * step(o, m, v, t), (m, v, unused)


def averages(o: Any, g: Array, memory: Any) -> Any:
    """Adam's m and v, and what else is kept."""
    (b1, b2), (m, v, other) = o.betas, memory
    return b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g * g, other


def step(o: Any, m: Array, v: Array, t: int) -> Array:
    """What Adam subtracts, but for the learning rate."""
    b1, _ = o.betas
    stepped: Array = m / denominator(o, v, t) / (1.0 - b1**t)
    return stepped


def denominator(o: Any, v: Array, t: int) -> Array:
    found: Array = np.sqrt(v) / math.sqrt(1.0 - o.betas[1] ** t) + o.eps
    return found


def nadam(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    def momentum(update: int) -> float:
        return float(o.betas[0] * (1.0 - 0.5 * 0.96 ** (update * o.momentum_decay)))

    g = g + o.weight_decay * w
    m, v, unused = averages(o, g, memory)
    product = math.prod(map(momentum, range(1, t + 1)))
    by_mean = momentum(t + 1) / (1.0 - product * momentum(t + 1)) * m
    by_gradient = (1.0 - momentum(t)) / (1.0 - product) * g
    return w - lr * (by_mean + by_gradient) / denominator(o, v, t), (m, v, unused)


def radam(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    b1, b2 = o.betas
    m, v, unused = averages(o, g + o.weight_decay * w, memory)
    longest = 2.0 / (1.0 - b2) - 1.0
    length = longest - 2.0 * t * b2**t / (1.0 - b2**t)
    stepped = lr / (1.0 - b1**t) * m
    if length > 5.0:
        ratio = (length - 4.0) * (length - 2.0) / length
        at_last = (longest - 4.0) * (longest - 2.0) / longest
        rectified = math.sqrt(ratio / at_last) * math.sqrt(1.0 - b2**t)
        stepped = stepped * rectified / (np.sqrt(v) + o.eps)
    return w - stepped, (m, v, unused)


def rmsprop(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    v, a, m = memory
    g = g + o.weight_decay * w
    v = o.alpha * v + (1.0 - o.alpha) * g * g
    a = o.alpha * a + (1.0 - o.alpha) * g
    root = np.sqrt(np.maximum(v - a * a, 0.0) if o.centered else v)
    m = o.momentum * m + g / (root + o.eps)
    return w - lr * m, (v, a, m)


def adagrad(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    v, *unused = memory
    g = g + o.weight_decay * w
    v = v + g * g
    rate = lr / (1.0 + (t - 1) * o.lr_decay)
    return w - rate * g / (np.sqrt(v) + o.eps), (v, *unused)


def lion(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    (b1, b2), (m, *unused) = o.betas, memory
    direction = np.sign(b1 * m + (1.0 - b1) * g)
    return w - lr * (direction + o.weight_decay * w), (b2 * m + (1.0 - b2) * g, *unused)


OPTIMIZERS = {
    "SGD": sgd,
    "Adam": adam,
    "AdamW": adamw,
    "NAdam": nadam,
    "RAdam": radam,
    "RMSprop": rmsprop,
    "Adagrad": adagrad,
    "Lion": lion,
}
