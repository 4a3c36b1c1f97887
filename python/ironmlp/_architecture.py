"""What a model is made of, which training does not change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ironmlp._network import check_head, checked_layers
from ironmlp._spec import choice, flag, real
from ironmlp.layers import Layer
from ironmlp.losses import Loss, LossFunction, resolve_loss
from ironmlp.optimizers import Optimizer, resolve_optimizer

DTYPES = ("float32", "float64")


class Architecture:
    """The base of the models: their constructor's arguments, checked, and shown by `repr`."""

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
        self._channels_last = flag("channels_last", channels_last)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers; a `Linear` made without `init` has the model's."""
        return self._layers

    @property
    def loss(self) -> Loss | LossFunction:
        """The loss."""
        return self._loss

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer as it was given; see `learning_rate`."""
        return self._optimizer

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
    def seed(self) -> int:
        """The seed, also if it was drawn."""
        raise NotImplementedError

    def _arguments(self) -> dict[str, Any]:
        """The constructor's arguments, in its order, which make this model anew; `n_threads` is
        left out, for it belongs to the machine. `repr` and files are made of these."""
        arguments = {
            "layers": list(self._layers),
            "loss": self._loss,
            "optimizer": self._optimizer,
            "dtype": self._dtype,
            "seed": self.seed,
        }
        return arguments | self._input_arguments()

    def _input_arguments(self) -> dict[str, Any]:
        """Those that say how X is read, where they are not the defaults."""
        given = {"scale": self._scale, "channels_last": self._channels_last}
        return {name: value for name, value in given.items() if value}

    def __repr__(self) -> str:
        (_, first), *named = self._arguments().items()
        words = [repr(first), *(f"{name}={value!r}" for name, value in named)]
        return f"{type(self).__name__}({', '.join(words)})"


def checked_dtype(dtype: Any) -> str:
    """The name of a dtype that models have."""
    if not isinstance(dtype, str | None):
        with contextlib.suppress(TypeError, ValueError):
            dtype = np.dtype(dtype).name
    return choice("dtype", dtype, DTYPES)
