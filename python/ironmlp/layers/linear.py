"""Fully connected layers."""

from __future__ import annotations

from ironmlp._arguments.values import choice, flag, real, size
from ironmlp.layers.base import INITIALIZERS, Initializer, Layer


class Linear(Layer):
    """y = x W^T + b, with W of shape (out_features, in_features) and b of shape (out_features,).

    `init` names the distribution of the initial parameters; None takes the model's, which is
    "torch_linear" unless an `MLP` is told otherwise. A layer with `trainable=False` keeps its
    parameters; `lr_scale` (at least 0) multiplies the learning rate of this layer.
    """

    __slots__ = ("in_features", "out_features", "bias", "init", "trainable", "lr_scale")  # noqa: RUF023
    in_features: int
    out_features: int
    bias: bool
    init: str | None
    trainable: bool
    lr_scale: float

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: Initializer | None = None,
        trainable: bool = True,
        lr_scale: float = 1.0,
    ) -> None:
        self._set(
            in_features=size("in_features", in_features),
            out_features=size("out_features", out_features),
            bias=flag("bias", bias),
            init=None if init is None else choice("init", init, INITIALIZERS),
            trainable=flag("trainable", trainable),
            lr_scale=real("lr_scale", lr_scale, at_least=0.0),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr_scale",)
