"""The strings that name optimizers."""

from __future__ import annotations

from typing import Any

from ironmlp._arguments.spec import refusal
from ironmlp._arguments.values import choice
from ironmlp.optimizers.adagrad import Adagrad
from ironmlp.optimizers.adam import Adam, AdamW, NAdam, RAdam
from ironmlp.optimizers.base import Optimizer
from ironmlp.optimizers.lion import Lion
from ironmlp.optimizers.rmsprop import RMSprop
from ironmlp.optimizers.sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": NAdam,
    "radam": RAdam,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "lion": Lion,
}


def resolve_optimizer(optimizer: Any) -> Optimizer:
    """The optimizer that a string of `OPTIMIZERS` names; None is Adam(), an optimizer itself."""
    if optimizer is None:
        return Adam()
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str):
        return OPTIMIZERS[choice("optimizer", optimizer, OPTIMIZERS)]()
    raise refusal("optimizer", optimizer, Optimizer, OPTIMIZERS)
