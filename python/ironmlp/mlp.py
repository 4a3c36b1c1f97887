"""`MLP`: a `Sequential` from a list of sizes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

from ironmlp._arguments.keywords import explains_keywords
from ironmlp._arguments.values import choice, size
from ironmlp.layers import Layer, Linear, Sigmoid
from ironmlp.layers.activations import Activation, resolve_activation
from ironmlp.layers.base import INITIALIZERS, Initializer
from ironmlp.losses import BinaryCrossEntropy, Loss, LossFunction, resolve_loss
from ironmlp.model import Sequential
from ironmlp.optimizers import Optimizer

__all__ = ["MLP"]


def __dir__() -> list[str]:
    return __all__


class MLP(Sequential):
    """A multilayer perceptron: `Linear` layers with an activation between each two.

    `layer_sizes` are the columns of X, the hidden layers' units, and the outputs. `activation` is
    one of "identity", "sigmoid" (or "logistic"), "tanh", "relu", "leaky_relu", "prelu",
    "elu", "selu", "gelu", "silu", "mish", "hardswish", "softplus", or a layer such as
    `LeakyReLU(0.2)`; of one with parameters each place has its own. There is none after the last
    layer, but a `Sigmoid` with `BinaryCrossEntropy(from_logits=False)`. `init` is the distribution
    of the initial parameters: "torch_linear", "glorot_uniform", "he_normal", "zeros" or "normal"
    (standard normal, weights and biases). For all else see `Sequential`.
    """

    _saved_as: ClassVar[str] = "MLP"

    @explains_keywords
    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: str | Activation = "relu",
        loss: str | Loss | LossFunction,
        optimizer: str | Optimizer | None = None,
        init: Initializer = "torch_linear",
        dtype: Literal["float32", "float64"] = "float32",
        seed: int | None = None,
        n_threads: int | None = None,
        scale: float | None = None,
        standardize: bool = False,
        standardize_y: bool = False,
    ) -> None:
        sizes = checked_sizes(layer_sizes)
        activation, loss = resolve_activation(activation), resolve_loss(loss)
        layers = dense_layers(sizes, activation=activation, init=init, loss=loss)
        super().__init__(
            layers,
            loss=loss,
            optimizer=optimizer,
            dtype=dtype,
            seed=seed,
            n_threads=n_threads,
            scale=scale,
            standardize=standardize,
            standardize_y=standardize_y,
        )
        self._layer_sizes = sizes
        self._given = {"activation": activation, "init": init}

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """The columns of X, the hidden layers' units, and the outputs."""
        return self._layer_sizes

    def _arguments(self) -> dict[str, Any]:
        others = super()._arguments()
        del others["layers"]
        return {"layer_sizes": list(self._layer_sizes), **self._given, **others}


def dense_layers(sizes: tuple[int, ...], *, activation: Any, init: Any, loss: Any) -> list[Layer]:
    """The layers of an `MLP` with these `checked_sizes` and arguments, which are checked."""
    between = resolve_activation(activation)
    init = choice("init", init, INITIALIZERS)
    loss = resolve_loss(loss)
    layers: list[Layer] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [Linear(inputs, outputs, init=init), between]
    layers.pop()
    if isinstance(loss, BinaryCrossEntropy) and not loss.from_logits:
        layers.append(Sigmoid())
    return layers


def checked_sizes(layer_sizes: Any) -> tuple[int, ...]:
    """At least two sizes, each at least 1."""
    if isinstance(layer_sizes, str) or not isinstance(layer_sizes, Iterable):
        raise TypeError(
            f"layer_sizes is {layer_sizes!r} ({type(layer_sizes).__name__}), "
            "it must be a sequence of integers"
        )
    entries = tuple(layer_sizes)
    if any(isinstance(entry, Layer) for entry in entries):
        raise TypeError(
            "layer_sizes has layers, it must have integers: layers are im.Sequential's, "
            "im.Sequential([im.Linear(4, 8), im.ReLU(), im.Linear(8, 1)], loss=...)"
        )
    sizes = tuple(size(f"layer_sizes[{i}]", entry) for i, entry in enumerate(entries))
    if len(sizes) < 2:
        raise ValueError(
            f"layer_sizes has length {len(sizes)}, it must have at least 2: inputs and outputs"
        )
    return sizes
