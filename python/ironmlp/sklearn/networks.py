"""The networks of the core behind an estimator: one that trains, and those that predict."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ironmlp import _core
from ironmlp.layers import (
    ELU,
    GELU,
    SELU,
    Dropout,
    Hardswish,
    Layer,
    LeakyReLU,
    Linear,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ironmlp.losses import Loss
from ironmlp.losses.rows import (
    ClippedBCEWithLogits,
    ClippedCrossEntropy,
    HalfPoissonDeviance,
    HalfSquaredError,
)
from ironmlp.optimizers import SGD, Optimizer

Arrays: TypeAlias = "list[NDArray[Any]]"
Float: TypeAlias = "NDArray[np.floating[Any]]"
DType: TypeAlias = Literal["float32", "float64"]

# scikit-learn's, then ours.
ACTIVATIONS: dict[str, Layer | None] = {
    "identity": None,
    "logistic": Sigmoid(),
    "tanh": Tanh(),
    "relu": ReLU(),
    "elu": ELU(),
    "gelu": GELU(),
    "hardswish": Hardswish(),
    "leaky_relu": LeakyReLU(),
    "mish": Mish(),
    "selu": SELU(),
    "silu": SiLU(),
    "softplus": Softplus(),
}
# By the activation of the outputs, which scikit-learn names, to the loss of logits.
LOSSES: dict[str, Loss] = {
    "softmax": ClippedCrossEntropy(),
    "logistic": ClippedBCEWithLogits(),
    "identity": HalfSquaredError(),
    "exp": HalfPoissonDeviance(),
}


@dataclass(frozen=True)
class Shape:
    """What a network is, but for its numbers."""

    units: tuple[int, ...]
    activation: str
    output: str  # the activation of the outputs
    dropout: float = 0.0  # of the outputs of hidden layers, in training
    seed: int = 0  # of what is dropped
    standardizes: bool = False  # its inputs

    @property
    def layers(self) -> list[Layer]:
        """The layers up to the logits."""
        activation, found = ACTIVATIONS[self.activation], list[Layer]()
        between = [] if activation is None else [activation]
        between += [Dropout(self.dropout)] if self.dropout else []
        for inputs, outputs in itertools.pairwise(self.units):
            found += [*(between if found else []), Linear(inputs, outputs)]
        return found

    def model(self, dtype: DType, optimizer: Optimizer, n_threads: int | None) -> _core.Model:
        """A network with values of its own, which are to be replaced."""
        return _core.Model(
            self.layers,
            LOSSES[self.output],
            optimizer,
            dtype=dtype,
            seed=self.seed,
            n_threads=n_threads,
            scale=None,
            channels_last=False,
            standardize=self.standardizes,
            standardize_y=False,
        )


def activated(logits: Float, output: str) -> Float:
    """The outputs of a network from its logits."""
    if output == "softmax":
        return _core.softmax(logits)
    if output == "logistic":
        return _core.sigmoid(logits)
    return _core.exp(logits) if output == "exp" else logits


class Networks:
    """The networks of one estimator, which pickles and copies leave behind."""

    def __init__(self) -> None:
        self._predicts: dict[DType, tuple[tuple[Any, ...], _core.Model]] = {}
        self._trains: tuple[tuple[Any, ...], _core.Model] | None = None

    def training(
        self, shape: Shape, dtype: DType, optimizer: Optimizer, n_threads: int | None
    ) -> tuple[_core.Model, Any | None]:
        """The network that trains, and the optimizer's state of the one whose place it takes, where
        something else has been said of it since the call before."""
        key = (shape, dtype, repr(optimizer), n_threads)
        if self._trains is not None and self._trains[0] == key:
            return self._trains[1], None
        model, before = shape.model(dtype, optimizer, n_threads), self.moments()
        self._trains = key, model
        return model, before

    def forget(self) -> None:
        """Let the next training have a network whose epochs count from 0, as a schedule's do."""
        self._trains = None

    def moments(self) -> Any | None:
        """The optimizer's state of the network that trains, for a pickle."""
        return None if self._trains is None else self._trains[1].optimizer_state()

    def predicting(self, shape: Shape, dtype: DType, n_threads: int | None) -> _core.Model:
        """A network for predictions in a dtype, whose parameters, and mean and deviation of inputs,
        are to be replaced."""
        key = (shape, n_threads)
        found = self._predicts.get(dtype)
        if found is None or found[0] != key:
            found = self._predicts[dtype] = key, shape.model(dtype, SGD(lr=0.0), n_threads)
        return found[1]
