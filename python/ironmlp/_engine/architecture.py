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
from ironmlp.losses import Loss, LossFunction, resolve_loss
from ironmlp.optimizers import Optimizer, resolve_optimizer

DTYPES = ("float32", "float64")


class Architecture:
    """The base of the models: their constructor's arguments, checked."""

    def __init__(
        self,
        layers: Iterable[Layer],
        loss: str | Loss | LossFunction,
        optimizer: str | Optimizer | None,
        dtype: Any,
        scale: float | None,
        channels_last: bool,
    ) -> None:
        self._layers = checked_layers(layers, "torch_linear")
        self._loss = resolve_loss(loss)
        self._optimizer = resolve_optimizer(optimizer)
        check_head(self._layers, self._loss)
        self._dtype = checked_dtype(dtype)
        self._scale = None if scale is None else real("scale", scale, above=0.0)
        self._check_rounded()
        self._channels_last = flag("channels_last", channels_last)

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


def checked_dtype(dtype: Any) -> str:
    """The name of a dtype that models have."""
    if dtype is not None and not isinstance(dtype, str):
        with contextlib.suppress(TypeError, ValueError):
            dtype = np.dtype(dtype).name
    return choice("dtype", dtype, DTYPES)
