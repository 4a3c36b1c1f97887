"""What people write by hand in NumPy: the demo's opponents, kept as they are usually written."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def sigmoid(z: Array) -> Array:
    result: Array = 1.0 / (1.0 + np.exp(-z))
    return result


def train_xor(
    X: Array, y: Array, parameters: list[Array], lr: float, epochs: int
) -> tuple[list[float], Array]:
    """A 2-3-2-1 network, sigmoid everywhere, trained on all rows at once, in place.

    X is (n, 2), y (n, 1); `parameters` W1, b1, W2, b2, W3, b3 with W of shape (in, out). Returns
    the mean loss of each epoch before its update, and the outputs after the last one.
    """
    W1, b1, W2, b2, W3, b3 = parameters
    losses = []
    for _ in range(epochs):
        a1 = sigmoid(X @ W1 + b1)
        a2 = sigmoid(a1 @ W2 + b2)
        p = sigmoid(a2 @ W3 + b3)
        losses.append(float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))))

        d3 = (p - y) / (p * (1 - p)) * (p * (1 - p))
        d2 = (d3 @ W3.T) * a2 * (1 - a2)
        d1 = (d2 @ W2.T) * a1 * (1 - a1)

        W3 -= lr * (a2.T @ d3)
        b3 -= lr * d3.sum(axis=0)
        W2 -= lr * (a1.T @ d2)
        b2 -= lr * d2.sum(axis=0)
        W1 -= lr * (X.T @ d1)
        b1 -= lr * d1.sum(axis=0)
    return losses, sigmoid(sigmoid(sigmoid(X @ W1 + b1) @ W2 + b2) @ W3 + b3)


def train_digits(
    X: Array, y: Array, hidden: int, lr: float, batch_size: int, epochs: int, seed: int
) -> list[Array]:
    """A classifier with one hidden layer of ReLU, softmax cross-entropy, and Adam, in float32.

    X is (n, in), y (n,) with classes from 0. Returns W1, b1, W2, b2 with W of shape (in, out).
    """
    random = np.random.default_rng(seed)
    classes = int(y.max()) + 1
    sizes = [X.shape[1], hidden, classes]
    parameters: list[Array] = []
    for inputs, outputs in itertools.pairwise(sizes):
        bound = inputs**-0.5
        parameters.append(random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32))
        parameters.append(random.uniform(-bound, bound, outputs).astype(np.float32))
    W1, b1, W2, b2 = parameters
    first = [np.zeros_like(w) for w in parameters]
    second = [np.zeros_like(w) for w in parameters]
    step = 0
    for _ in range(epochs):
        order = random.permutation(len(X))
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            x = X[rows]
            h = np.maximum(x @ W1 + b1, 0)
            z = h @ W2 + b2
            e = np.exp(z - z.max(axis=1, keepdims=True))
            d2 = e / e.sum(axis=1, keepdims=True)
            d2[np.arange(len(rows)), y[rows]] -= 1
            d2 /= len(rows)
            d1 = (d2 @ W2.T) * (h > 0)
            gradients = [x.T @ d1, d1.sum(axis=0), h.T @ d2, d2.sum(axis=0)]

            step += 1
            size = lr * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            for w, g, m, v in zip(parameters, gradients, first, second, strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                w -= np.float32(size) * m / (np.sqrt(v) + 1e-8)
    return parameters


def accuracy(X: Array, y: Array, parameters: list[Array]) -> float:
    """The share of rows of X whose largest output is y, for what `train_digits` returns."""
    W1, b1, W2, b2 = parameters
    return float(np.mean((np.maximum(X @ W1 + b1, 0) @ W2 + b2).argmax(axis=1) == y))
