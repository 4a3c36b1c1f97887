"""The strings that name losses: all that need no argument."""

from __future__ import annotations

from typing import Any

from ironmlp._arguments.spec import refusal
from ironmlp._arguments.values import choice
from ironmlp.losses.base import Loss, LossFunction
from ironmlp.losses.classification import BinaryCrossEntropy, CrossEntropy, Focal
from ironmlp.losses.likelihood import GaussianNLL, PoissonNLL
from ironmlp.losses.regression import MAE, MSE, Huber, LogCosh

LOSSES: dict[str, type[Loss]] = {
    "binary_cross_entropy": BinaryCrossEntropy,
    "cross_entropy": CrossEntropy,
    "mse": MSE,
    "mae": MAE,
    "huber": Huber,
    "log_cosh": LogCosh,
    "poisson_nll": PoissonNLL,
    "gaussian_nll": GaussianNLL,
    "focal": Focal,
}


def resolve_loss(loss: Any) -> Loss | LossFunction:
    """The loss that a string of `LOSSES` names; a loss or a function is returned as it is."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        return LOSSES[choice("loss", loss, LOSSES)]()
    if callable(loss) and not (isinstance(loss, type) and issubclass(loss, Loss)):
        function: LossFunction = loss
        return function
    raise refusal("loss", loss, Loss, LOSSES)
