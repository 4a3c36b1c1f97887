"""Multilayer perceptrons trained on the CPU: fast, and the same bits on every machine.

    import ironmlp as im

    model = im.MLP([30, 64, 1], loss="binary_cross_entropy", seed=0)
    model.fit(X, y, epochs=20)
    model.predict(X)

`ironmlp.functional` holds array functions, `ironmlp.datasets` two small data sets,
`ironmlp.callbacks` code of your own between epochs, and `ironmlp.reference` the same models in
plain NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ironmlp._configuration import (
    __version__,
    config,
    get_num_threads,
    set_num_threads,
    show_config,
)
from ironmlp.callbacks import Callback, EarlyStopping, LambdaCallback, ProgressBar, StopTraining
from ironmlp.history import History
from ironmlp.layers import (
    ELU,
    GELU,
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ironmlp.lenet import LeNet5
from ironmlp.losses import MAE, MSE, BinaryCrossEntropy, CrossEntropy, Huber
from ironmlp.mlp import MLP
from ironmlp.model import Sequential
from ironmlp.optimizers import SGD, Adam, AdamW, Lion

if TYPE_CHECKING:
    from ironmlp import datasets, functional, reference
    from ironmlp.persistence import load

__all__ = [
    "ELU",
    "GELU",
    "MAE",
    "MLP",
    "MSE",
    "SGD",
    "Adam",
    "AdamW",
    "AvgPool2d",
    "BinaryCrossEntropy",
    "Callback",
    "Conv2d",
    "CrossEntropy",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "History",
    "Huber",
    "Identity",
    "LambdaCallback",
    "LeNet5",
    "LeakyReLU",
    "Linear",
    "Lion",
    "MaxPool2d",
    "ProgressBar",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "StopTraining",
    "Tanh",
    "__version__",
    "config",
    "datasets",
    "functional",
    "get_num_threads",
    "load",
    "reference",
    "set_num_threads",
    "show_config",
]

# What many programs never use: imported with its first use.
LAZY = ("datasets", "functional", "load", "reference")


def __getattr__(name: str) -> Any:
    if name in LAZY:
        import importlib

        module = importlib.import_module(f"ironmlp.{'persistence' if name == 'load' else name}")
        return module.load if name == "load" else module
    raise AttributeError(f"module 'ironmlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *LAZY})
