"""Layers that give features the same mean and variance."""

from __future__ import annotations

from ironmlp._arguments.values import flag, real, size
from ironmlp.layers.base import Layer


class LayerNorm(Layer):
    """y = w * (x - mean) / sqrt(variance + eps) + b over the n features of each row.

    Rows (n_rows, n) stay of that shape. The variance is divided by n; w and b have shape (n,) and
    begin as 1 and 0; without `affine` there are none. eps is at least 0. `trainable` and `lr_scale`
    are as in `Linear`. Ba, Kiros and Hinton, 2016; PyTorch's definition.
    """

    __slots__ = ("n", "eps", "affine", "trainable", "lr_scale")  # noqa: RUF023
    n: int
    eps: float
    affine: bool
    trainable: bool
    lr_scale: float

    def __init__(
        self,
        n: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        trainable: bool = True,
        lr_scale: float = 1.0,
    ) -> None:
        self._set(
            n=size("n", n),
            eps=real("eps", eps, at_least=0.0),
            affine=flag("affine", affine),
            trainable=flag("trainable", trainable),
            lr_scale=real("lr_scale", lr_scale, at_least=0.0),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr_scale",)
