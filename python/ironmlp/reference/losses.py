"""Losses, their derivatives by the outputs, and what the mean divides by."""
# Functions of one table share one signature, whether they use all of it or not.
# ruff: noqa: ARG005

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .activations import sigmoid, softplus
from .silent import silent
from .specs import Array, kind, spec

# What a loss makes of outputs, (n, K), and targets, (n, C): its value, a number for each term, its
# derivative by the outputs, (n, K), and what each row adds to the divisor of the mean, (n,).
Parts = tuple[Array, Array, Array]


def elements(value: Array, grad: Array) -> Parts:
    return value, grad, np.full(len(value), float(value.shape[1]))


def binary_cross_entropy(x: Array, t: Array, loss: Any) -> Parts:
    if not loss.from_logits:  # x is the probability itself
        # log 0 counts as -100.
        log_p, log_q = np.maximum(np.log(x), -100.0), np.maximum(np.log1p(-x), -100.0)
        grad = -(t / np.maximum(x, 1e-12) - (1.0 - t) / np.maximum(1.0 - x, 1e-12))
        return elements(-(t * log_p + (1.0 - t) * log_q), grad)
    # log p = -softplus(-x) and log(1 - p) = -softplus(x), without a 1 - p that rounds to 0.
    q = np.asarray(1.0 if loss.pos_weight is None else loss.pos_weight, x.dtype)  # () or (K,)
    value = (1.0 - t) * softplus(x) + q * t * softplus(-x)
    return elements(value, (1.0 - t) * sigmoid(x) - q * t * sigmoid(-x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=1, keepdims=True))  # the largest is exp(0)
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def cross_entropy(x: Array, targets: Array, loss: Any) -> Parts:
    n, k = x.shape
    c = np.ones(k) if loss.class_weight is None else np.array(loss.class_weight, float)  # (K,)
    t, divisor, kept = targets, np.ones(n), np.ones(n, bool)
    if targets.ndim == 1:  # indices become rows with a single 1
        kept = np.not_equal(targets, loss.ignore_index)
        t = np.zeros((n, k))
        t[kept, targets[kept]] = 1.0
        divisor = t @ c
    s = loss.label_smoothing
    t = ((1.0 - s) * t + s / k) * c * kept[:, None]  # weighted, (n, K)
    z = x - x.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -t * log_p, softmax(x) * t.sum(axis=1, keepdims=True) - t, divisor


def huber(y: Array, t: Array, loss: Any) -> Parts:
    d, size = y - t, np.abs(y - t)
    value = np.where(size <= loss.delta, 0.5 * d * d, loss.delta * (size - 0.5 * loss.delta))
    return elements(value, np.clip(d, -loss.delta, loss.delta))


def log_cosh(y: Array, t: Array) -> Parts:
    d, size = y - t, np.abs(y - t)
    # cosh d - 1 = 2 sinh(d / 2)^2 near 0, where |d| - log 2 would cancel.
    near = np.log1p(2.0 * np.sinh(0.5 * np.minimum(size, 1.0)) ** 2)
    far = size - math.log(2.0) + np.log1p(np.exp(-2.0 * size))
    return elements(np.where(size < 1.0, near, far), np.tanh(d))


def quantile(y: Array, t: Array, loss: Any) -> Parts:
    q, d = np.asarray(loss.quantiles, y.dtype), y - t  # (K,), and (n, K) of y (n, K) and t (n, 1)
    value = np.where(d > 0, 1.0 - q, q) * np.abs(d)
    return elements(value, np.where(d > 0, 1.0 - q, np.where(d < 0, -q, d)))


def poisson(x: Array, t: Array, loss: Any) -> Parts:
    many = np.maximum(t, 1.0)
    if loss.log_input:
        rate, distance = np.exp(x), x - np.log(many)
        value, grad = rate - np.where(t == 0, 0.0, t * x), rate - t
        excess = many * (np.expm1(distance) - distance)
    else:
        rate = x + loss.eps
        value, grad = x - np.where(t == 0, 0.0, t * np.log(rate)), (x - t + loss.eps) / rate
        share = (x - many + loss.eps) / many
        near = np.log1p(np.clip(share, -0.5, 0.5))
        log_ratio = np.where(np.abs(share) < 0.5, near, np.log(rate) - np.log(many))
        excess = many * (share - log_ratio) - loss.eps
    if loss.full:  # where t > 1 with Stirling's log t!, most of which would cancel
        value = np.where(t > 1, excess + 0.5 * np.log(2.0 * math.pi * many), value)
    return elements(value, grad)


def gaussian(y: Array, t: Array) -> Parts:
    mean, log_variance = np.split(y, 2, axis=1)  # (n, K) each
    h = np.exp(-0.5 * log_variance)
    z = np.where(mean == t, 0.0, (mean - t) * h)
    grad = np.hstack([np.where(z == 0, 0.0, z * h), 0.5 - 0.5 * z * z])
    value = 0.5 * (log_variance + z * z)
    return value, grad, np.full(len(t), float(t.shape[1]))


def clipped(parts: Parts, dtype: np.dtype[Any]) -> Parts:
    """Those of terms whose values are as of probabilities within [eps, 1 - eps]; each row counts
    once."""
    value, grad, _ = parts
    eps = float(np.finfo(dtype).eps)
    value = np.clip(value, -math.log1p(-eps), -math.log(eps))
    return value, grad, np.ones(len(value))


def clipped_cross_entropy(x: Array, targets: Array) -> Parts:
    value, grad, _ = cross_entropy(x, targets, spec("CrossEntropy"))
    value = value.sum(axis=1, keepdims=True)
    return clipped((value, grad, value), x.dtype)


def half_deviance(x: Array, t: Array) -> Parts:
    rate, many = np.exp(x), np.where(t == 0, 1.0, t)
    distance = x - np.log(many)
    value = np.where(t == 0, rate, t * (np.expm1(distance) - distance))
    return value, rate - t, np.ones(len(value))


def focal(x: Array, t: Array, loss: Any) -> Parts:
    p, q = sigmoid(x), sigmoid(-x)
    missing = (1.0 - t) * p + t * q  # to certainty
    entropy = (1.0 - t) * softplus(x) + t * softplus(-x)
    weight = missing**loss.gamma
    if loss.alpha is not None:
        weight = weight * (loss.alpha * t + (1.0 - loss.alpha) * (1.0 - t))
    share = np.where(missing == 0, 0.0, p * q / np.where(missing == 0, 1.0, missing))
    slope = (1.0 - t) * p - t * q + loss.gamma * share * (1.0 - 2.0 * t) * entropy
    return elements(weight * entropy, weight * slope)


LOSSES: dict[str, Callable[[Array, Array, Any], Parts]] = {
    "BinaryCrossEntropy": binary_cross_entropy,
    "CrossEntropy": cross_entropy,
    "MSE": lambda y, t, loss: elements((y - t) ** 2, 2.0 * (y - t)),
    "MAE": lambda y, t, loss: elements(np.abs(y - t), np.sign(y - t)),
    "Huber": huber,
    "LogCosh": lambda y, t, loss: log_cosh(y, t),
    "Quantile": quantile,
    "PoissonNLL": poisson,
    "GaussianNLL": lambda y, t, loss: gaussian(y, t),
    "Focal": focal,
    "ClippedCrossEntropy": lambda x, t, loss: clipped_cross_entropy(x, t),
    "ClippedBCEWithLogits": lambda x, t, loss: clipped(
        binary_cross_entropy(x, t, spec("BinaryCrossEntropy")), x.dtype
    ),
    "HalfSquaredError": lambda y, t, loss: elements(0.5 * (y - t) ** 2, y - t),
    "HalfPoissonDeviance": lambda x, t, loss: half_deviance(x, t),
}


def wanted(loss: Any, k: int) -> int:
    """How many numbers of y a row has, for k outputs: C."""
    return {"Quantile": 1, "GaussianNLL": k // 2}.get(kind(loss), k)


def unit(weight: Array) -> float:
    """The power of two below the largest weight: so divided, weights of any size have a sum."""
    exponent = math.frexp(np.max(weight))[1] - 1
    return 2.0 ** max(exponent, -1022) if np.any(weight) else 1.0


@silent
def relative(weight: Array) -> Array:
    """Weights over their unit, so that batches of one set may be compared."""
    return weight / unit(weight)


@silent
def row_weights(weight: Any, n: int) -> Array:
    return np.ones(n) if weight is None else np.asarray(weight, float)


def reduced(y: Array, t: Array, weight: Any, loss: Any, reduction: str) -> tuple[float, Array]:
    """The loss of a batch, and its derivative by the outputs y, (n, K)."""
    if kind(loss) not in LOSSES:  # the user's own function
        value, grad = loss(y, t) if weight is None else loss(y, t, weight)
        return float(value), silent(np.asarray)(grad, y.dtype)
    return weighed(y, t, weight, loss, reduction)


@silent
def weighed(y: Array, t: Array, weight: Any, loss: Any, reduction: str) -> tuple[float, Array]:
    """`reduced` for a loss of the table."""
    value, grad, divisors = LOSSES[kind(loss)](y, t, loss)
    weight = row_weights(weight, len(y))  # (n,)
    size = unit(weight)
    weight = weight / size
    counts = {"mean": divisors, "rows": np.ones(len(y))}  # what the weights are summed with
    divisor = float(np.sum(weight * counts[reduction])) if reduction in counts else 1.0 / size
    # The quotient is rounded, no weight: one that the dtype lacks may have a share that it has.
    scale = (weight / divisor if divisor > 0 else np.zeros(len(y)))[:, None]  # (n, 1)
    return float(np.sum(scale * value)), (scale * grad).astype(y.dtype)


def mean(y: Array, t: Array, weight: Any, loss: Any) -> tuple[float, float]:
    """The mean loss of a batch, and how much it counts beside those of other batches."""
    value = reduced(y, t, weight, loss, "mean")[0]
    if kind(loss) not in LOSSES:
        return value, float(np.sum(row_weights(weight, len(y))))
    return value, counted(y, t, weight, loss)


@silent
def counted(y: Array, t: Array, weight: Any, loss: Any) -> float:
    return float(np.sum(row_weights(weight, len(y)) * LOSSES[kind(loss)](y, t, loss)[2]))


@silent
def accuracy(right: Array, weight: Any) -> float:
    """The share of what is right, (n,) or (n, K), by the weights of the rows."""
    weight = relative(row_weights(weight, len(right)))
    hits = right.reshape(len(right), -1).mean(axis=1)
    return float(np.sum(weight * hits) / np.sum(weight)) if np.any(weight) else 0.0


@silent
def r2(y: Array, t: Array, weight: Any = None) -> float:
    """1 - sum w (y - t)^2 / sum w (t - mean t)^2, its mean over the outputs; a constant target
    counts 1 if it is met exactly, else 0."""
    weight = relative(row_weights(weight, len(t)))[:, None]
    centre = np.sum(weight * t, axis=0) / max(float(np.sum(weight)), 1e-300)
    spread = (weight * (t - centre) ** 2).sum(axis=0)  # (K,)
    rest = (weight * (t - y) ** 2).sum(axis=0)
    each = np.where(spread > 0, 1.0 - rest / np.where(spread > 0, spread, 1.0), rest == 0)
    return float(each.mean())
