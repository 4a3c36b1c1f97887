"""The networks that are timed, as data: shapes, training, rows, initial parameters, operations.

Six are those of docs/design.md. "simplechains" is the one that SimpleChains.jl published times of
(https://julialang.org/blog/2022/04/simple-chains/). The others are here because nobody named them:
odd sizes, many layers, many outputs, float64. What is tuned to seven shapes shows in them.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

Parameters = list[tuple[np.ndarray, np.ndarray]]

# Steps whose losses are compared. Rounding has no room to grow in so few.
CHECKED_STEPS = 24

# scikit-learn adds epsilon before the correction of the second moment's bias, all others after it;
# with one as small as this they are the same formula.
ADAM = {"betas": (0.9, 0.999), "eps": 1e-15}


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron and its training; `rows` is a multiple of `batch`.

    The last layer has no activation; `loss` is "softmax" or "binary" (cross-entropies of logits)
    or "mse" (its mean over rows and outputs). One batch of all rows is never shuffled.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str  # "sigmoid", "tanh" or "relu"
    batch: int
    rows: int
    loss: str
    lr: float
    optimizer: str = "sgd"  # or "adam"
    momentum: float = 0.0
    dtype: str = "float32"

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        return self.rows // self.batch

    @property
    def check_epochs(self) -> int:
        """Epochs whose losses are compared."""
        return max(3, CHECKED_STEPS // self.steps)

    @property
    def flops(self) -> int:
        """Multiplications and additions of one step's matrix products; X gets no gradient."""
        weights = [inputs * outputs for inputs, outputs in itertools.pairwise(self.sizes)]
        return 2 * self.batch * (3 * sum(weights) - weights[0])

    @property
    def label(self) -> str:
        """Sizes, activation, batch and optimizer in a few characters."""
        sizes = "-".join(
            str(size) if count == 1 else f"{size}x{count}"
            for size, count in (
                (size, len(list(run))) for size, run in itertools.groupby(self.sizes)
            )
        )
        optimizer = (
            "SGD+momentum" if self.momentum else {"sgd": "SGD", "adam": "Adam"}[self.optimizer]
        )
        dtype = ", f64" if self.dtype == "float64" else ""
        return f"{sizes} {self.activation} ({self.batch}, {optimizer}{dtype})"


WORKLOADS = (
    Workload("xor", (2, 3, 2, 1), "sigmoid", 4, 4, "binary", 0.5),
    Workload("cancer", (30, 64, 64, 1), "sigmoid", 32, 576, "binary", 0.5),
    Workload("digits", (64, 100, 10), "relu", 200, 1800, "softmax", 1e-3, "adam"),
    Workload("mnist-small", (784, 128, 10), "sigmoid", 128, 8192, "softmax", 0.1),
    Workload("mnist", (784, 512, 256, 10), "relu", 128, 4096, "softmax", 0.05),
    Workload("wide", (1024, 1024, 1024, 1024, 10), "relu", 1024, 2048, "softmax", 0.2),
    Workload("simplechains", (4, 32, 16, 4), "tanh", 10000, 10000, "mse", 1e-2, "adam"),
    Workload("odd", (37, 91, 53, 7), "relu", 50, 1500, "softmax", 0.05, momentum=0.9),
    Workload("deep", (20, *[48] * 8, 3), "tanh", 64, 1024, "softmax", 1e-3, "adam"),
    Workload("outputs", (24, 80, 40, 29), "relu", 100, 2000, "mse", 0.2),
    Workload("double", (50, 120, 60, 12), "sigmoid", 96, 1920, "softmax", 0.2, dtype="float64"),
)

BY_NAME = {workload.name: workload for workload in WORKLOADS}


def initial(workload: Workload) -> Parameters:
    """Weights (in, out) and biases, uniform in +-1/sqrt(in), the same for every peer."""
    random = np.random.default_rng(1)
    parameters = []
    for inputs, outputs in itertools.pairwise(workload.sizes):
        bound = 1 / math.sqrt(inputs)
        weight = random.uniform(-bound, bound, (inputs, outputs))
        bias = random.uniform(-bound, bound, outputs)
        # Numbers of float32 in float64 too: the reference then starts where the peers do.
        parameters.append(
            tuple(array.astype(np.float32).astype(workload.dtype) for array in (weight, bias))
        )
    return parameters


def data(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """X (rows, in) and targets: classes (rows,) for "softmax", else numbers (rows, out).

    Targets come from a random linear map. Half of the classes are random instead: a network that
    learns its rows by heart has gradients so small that they are subnormal, which would be timed.
    """
    random = np.random.default_rng(2)
    inputs, outputs = workload.sizes[0], workload.sizes[-1]
    if workload.name == "xor":
        X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        return X.astype(workload.dtype), np.array([[0], [1], [1], [0]]).astype(workload.dtype)
    X = random.standard_normal((workload.rows, inputs), dtype=np.float32)
    scores = X @ (random.standard_normal((inputs, outputs)) / math.sqrt(inputs)).astype(np.float32)
    noisy = random.random(workload.rows) < 0.5
    if workload.loss == "softmax":
        y = np.where(noisy, random.integers(outputs, size=workload.rows), scores.argmax(axis=1))
        return X.astype(workload.dtype), y
    if workload.loss == "binary":
        y = (scores > 0) ^ (noisy & (random.random(workload.rows) < 0.5))[:, None]
    else:
        y = np.sin(scores) + 0.1 * random.standard_normal(scores.shape, dtype=np.float32)
    return X.astype(workload.dtype), y.astype(workload.dtype)


def orders(workload: Workload, random: np.random.Generator | None) -> np.ndarray:
    """Row numbers of an epoch's batches (steps, batch): a new order, or as they lie for None."""
    rows = np.arange(workload.rows) if random is None else random.permutation(workload.rows)
    return rows.reshape(workload.steps, workload.batch)
