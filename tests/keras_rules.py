"""What Keras's fit, EarlyStopping and ReduceLROnPlateau do, written out in NumPy for one network.

A ReLU network with a softmax, Adam, class weights, a validation set. There is no ironmlp in it: it
is given initial weights, the rows to hold out and the order of the rows in each epoch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Parameters = dict[str, Array]


def forward(parameters: Parameters, X: Array) -> tuple[Array, Array]:
    """Hidden activations and logits."""
    hidden = np.maximum(X @ parameters["0.weight"].T + parameters["0.bias"], 0.0)
    return hidden, hidden @ parameters["2.weight"].T + parameters["2.bias"]


def log_softmax(logits: Array) -> Array:
    shifted: Array = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def loss_and_gradients(
    parameters: Parameters, X: Array, y: Array, weight: Array
) -> tuple[float, Parameters]:
    """The weighted mean of the rows' cross-entropies, and its gradients."""
    hidden, logits = forward(parameters, X)
    logs = log_softmax(logits)
    share = weight / weight.sum()
    dlogits = np.exp(logs)
    dlogits[np.arange(len(y)), y] -= 1.0
    dlogits *= share[:, np.newaxis]
    dhidden = dlogits @ parameters["2.weight"] * (hidden > 0.0)
    gradients = {
        "0.weight": dhidden.T @ X,
        "0.bias": dhidden.sum(axis=0),
        "2.weight": dlogits.T @ hidden,
        "2.bias": dlogits.sum(axis=0),
    }
    return -float(share @ logs[np.arange(len(y)), y]), gradients


@dataclass
class Adam:
    """Kingma and Ba's rule, bias corrected."""

    lr: float
    step: int = 0
    moments: dict[str, list[Array]] = field(default_factory=dict)

    def update(self, parameters: Parameters, gradients: Parameters) -> None:
        self.step += 1
        for name, gradient in gradients.items():
            m, v = self.moments.setdefault(name, [np.zeros_like(gradient) for _ in range(2)])
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient**2 - v)
            corrected = m / (1 - 0.9**self.step), v / (1 - 0.999**self.step)
            parameters[name] -= self.lr * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)


@dataclass
class EarlyStopping:
    """Keep the weights of the smallest val_loss; stop after `patience` epochs without a smaller."""

    patience: int
    best: float = math.inf
    best_epoch: int = -1
    weights: Parameters = field(default_factory=dict)
    waited: int = 0

    def stops(self, epoch: int, value: float, parameters: Parameters) -> bool:
        if value < self.best:
            self.best, self.best_epoch, self.waited = value, epoch, 0
            self.weights = {name: array.copy() for name, array in parameters.items()}
            return False
        self.waited += 1
        return self.waited >= self.patience


@dataclass
class ReduceLROnPlateau:
    """Cut the rate when more than `patience` epochs in a row were not better than `threshold`."""

    factor: float
    patience: int
    threshold: float
    best: float = math.inf
    bad: int = 0

    def rate(self, value: float, lr: float) -> float:
        if value < self.best * (1.0 - self.threshold):
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.bad = 0
            return lr * self.factor
        return lr


def balanced(y: Array) -> Array:
    """The weight of each row: n / (K count of its class)."""
    counts = np.bincount(y)
    weights: Array = len(y) / (len(counts) * counts[y])
    return weights


def fit(
    parameters: Parameters,
    X: Array,
    y: Array,
    validation: tuple[Array, Array],
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    order: Callable[[int], Array],
    stopping: EarlyStopping,
    plateau: ReduceLROnPlateau,
) -> dict[str, list[float]]:
    """Train `parameters` where they are; the columns of the history.

    `order` gives the order of the training rows in an epoch.
    """
    weight, adam = balanced(y), Adam(lr)
    history: dict[str, list[float]] = {name: [] for name in ("loss", "val_loss", "val_accuracy")}
    history["learning_rate"] = []
    for epoch in range(epochs):
        rows, total = order(epoch), 0.0
        history["learning_rate"].append(adam.lr)
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            loss, gradients = loss_and_gradients(parameters, X[batch], y[batch], weight[batch])
            adam.update(parameters, gradients)
            total += loss * weight[batch].sum()
        logs = log_softmax(forward(parameters, validation[0])[1])
        val_loss = -float(logs[np.arange(len(logs)), validation[1]].mean())
        history["loss"].append(total / weight.sum())
        history["val_loss"].append(val_loss)
        history["val_accuracy"].append(float(np.mean(logs.argmax(axis=1) == validation[1])))
        stops = stopping.stops(epoch, val_loss, parameters)
        adam.lr = plateau.rate(val_loss, adam.lr)
        if stops:
            break
    parameters.update(stopping.weights)
    return history
