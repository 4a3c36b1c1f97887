"""What a network of the self-check is: its layers, its data, how it is trained, and its hash.

Data come from raw Philox words, as multiples of 2**-20: they are the same in float32 and float64,
on every machine, and with every version of NumPy.
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
from ironmlp.losses.rows import ClippedBCEWithLogits, ClippedCrossEntropy, HalfPoissonDeviance
from ironmlp.optimizers import Optimizer

Array = np.ndarray[Any, Any]
Dtype = Literal["float32", "float64"]

DTYPES: tuple[Dtype, ...] = ("float32", "float64")

# float32 and float64 are subnormal below 2**-126 and 2**-1022. Inputs of about 2**-130 and 2**-1030
# times weights of about 2**120 and 2**1020 make 2**-10: a CPU that flushes subnormals loses them.
TINY_INPUT = {"float32": -130, "float64": -1030}
HUGE_WEIGHT = {"float32": 120, "float64": 1020}


# Losses of flags.
FLAGS = (im.BinaryCrossEntropy, im.Focal, ClippedBCEWithLogits)


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
        columns = {im.Quantile: 1, im.GaussianNLL: outputs // 2}.get(type(self.loss), outputs)
        y = unit((n, columns), 2)
        if isinstance(self.loss, im.PoissonNLL | HalfPoissonDeviance):
            y = np.floor(4.0 * y)
        elif isinstance(self.loss, im.CrossEntropy | ClippedCrossEntropy):
            # Probabilities: half a share for one class, the rest even.
            y = y.argmax(axis=1)
            y = (0.5 * np.eye(outputs)[y] + 0.5 / outputs) if self.soft else y
        elif isinstance(self.loss, FLAGS) and not self.soft:
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
        return digest(*kept(model, losses))


def kept(model: im.Sequential, losses: Array) -> tuple[Array, dict[str, Array]]:
    """What the hash of a trained model is of: losses and parameters, and of those that have them
    penalties on weights and averages of parameters."""
    state, history = model.state_dict(), model.history
    if history is not None and "penalty" in history:
        losses = np.append(losses, history["penalty"])
    if model.optimizer.ema is not None:
        averages = model.averaged().state_dict()
        state |= {f"average/{key}": values for key, values in averages.items()}
    return losses, state


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
