"""Activations and their derivatives, element by element."""
# Functions of one table share one signature, whether they use all of it or not.
# ruff: noqa: ARG005

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .specs import Array

# SELU's two numbers (Klambauer and others, 2017).
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))  # at most 1, so nothing overflows
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def softplus(x: Array) -> Array:
    """log(1 + exp(x))"""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def phi(x: Array, approximate: str) -> tuple[Array, Array]:
    """GELU's normal distribution function, exact or in its tanh form, and its derivative."""
    if approximate == "tanh":
        c = math.sqrt(2.0 / math.pi)
        y = 0.5 * (1.0 + np.tanh(c * (x + 0.044715 * x * x * x)))
        return y, 2.0 * y * (1.0 - y) * c * (1.0 + 3.0 * 0.044715 * x * x)
    y = np.vectorize(lambda z: 0.5 * math.erfc(-z / math.sqrt(2.0)), otypes=[float])(x)
    return y.astype(x.dtype), np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def mish_derivative(x: Array) -> Array:
    """tanh(s) + x sigmoid(x) (1 - tanh(s)^2), s the softplus of x"""
    s = softplus(x)
    q = np.exp(-2.0 * s)  # 1 - tanh(s)^2 = 4q / (1 + q)^2, without a difference near 0
    return np.tanh(s) + x * sigmoid(x) * 4.0 * q / (1.0 + q) ** 2


# y from x, and dy/dx from x and y, element by element; a is the layer, which has the constants. The
# slopes of a PReLU are `init` at first; a network passes those that training has come to as such.
ACTIVATIONS: dict[str, tuple[Callable[[Array, Any], Any], Callable[[Array, Array, Any], Any]]] = {
    "Identity": (lambda x, a: x, lambda x, y, a: np.ones_like(x)),
    "Sigmoid": (lambda x, a: sigmoid(x), lambda x, y, a: y * (1.0 - y)),
    "Tanh": (lambda x, a: np.tanh(x), lambda x, y, a: 1.0 - y * y),
    "ReLU": (lambda x, a: np.maximum(x, 0.0), lambda x, y, a: np.where(x > 0, 1.0, 0.0)),
    "LeakyReLU": (
        lambda x, a: np.where(x > 0, x, a.negative_slope * x),
        lambda x, y, a: np.where(x > 0, 1.0, a.negative_slope),
    ),
    "PReLU": (
        lambda x, a: np.where(x > 0, x, a.init * x),
        lambda x, y, a: np.where(x > 0, 1.0, a.init),
    ),
    "ELU": (
        lambda x, a: np.where(x > 0, x, a.alpha * np.expm1(np.minimum(x, 0.0))),
        lambda x, y, a: np.where(x > 0, 1.0, a.alpha * np.exp(np.minimum(x, 0.0))),
    ),
    "SELU": (
        lambda x, a: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0.0))),
        lambda x, y, a: SCALE * np.where(x > 0, 1.0, ALPHA * np.exp(np.minimum(x, 0.0))),
    ),
    "GELU": (
        lambda x, a: x * phi(x, a.approximate)[0],
        lambda x, y, a: phi(x, a.approximate)[0] + x * phi(x, a.approximate)[1],
    ),
    "SiLU": (
        lambda x, a: x * sigmoid(x),
        lambda x, y, a: sigmoid(x) * (1.0 + x * sigmoid(-x)),
    ),
    "Mish": (lambda x, a: x * np.tanh(softplus(x)), lambda x, y, a: mish_derivative(x)),
    "Hardswish": (
        lambda x, a: x * (np.clip(x + 3.0, 0.0, 6.0) / 6.0),
        lambda x, y, a: np.where(x <= -3.0, 0.0, np.where(x < 3.0, (2.0 * x + 3.0) / 6.0, 1.0)),
    ),
    "Softplus": (
        lambda x, a: np.where(a.beta * x > a.threshold, x, softplus(a.beta * x) / a.beta),
        lambda x, y, a: np.where(a.beta * x > a.threshold, 1.0, sigmoid(a.beta * x)),
    ),
}
