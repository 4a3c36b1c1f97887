"""The networks that are timed, as data: shapes, training, rows, initial parameters, operations.

Six of the dense ones are those of docs/design.md. "simplechains" is the one that SimpleChains.jl
published times of (https://julialang.org/blog/2022/04/simple-chains/). The others are here because
nobody named them: odd sizes, many layers, many outputs, float64. What is tuned to seven shapes
shows in them. Those of images are LeNet-5 as people write it, at two sizes, and convolutions of
3 x 3 with more channels.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Parameters = list[tuple[np.ndarray, np.ndarray]]

# Steps whose losses are compared. Rounding has no room to grow in so few.
CHECKED_STEPS = 24

BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class Convolution:
    """A square convolution of stride 1, the activation, and an average pool unless it is 1."""

    channels: int
    kernel: int
    padding: int = 0
    pool: int = 1

    def pixels(self, size: int) -> int:
        """Pixels a side before the pool, of images with `size`."""
        return size + 2 * self.padding - self.kernel + 1


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron and its training; `rows` is a multiple of `batch`.

    The last layer has no activation; `loss` is "softmax" or "binary" (cross-entropies of logits)
    or "mse" (its mean over rows and outputs). One batch of all rows is never shuffled.

    With an `image`, (C, H, W) of squares, `convolutions` are before it, the first of `sizes` being
    the features that they leave.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str  # "sigmoid", "tanh" or "relu"
    batch: int
    rows: int
    loss: str
    lr: float
    optimizer: str = "sgd"  # "adam" or "adamw"
    momentum: float = 0.0
    dtype: str = "float32"
    # scikit-learn adds epsilon before the correction of the second moment's bias, all others after
    # it; with one as small as this they are the same formula.
    eps: float = 1e-15
    weight_decay: float = 0.0  # of "adamw"
    clip_norm: float | None = None  # of all gradients together
    ema: float | None = None  # what an average of the parameters keeps of itself at a step
    norm: bool = False  # batch normalization of what each hidden layer gives to its activation
    image: tuple[int, int, int] | None = None
    convolutions: tuple[Convolution, ...] = ()

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        return self.rows // self.batch

    @property
    def check_epochs(self) -> int:
        """Epochs whose losses are compared."""
        return 2 if self.image else max(3, CHECKED_STEPS // self.steps)

    @property
    def stages(self) -> list[tuple[Convolution, int, int]]:
        """Each convolution with the channels and the pixels a side that it takes."""
        if self.image is None:
            return []
        channels, size, _ = self.image
        found = []
        for convolution in self.convolutions:
            found.append((convolution, channels, size))
            channels, size = convolution.channels, convolution.pixels(size) // convolution.pool
        return found

    @property
    def flops(self) -> int:
        """Multiplications and additions of one step's products; X gets no gradient.

        A convolution counts whole kernels, those over the padding too.
        """
        products = [
            c.pixels(size) ** 2 * c.channels * channels * c.kernel**2
            for c, channels, size in self.stages
        ] + [inputs * outputs for inputs, outputs in itertools.pairwise(self.sizes)]
        return 2 * self.batch * (3 * sum(products) - products[0])

    @property
    def label(self) -> str:
        """Sizes, activation, batch and optimizer in a few characters."""
        sizes = "-".join(
            str(size) if count == 1 else f"{size}x{count}"
            for size, count in (
                (size, len(list(run))) for size, run in itertools.groupby(self.sizes)
            )
        )
        optimizer = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[self.optimizer]
        optimizer += "+momentum" if self.momentum else ""
        optimizer += ", clipped" if self.clip_norm else ""
        optimizer += ", averaged" if self.ema else ""
        optimizer += ", BatchNorm" if self.norm else ""
        dtype = ", f64" if self.dtype == "float64" else ""
        if self.image:
            size = "x".join(map(str, self.image))
            kernels = ", ".join(f"{c.channels}@{c.kernel}x{c.kernel}" for c in self.convolutions)
            sizes = f"{size}, {kernels}, {sizes}"
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

# What is added to variances, as in PyTorch.
NORM_EPS = 1e-5

# A few of them, for smoke tests.
QUICK = ("xor", "digits", "double")


def lenet(
    size: int, rows: int, lr: float, classes: int = 10, activation: str = "sigmoid"
) -> Workload:
    """LeNet-5 for grey images of size x size."""
    features = 16 * ((size // 2 - 4) // 2) ** 2
    return Workload(
        *(f"lenet-{size}", (features, 120, 84, classes), activation, 128, rows, "softmax", lr),
        image=(1, size, size),
        convolutions=(Convolution(6, 5, padding=2, pool=2), Convolution(16, 5, pool=2)),
    )


def channels(count: int) -> Workload:
    """Two convolutions of 3 x 3 with as many channels, on images of 32 x 32, and a third."""
    twice = Convolution(count, 3, padding=1), Convolution(count, 3, padding=1, pool=2)
    return Workload(
        *(f"channels-{count}", (64 * count, 10), "relu", 64, 256, "softmax", 0.05),
        momentum=0.9,
        image=(3, 32, 32),
        convolutions=(*twice, Convolution(count, 3, padding=1, pool=2)),
    )


IMAGES = (
    lenet(28, 1024, 2.0),
    lenet(227, 256, 0.1),
    channels(24),
    channels(48),
    channels(96),
)


def updates(workload: Workload, clip_norm: float, norm_lr: float) -> list[Workload]:
    """The network as it is, and with one thing more in each step."""
    # A gradient of rounding errors alone moves a parameter as far as any other if epsilon is
    # smaller: losses of peers that agree then differ by up to 100 eps. scikit-learn is not among
    # these.
    workload = dataclasses.replace(workload, eps=1e-8)
    more: dict[str, dict[str, Any]] = {
        "adamw": {"optimizer": "adamw", "lr": 2e-4, "momentum": 0.0, "weight_decay": 0.5},
        "clipped": {"clip_norm": clip_norm},
        "averaged": {"ema": 0.9},
        "norm": {"norm": True, "lr": norm_lr},
    }
    others = [
        dataclasses.replace(workload, name=f"{workload.name}-{name}", **options)
        for name, options in more.items()
    ]
    return [workload, *others]


# Where gradients are clipped, most of which are longer, and the learning rate with norms: with
# these, zeros of relu that rounding moves across 0 would soon show in the losses of mnist at 0.05.
UPDATED = {"digits": (0.3, 1e-3), "mnist": (0.5, 5e-3), "odd": (0.3, 0.05)}
UPDATES = tuple(
    updated
    for workload in WORKLOADS
    if workload.name in UPDATED
    for updated in updates(workload, *UPDATED[workload.name])
)

BY_NAME = {workload.name: workload for workload in (*WORKLOADS, *IMAGES, *UPDATES)}


def initial(workload: Workload) -> Parameters:
    """Weights and biases, uniform in +-1/sqrt(in), the same for every peer.

    Those of convolutions come first, (out, in, kh, kw); the dense ones are (in, out).
    """
    random = np.random.default_rng(1)
    shapes = [
        ((c.channels, inputs, c.kernel, c.kernel), inputs * c.kernel**2, c.channels)
        for c, inputs, _ in workload.stages
    ] + [
        ((inputs, outputs), inputs, outputs)
        for inputs, outputs in itertools.pairwise(workload.sizes)
    ]
    parameters = []
    for shape, inputs, outputs in shapes:
        bound = 1 / math.sqrt(inputs)
        weight = random.uniform(-bound, bound, shape)
        bias = random.uniform(-bound, bound, outputs)
        # Numbers of float32 in float64 too: the reference then starts where the peers do.
        parameters.append(
            tuple(array.astype(np.float32).astype(workload.dtype) for array in (weight, bias))
        )
    return parameters


def data(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """X (rows, in) and targets: classes (rows,) for "softmax", else numbers (rows, out).

    Images are (rows, C, H, W).
    Targets come from a random linear map. Half of the classes are random instead: a network that
    learns its rows by heart has gradients so small that they are subnormal, which would be timed.
    """
    random = np.random.default_rng(2)
    inputs, outputs = math.prod(workload.image or workload.sizes[:1]), workload.sizes[-1]
    if workload.name == "xor":
        X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        return X.astype(workload.dtype), np.array([[0], [1], [1], [0]]).astype(workload.dtype)
    X = random.standard_normal((workload.rows, inputs), dtype=np.float32)
    scores = X @ (random.standard_normal((inputs, outputs)) / math.sqrt(inputs)).astype(np.float32)
    noisy = random.random(workload.rows) < 0.5
    if workload.loss == "softmax":
        y = np.where(noisy, random.integers(outputs, size=workload.rows), scores.argmax(axis=1))
        return X.reshape(workload.rows, *(workload.image or (inputs,))).astype(workload.dtype), y
    if workload.loss == "binary":
        y = (scores > 0) ^ (noisy & (random.random(workload.rows) < 0.5))[:, None]
    else:
        y = np.sin(scores) + 0.1 * random.standard_normal(scores.shape, dtype=np.float32)
    return X.astype(workload.dtype), y.astype(workload.dtype)


def orders(workload: Workload, random: np.random.Generator | None) -> np.ndarray:
    """Row numbers of an epoch's batches (steps, batch): a new order, or as they lie for None."""
    rows = np.arange(workload.rows) if random is None else random.permutation(workload.rows)
    return rows.reshape(workload.steps, workload.batch)
