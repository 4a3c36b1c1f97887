"""NumPy by hand, written with care: no allocation in a step, every operation in place.

All parameters lie in one array and all gradients in another, so that an optimizer is a few passes
over one array; plain SGD scales the gradient of the loss by the learning rate and needs one pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from workloads import BETAS, NORM_EPS, Workload, data, initial, orders

PACKAGE = "numpy"


def sigmoid(z: np.ndarray) -> None:
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)


def sigmoid_backward(a: np.ndarray, da: np.ndarray, scratch: np.ndarray) -> None:
    da *= a
    np.subtract(1, a, out=scratch)
    da *= scratch


def tanh_backward(a: np.ndarray, da: np.ndarray, scratch: np.ndarray) -> None:
    np.multiply(a, a, out=scratch)
    np.subtract(1, scratch, out=scratch)
    da *= scratch


def relu_backward(a: np.ndarray, da: np.ndarray, scratch: np.ndarray) -> None:
    np.greater(a, 0, out=scratch)
    da *= scratch


ACTIVATIONS: dict[str, tuple[Callable[..., object], Callable[..., None]]] = {
    "sigmoid": (sigmoid, sigmoid_backward),
    "tanh": (lambda z: np.tanh(z, out=z), tanh_backward),
    "relu": (lambda z: np.maximum(z, 0, out=z), relu_backward),
}


class BatchNorm:
    """Batch normalization in place, of matrices (batch, size)."""

    def __init__(self, batch: int, size: int, dtype: np.dtype) -> None:
        self.normal, self.scratch = (np.empty((batch, size), dtype) for _ in range(2))
        self.mean, self.scale = (np.empty(size, dtype) for _ in range(2))
        self.share = np.full(batch, 1 / batch, dtype)

    def forward(self, z: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> None:
        np.matmul(self.share, z, out=self.mean)
        z -= self.mean
        np.multiply(z, z, out=self.scratch)
        np.matmul(self.share, self.scratch, out=self.scale)
        self.scale += NORM_EPS
        np.sqrt(self.scale, out=self.scale)
        np.reciprocal(self.scale, out=self.scale)
        np.multiply(z, self.scale, out=self.normal)
        np.multiply(self.normal, weight, out=z)
        z += bias

    def backward(
        self, d: np.ndarray, weight: np.ndarray, by_weight: np.ndarray, by_bias: np.ndarray
    ) -> None:
        rows = len(d)
        np.multiply(d, self.normal, out=self.scratch)
        np.add.reduce(self.scratch, axis=0, out=by_weight)
        np.add.reduce(d, axis=0, out=by_bias)
        np.multiply(self.normal, by_weight / rows, out=self.scratch)
        d -= self.scratch
        d -= by_bias / rows
        self.scale *= weight
        d *= self.scale


class Trainer:
    """Trains a workload; `dtype` "float64" gives the reference that the peers are compared with."""

    def __init__(self, workload: Workload, threads: int, dtype: str | None = None) -> None:
        del threads  # of the BLAS, set in the environment
        self.workload, self.dtype = workload, np.dtype(dtype or workload.dtype)
        X, y = data(workload)
        self.X = X.astype(self.dtype)
        self.y = y if workload.loss == "softmax" else y.astype(self.dtype)
        self.random = np.random.default_rng(3)
        self.forward, self.backward = ACTIVATIONS[workload.activation]
        self.loss = {"softmax": self.softmax, "binary": self.binary, "mse": self.mse}[workload.loss]
        self.update = self.sgd if workload.optimizer == "sgd" else self.adam
        # What the gradient by the outputs is multiplied by, besides 1 / rows.
        scaled = workload.optimizer == "sgd" and not workload.clip_norm
        self.scale = workload.lr if scaled else 1.0

        batch, sizes = workload.batch, workload.sizes
        self.start = initial(workload)
        self.hidden = len(self.start) - 1
        self.norms: list[BatchNorm] = []
        if workload.norm:
            self.norms = [BatchNorm(batch, size, self.dtype) for size in sizes[1:-1]]
            self.start += [(np.ones(size), np.zeros(size)) for size in sizes[1:-1]]
        count = sum(weight.size + bias.size for weight, bias in self.start)
        self.flat, self.gradient, self.scratch = (np.empty(count, self.dtype) for _ in range(3))
        self.first, self.second = (np.zeros(count, self.dtype) for _ in range(2))
        self.average = np.empty(count if workload.ema else 0, self.dtype)
        self.parameters, self.gradients = self.views(self.flat), self.views(self.gradient)
        self.x = np.empty((batch, sizes[0]), self.dtype)
        self.target = np.empty((batch, *self.y.shape[1:]), self.y.dtype)
        self.outputs = [np.empty((batch, size), self.dtype) for size in sizes[1:]]
        self.deltas = [np.empty((batch, size), self.dtype) for size in sizes[1:]]
        # relu's derivative is a mask; multiplying by one of bytes is the quickest of several ways.
        kept = np.bool_ if workload.activation == "relu" else self.dtype
        self.scratches = [np.empty((batch, size), kept) for size in sizes[1:-1]]
        self.ones = np.ones(batch, self.dtype)
        self.column = np.empty((batch, 1), self.dtype)
        self.indices = np.arange(batch)
        self.reset()

    def views(self, flat: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights and biases of each layer inside `flat`."""
        found, at = [], 0
        for weight, bias in self.start:
            middle, end = at + weight.size, at + weight.size + bias.size
            found.append((flat[at:middle].reshape(weight.shape), flat[middle:end]))
            at = end
        return found

    def reset(self) -> None:
        """Back to the initial parameters."""
        for pair, start in zip(self.parameters, self.start, strict=True):
            for array, values in zip(pair, start, strict=True):
                array[...] = values
        self.first[...] = self.second[...] = 0
        self.time = 0
        if self.workload.ema:
            self.average[...] = self.flat

    def train(self, epochs: int, *, shuffle: bool) -> list[float]:
        """The mean loss of each epoch, each batch before its update."""
        workload, random = self.workload, self.random if shuffle else None
        if workload.steps == 1:
            return [float(self.step(self.X, self.y)) for _ in range(epochs)]
        losses = []
        for _ in range(epochs):
            total = 0.0
            for rows in orders(workload, random):
                # "clip" writes into `out` directly; "raise" would go through a buffer.
                np.take(self.X, rows, axis=0, out=self.x, mode="clip")
                np.take(self.y, rows, axis=0, out=self.target, mode="clip")
                total += self.step(self.x, self.target)
            losses.append(float(total) / workload.steps)
        return losses

    def averaged_loss(self) -> float:
        """The loss of the averaged parameters for the first batch."""
        batch = self.workload.batch
        kept, self.flat[...] = self.flat.copy(), self.average
        loss = self.loss_of(self.X[:batch], self.y[:batch])
        self.flat[...] = kept
        return float(loss)

    def loss_of(self, x: np.ndarray, y: np.ndarray) -> float:
        """The loss of a batch; outputs of layers and the gradient at the last stay."""
        last, a = self.hidden, x
        for layer, (weight, bias) in enumerate(self.parameters[: last + 1]):
            z = np.matmul(a, weight, out=self.outputs[layer])
            z += bias
            if layer < last:
                if self.norms:
                    self.norms[layer].forward(z, *self.parameters[last + 1 + layer])
                self.forward(z)
            a = z
        return self.loss(a, y, self.deltas[last])

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        last = self.hidden
        loss = self.loss_of(x, y)
        for layer in range(last, -1, -1):
            a, d = self.outputs[layer - 1] if layer else x, self.deltas[layer]
            weight, bias = self.gradients[layer]
            np.matmul(a.T, d, out=weight)
            np.matmul(self.ones, d, out=bias)
            if layer:
                da = np.matmul(d, self.parameters[layer][0].T, out=self.deltas[layer - 1])
                self.backward(a, da, self.scratches[layer - 1])
                if self.norms:
                    place = last + layer
                    factor = self.parameters[place][0]
                    self.norms[layer - 1].backward(da, factor, *self.gradients[place])
        if self.workload.clip_norm:
            self.clip(self.workload.clip_norm)
        self.update()
        if self.workload.ema:
            np.subtract(self.flat, self.average, out=self.scratch)
            self.scratch *= 1 - self.workload.ema
            self.average += self.scratch
        return loss

    def softmax(self, z: np.ndarray, y: np.ndarray, d: np.ndarray) -> float:
        np.maximum.reduce(z, axis=1, keepdims=True, out=self.column)
        z -= self.column
        np.exp(z, out=d)
        np.add.reduce(d, axis=1, keepdims=True, out=self.column)
        d /= self.column
        loss = (np.log(self.column).sum() - z[self.indices, y].sum()) / len(z)
        d[self.indices, y] -= 1
        d *= self.scale / len(z)
        return loss

    def binary(self, z: np.ndarray, y: np.ndarray, d: np.ndarray) -> float:
        scratch = self.column
        np.abs(z, out=scratch)
        np.negative(scratch, out=scratch)
        np.exp(scratch, out=scratch)
        np.log1p(scratch, out=scratch)
        np.maximum(z, 0, out=d)
        scratch += d
        np.multiply(z, y, out=d)
        scratch -= d
        loss = scratch.sum() / z.size
        sigmoid(z)
        np.subtract(z, y, out=d)
        d *= self.scale / z.size
        return loss

    def mse(self, z: np.ndarray, y: np.ndarray, d: np.ndarray) -> float:
        np.subtract(z, y, out=d)
        flat = d.reshape(-1)
        loss = np.dot(flat, flat) / z.size
        d *= 2 * self.scale / z.size
        return loss

    def clip(self, most: float) -> None:
        norm = math.sqrt(np.dot(self.gradient, self.gradient))
        self.gradient *= min(1.0, most / (norm + 1e-6))
        if self.workload.optimizer == "sgd":
            self.gradient *= self.workload.lr

    def sgd(self) -> None:
        if self.workload.momentum:
            self.first *= self.workload.momentum
            self.first += self.gradient
            self.flat -= self.first
        else:
            self.flat -= self.gradient

    def adam(self) -> None:
        self.time += 1
        (b1, b2), eps = BETAS, self.workload.eps
        g, m, v, scratch = self.gradient, self.first, self.second, self.scratch
        if self.workload.weight_decay:
            self.flat *= 1 - self.workload.lr * self.workload.weight_decay
        m *= b1
        np.multiply(g, 1 - b1, out=scratch)
        m += scratch
        v *= b2
        g *= g
        g *= 1 - b2
        v += g
        np.sqrt(v, out=scratch)
        scratch *= 1 / np.sqrt(1 - b2**self.time).item()
        scratch += eps
        np.divide(m, scratch, out=scratch)
        scratch *= self.workload.lr / (1 - b1**self.time)
        self.flat -= scratch


def versions() -> dict[str, str]:
    return {"numpy": np.__version__}
