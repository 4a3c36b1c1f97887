"""What a model is made of, which training does not change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ironmlp._arguments.rounding import check_rounded, rounded
from ironmlp._arguments.values import choice, flag, real
from ironmlp._engine.network import check_head, checked_layers, nodes
from ironmlp.layers import Layer
from ironmlp.losses import (
    MAE,
    MSE,
    Huber,
    LogCosh,
    Loss,
    LossFunction,
    Quantile,
    resolve_loss,
)
from ironmlp.optimizers import Optimizer, resolve_optimizer

DTYPES = ("float32", "float64")

# Losses of a difference, which mean the same on another scale of y.
STANDARDIZED = (MSE, MAE, Huber, LogCosh, Quantile)


class Architecture:
    """The base of the models: their constructor's arguments, checked."""

    # Of models that were pickled before there were such arguments.
    _standardize = _standardize_y = False

    def __init__(
        self,
        layers: Iterable[Layer],
        loss: str | Loss | LossFunction,
        optimizer: str | Optimizer | None,
        dtype: Any,
        scale: float | None,
        channels_last: bool,
        standardize: bool,
        standardize_y: bool,
    ) -> None:
        self._layers = checked_layers(layers, "torch_linear")
        self._loss = resolve_loss(loss)
        self._optimizer = resolve_optimizer(optimizer)
        check_head(self._layers, self._loss)
        self._dtype = checked_dtype(dtype)
        self._scale = None if scale is None else real("scale", scale, above=0.0)
        self._check_rounded()
        self._channels_last = flag("channels_last", channels_last)
        self._standardize = flag("standardize", standardize)
        self._standardize_y = flag("standardize_y", standardize_y)
        if self._standardize_y:
            check_standardized(self._loss)

    def _check_rounded(self) -> None:
        for name, layer in nodes(self._layers):
            check_rounded(layer, self._dtype, name)
        if isinstance(self._loss, Loss):
            check_rounded(self._loss, self._dtype)
        check_rounded(self._optimizer, self._dtype)
        if self._scale is not None:
            rounded("scale", self._scale, self._dtype, positive=True)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers; a `Linear` made without `init` has the model's."""
        return self._layers

    @property
    def loss(self) -> Loss | LossFunction:
        """The loss."""
        return self._loss

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of parameters and outputs."""
        return np.dtype(self._dtype)

    @property
    def scale(self) -> float | None:
        """The argument of this name."""
        return self._scale

    @property
    def channels_last(self) -> bool:
        """The argument of this name."""
        return self._channels_last

    @property
    def standardize(self) -> bool:
        """The argument of this name."""
        return self._standardize

    @property
    def standardize_y(self) -> bool:
        """The argument of this name."""
        return self._standardize_y


def check_standardized(loss: Loss | LossFunction) -> None:
    """Refuse a loss whose targets are no numbers on a scale of their own."""
    if not isinstance(loss, STANDARDIZED):
        names = ", ".join(kind.__name__ for kind in STANDARDIZED)
        raise ValueError(
            f"standardize_y is True, the loss is {loss!r}: y can be standardized for {names} alone"
        )


def checked_dtype(dtype: Any) -> str:
    """The name of a dtype that models have."""
    if dtype is not None and not isinstance(dtype, str):
        with contextlib.suppress(TypeError, ValueError):
            dtype = np.dtype(dtype).name
    return choice("dtype", dtype, DTYPES)
