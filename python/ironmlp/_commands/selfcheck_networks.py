"""The networks whose trained bits are kept: what they are made of, their data, and their hashes.

Data come from raw Philox words, as multiples of 2**-20: they are the same in float32 and float64,
on every machine, and with every version of NumPy. `data/hashes.json` has what training makes of
them; `python -m ironmlp selfcheck` compares.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

import ironmlp as im
from ironmlp import _core
from ironmlp.layers import Layer
from ironmlp.layers.activations import Activation
from ironmlp.losses import Loss
from ironmlp.optimizers import Optimizer

Array = np.ndarray[Any, Any]
Dtype = Literal["float32", "float64"]

DTYPES: tuple[Dtype, ...] = ("float32", "float64")

# float32 and float64 are subnormal below 2**-126 and 2**-1022. Inputs of about 2**-130 and 2**-1030
# times weights of about 2**120 and 2**1020 make 2**-10: a CPU that flushes subnormals loses them.
TINY_INPUT = {"float32": -130, "float64": -1030}
HUGE_WEIGHT = {"float32": 120, "float64": 1020}


class Data(NamedTuple):
    X: Array
    y: Array
    sample_weight: Array | None


@dataclass(frozen=True)
class Network:
    """A model, its data, and how it is trained."""

    layers: tuple[Layer, ...]
    loss: Loss
    optimizer: Optimizer
    rows: int
    batch_size: int | None
    epochs: int = 2
    weighted: bool = False  # whether rows have weights
    soft: bool = False  # probabilities as targets instead of classes or 0 and 1
    subnormal: bool = False  # whether X is subnormal
    image: tuple[int, int, int] | None = None  # the shape of a sample, if it is an image
    seed: int = 7

    def data(self, dtype: Dtype) -> Data:
        """The same numbers for every dtype, but for a network with subnormal inputs."""
        linear = [layer for layer in self.layers if isinstance(layer, im.Linear)]
        n, outputs = self.rows, linear[-1].out_features
        X = 2.0 * unit((n, *(self.image or (linear[0].in_features,))), 1) - 1.0
        if self.subnormal:
            X = np.ldexp(X, TINY_INPUT[dtype])
        y = unit((n, outputs), 2)
        if isinstance(self.loss, im.CrossEntropy):
            # Probabilities: half a share for one class, the rest even.
            y = y.argmax(axis=1)
            y = (0.5 * np.eye(outputs)[y] + 0.5 / outputs) if self.soft else y
        elif isinstance(self.loss, im.BinaryCrossEntropy) and not self.soft:
            y = np.floor(2.0 * y)
        return Data(X, y, unit((n,), 3) if self.weighted else None)

    def build(
        self, dtype: Dtype, *, n_threads: int | None = None, route: str = "auto"
    ) -> im.Sequential:
        """The untrained model; `route` forces a way of computing, which must not matter."""
        model = im.Sequential(
            self.layers,
            loss=self.loss,
            optimizer=self.optimizer,
            dtype=dtype,
            seed=self.seed,
            n_threads=n_threads,
        )
        if self.subnormal:
            state = model.state_dict()
            state["0.weight"] = np.ldexp(state["0.weight"], HUGE_WEIGHT[dtype])
            model.load_state_dict(state)
        model._core._set_route(route)
        return model

    def fit(self, model: im.Sequential, data: Data, epochs: int | None = None) -> Array:
        """Train as the network says; the loss of each epoch."""
        history = model.fit(
            data.X,
            data.y,
            sample_weight=data.sample_weight,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=self.batch_size,
            verbose=False,
        )
        return history["loss"]

    def trained(self, dtype: Dtype, *, n_threads: int | None = None, route: str = "auto") -> str:
        """The hash of the network after its training, in which all threads take part."""
        model = self.build(dtype, n_threads=n_threads, route=route)
        with forced_threads():
            losses = self.fit(model, self.data(dtype))
        return digest(losses, model.state_dict())


@contextlib.contextmanager
def forced_threads() -> Iterator[None]:
    """Within, every op of this thread's models runs on as many threads as the model has, each on a
    share of its own: also small ops, which one thread does alone, and on a host of fewer cores.
    """
    before = _core._force_threads(True)
    try:
        yield
    finally:
        _core._force_threads(before)


def digest(losses: Array | float, state: Mapping[str, Array]) -> str:
    """SHA-256 of the losses, then of each parameter's name and values, little-endian."""
    found = hashlib.sha256(np.asarray(losses, "<f8").tobytes())
    for key, values in state.items():
        found.update(key.encode())
        found.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return found.hexdigest()


def unit(shape: tuple[int, ...], stream: int) -> Array:
    """Multiples of 2**-20 in [0, 1)."""
    words = np.random.Philox(key=stream).random_raw(math.prod(shape))
    return ((words >> np.uint64(44)) * 2.0**-20).reshape(shape)


def dense(
    sizes: Iterable[int], activation: Activation, *, init: Any = None, drop: float = 0.0
) -> tuple[Layer, ...]:
    """Linear layers with the activation, and dropout if any, between each two."""
    layers: list[Layer] = []
    for inputs, outputs in itertools.pairwise(sizes):
        if layers:
            layers += [activation, im.Dropout(drop)] if drop else [activation]
        layers.append(im.Linear(inputs, outputs, init=init))
    return tuple(layers)


NETWORKS = {
    "xor": Network(
        (*dense([2, 3, 2, 1], im.Sigmoid(), init="normal"), im.Sigmoid()),
        im.BinaryCrossEntropy(from_logits=False, reduction="sum"),
        im.SGD(lr=0.1),
        rows=4,
        batch_size=None,
        epochs=50,
    ),
    "line": Network(
        (im.Linear(3, 1, bias=False),), im.MSE(), im.SGD(lr=0.05), rows=40, batch_size=1
    ),
    "tiny": Network(
        dense([13, 16, 8, 1], im.Tanh()),
        im.Huber(0.3),
        im.Adam(lr=0.01, betas=(0.8, 0.99), eps=1e-6),
        rows=100,
        batch_size=32,
    ),
    "odd": Network(
        dense([7, 19, 33, 5], im.ReLU(), init="he_normal", drop=0.3),
        im.CrossEntropy(class_weight=[1.0, 2.0, 0.5, 1.5, 0.0], label_smoothing=0.1),
        im.SGD(lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True),
        rows=91,
        batch_size=17,
        weighted=True,
    ),
    "cancer": Network(
        dense([30, 64, 64, 1], im.Sigmoid()),
        im.BinaryCrossEntropy(pos_weight=2.5),
        im.SGD(lr=0.1),
        rows=150,
        batch_size=32,
        weighted=True,
    ),
    "digits": Network(
        dense([64, 100, 10], im.ReLU()),
        im.CrossEntropy(ignore_index=3),
        im.Adam(),
        rows=450,
        batch_size=200,
    ),
    "adamw": Network(
        dense([17, 34, 20, 3], im.SiLU(), drop=0.1),
        im.CrossEntropy(),
        im.AdamW(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
        rows=130,
        batch_size=48,
    ),
    "lion": Network(
        dense([15, 40, 6], im.GELU()),
        im.MSE(),
        im.Lion(lr=1e-3, betas=(0.8, 0.95), weight_decay=0.1),
        rows=120,
        batch_size=50,
        weighted=True,
    ),
    "log_cosh": Network(
        dense([6, 11, 2], im.Mish()),
        im.LogCosh(),
        im.SGD(lr=0.1),
        rows=90,
        batch_size=25,
        weighted=True,
    ),
    "flags": Network(
        dense([9, 21, 6], im.SiLU(), init="glorot_uniform"),
        im.BinaryCrossEntropy(pos_weight=[0.5, 1, 2, 3, 4, 5], reduction="sum"),
        im.Adam(lr=0.01, weight_decay=1e-2),
        rows=1000,
        batch_size=300,
        soft=True,
    ),
    "mish": Network(
        (
            im.Conv2d(1, 5, 3),
            im.Mish(),
            im.MaxPool2d(2),
            im.Flatten(),
            *dense([60, 34, 3], im.Mish(), drop=0.1),
        ),
        im.CrossEntropy(),
        im.SGD(lr=0.1, momentum=0.5),
        rows=150,
        batch_size=64,
        weighted=True,
        image=(1, 8, 10),
    ),
    "outputs": Network(
        (*dense([12, 40], im.ELU()), im.ELU(), im.Linear(40, 130, init="zeros")),
        im.MSE(),
        im.SGD(lr=0.5, weight_decay=1e-2),
        rows=120,
        batch_size=50,
        weighted=True,
    ),
    "wide": Network(
        dense([784, 300, 10], im.GELU(), drop=0.5),
        im.CrossEntropy(),
        im.SGD(lr=0.1, momentum=0.5),
        rows=300,
        batch_size=270,
        epochs=1,
        soft=True,
    ),
    "images": Network(
        (
            im.Conv2d(2, 6, 5, padding=2),
            im.ReLU(),
            im.MaxPool2d(2),
            im.Conv2d(6, 20, (3, 2), stride=(1, 2), dilation=(2, 1), groups=2, bias=False),
            im.Tanh(),
            im.AvgPool2d((1, 2), 1),
            im.Dropout(0.2),
            im.Conv2d(20, 7, 1, lr_scale=0.5),
            im.Sigmoid(),
            im.Flatten(),
            im.Linear(112, 24),
            im.ReLU(),
            im.Linear(24, 4),
        ),
        im.CrossEntropy(),
        im.SGD(lr=0.1, momentum=0.9),
        rows=300,
        batch_size=277,
        weighted=True,
        image=(2, 17, 22),
    ),
    "deep": Network(
        (
            *dense([6, 12, 12, 12], im.ELU(0.7)),
            im.LeakyReLU(0.2),
            im.Linear(12, 18, init="glorot_uniform", lr_scale=0.5),
            im.GELU(approximate="tanh"),
            im.Linear(18, 18, trainable=False),
            im.Softplus(2.0, 3.0),
            im.Dropout(0.1),
            im.Linear(18, 12, bias=False),
            im.Identity(),
            *dense([12, 9, 4], im.Tanh(), init="normal"),
        ),
        im.MAE(reduction="sum"),
        im.SGD(lr=1e-3, momentum=0.9),
        rows=70,
        batch_size=16,
    ),
    "slabs, tiny": Network(
        dense([5, 8, 2], im.Softplus()), im.MSE(), im.SGD(lr=0.1), rows=9001, batch_size=None
    ),
    "slabs": Network(
        dense([20, 40, 3], im.LeakyReLU(), drop=0.25),
        im.CrossEntropy(),
        im.Adam(),
        rows=4500,
        batch_size=4400,
        epochs=1,
    ),
    "norms": Network(
        (
            *(im.Linear(13, 37), im.LayerNorm(37), im.ReLU(), im.Dropout(0.1)),
            *(im.Linear(37, 20, bias=False), im.LayerNorm(20, 1e-3, affine=False), im.Tanh()),
            *(im.Linear(20, 5), im.LayerNorm(5, lr_scale=0.5)),
        ),
        im.CrossEntropy(),
        im.Adam(lr=0.01),
        rows=600,
        batch_size=530,
        weighted=True,
    ),
    "residual": Network(
        (
            im.Linear(11, 24),
            im.Residual(
                [im.LayerNorm(24), im.Linear(24, 40), im.GELU(), im.Dropout(0.2), im.Linear(40, 24)]
            ),
            im.Residual([im.Tanh(), im.Residual([im.Linear(24, 24, trainable=False), im.SiLU()])]),
            im.LayerNorm(24, trainable=False),
            im.Linear(24, 3),
        ),
        im.MSE(),
        im.SGD(lr=0.1, momentum=0.9),
        rows=150,
        batch_size=48,
    ),
    "subnormal": Network(
        dense([4, 6, 3], im.Sigmoid(), init="normal"),
        im.MSE(),
        im.Adam(),
        rows=20,
        batch_size=8,
        subnormal=True,
    ),
}

# Every network in both dtypes, by the name that its hash is kept under.
CASES = {
    f"{name}, {dtype}": (network, dtype) for name, network in NETWORKS.items() for dtype in DTYPES
}
