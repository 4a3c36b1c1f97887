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


class _BatchNorm(Layer):
    """What normalizations over batches have in common."""

    __slots__ = ()
    n: int
    eps: float
    momentum: float | None
    affine: bool
    trainable: bool
    lr_scale: float

    def __init__(
        self,
        n: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        *,
        trainable: bool = True,
        lr_scale: float = 1.0,
    ) -> None:
        share = None if momentum is None else real("momentum", momentum, at_least=0.0, at_most=1.0)
        self._set(
            n=size("n", n),
            eps=real("eps", eps, at_least=0.0),
            momentum=share,
            affine=flag("affine", affine),
            trainable=flag("trainable", trainable),
            lr_scale=real("lr_scale", lr_scale, at_least=0.0),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr_scale",)


class BatchNorm1d(_BatchNorm):
    """y = w * (x - mean) / sqrt(variance + eps) + b over a batch's rows, for each of n features.

    Rows (n_rows, n) stay of that shape. In training, mean and variance are those of the batch, the
    variance divided by n_rows; weights of rows do not count in them. Otherwise (`predict`,
    `evaluate`, `forward`, validation, `trace`) they are running values, which a model keeps beside
    its parameters: "running_mean" and "running_var" (n,), which begin as 0 and 1, and
    "num_batches_tracked", an int64, under PyTorch's keys in `state_dict`. Each batch in `fit` and
    `train_on_batch`, and in `loss_and_grad` and `backward` with `training=True`, moves them,

        running = (1 - momentum) * running + momentum * batch's,

    with the batch's variance divided by n_rows - 1; `forward`, and a step whose loss is not finite,
    do not. momentum is from 0 to 1; None weighs all batches alike. `trainable` does not hold the
    running values.

    A batch of 1 row has no variance: ValueError, in `fit` before the first step, also for a last
    batch that is so short. A batch in training is in memory as a whole.

    w and b have shape (n,) and begin as 1 and 0; without `affine` there are none. eps is at least
    0. `trainable` and `lr_scale` are as in `Linear`. Ioffe and Szegedy, 2015; PyTorch's definition.
    """

    __slots__ = ("n", "eps", "momentum", "affine", "trainable", "lr_scale")  # noqa: RUF023


class BatchNorm2d(_BatchNorm):
    """As `BatchNorm1d`, for each of n channels of images over all pixels of a batch.

    Images (n_images, n, H, W), or (n_images, H, W, n) with `channels_last`, stay of that shape. In
    training mean and variance of a channel are those of its n_images * H * W pixels in the batch,
    and the running variance takes the batch's divided by one pixel less. A batch of 1 image of 1
    pixel has no variance: ValueError. All else is as there, the shapes of parameters and running
    values too. Ioffe and Szegedy, 2015; PyTorch's definition.
    """

    __slots__ = ("n", "eps", "momentum", "affine", "trainable", "lr_scale")  # noqa: RUF023
