"""Multilayer perceptrons trained on the CPU: fast, and the same bits on every machine.

    import ironmlp as im

    model = im.MLP([30, 64, 1], loss="binary_cross_entropy", seed=0)
    model.fit(X, y, epochs=20)
    model.predict(X)

Models are made of values: layers, a loss and an optimizer, whose classes are `Layer`, `Loss` and
`Optimizer`; `ironmlp.layers`, `ironmlp.losses` and `ironmlp.optimizers` say what each is, and
`ironmlp.schedules` what takes the place of a constant learning rate.
`ironmlp.functional` holds array functions, `ironmlp.datasets` two small data sets,
`ironmlp.callbacks` code of your own between epochs, and `ironmlp.reference` the same models in
plain NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ironmlp import callbacks, layers, losses, optimizers
from ironmlp._configuration import (
    __version__,
    config,
    get_num_threads,
    set_num_threads,
    show_config,
    threads,
)
from ironmlp.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ProgressBar,
    ReduceLROnPlateau,
    StopTraining,
)
from ironmlp.history import History
from ironmlp.layers import (
    ELU,
    GELU,
    SELU,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Hardswish,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Mish,
    PReLU,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ironmlp.losses import (
    MAE,
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    Focal,
    GaussianNLL,
    Huber,
    LogCosh,
    Loss,
    PoissonNLL,
    Quantile,
)
from ironmlp.metrics import Metric
from ironmlp.mlp import MLP
from ironmlp.model import Sequential
from ironmlp.optimizers import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)

if TYPE_CHECKING:
    from ironmlp import datasets, functional, reference, schedules
    from ironmlp.lenet import LeNet5
    from ironmlp.persistence import load
    from ironmlp.schedules import (
        CosineAnnealingLR,
        CosineAnnealingWarmRestarts,
        ExponentialLR,
        LinearWarmup,
        MultiStepLR,
        OneCycleLR,
        PolynomialLR,
        Schedule,
        StepLR,
    )

__all__ = [
    "ELU",
    "GELU",
    "MAE",
    "MLP",
    "MSE",
    "SELU",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BinaryCrossEntropy",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "Conv2d",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CrossEntropy",
    "Dropout",
    "EarlyStopping",
    "ExponentialLR",
    "Flatten",
    "Focal",
    "GaussianNLL",
    "Hardswish",
    "History",
    "Huber",
    "Identity",
    "LambdaCallback",
    "Layer",
    "LayerNorm",
    "LeNet5",
    "LeakyReLU",
    "Linear",
    "LinearWarmup",
    "Lion",
    "LogCosh",
    "Loss",
    "MaxPool2d",
    "Metric",
    "Mish",
    "MultiStepLR",
    "NAdam",
    "OneCycleLR",
    "Optimizer",
    "PReLU",
    "PoissonNLL",
    "PolynomialLR",
    "ProgressBar",
    "Quantile",
    "RAdam",
    "RMSprop",
    "ReLU",
    "ReduceLROnPlateau",
    "Residual",
    "Schedule",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "StepLR",
    "StopTraining",
    "Tanh",
    "__version__",
    "callbacks",
    "config",
    "datasets",
    "functional",
    "get_num_threads",
    "layers",
    "load",
    "losses",
    "optimizers",
    "reference",
    "schedules",
    "set_num_threads",
    "show_config",
    "threads",
]

# What many programs never use: modules, and names of modules, imported with their first use.
LAZY = ("datasets", "functional", "lenet", "reference", "schedules")
LAZY_NAMES = {
    "LeNet5": "lenet",
    "load": "persistence",
    "CosineAnnealingLR": "schedules",
    "CosineAnnealingWarmRestarts": "schedules",
    "ExponentialLR": "schedules",
    "LinearWarmup": "schedules",
    "MultiStepLR": "schedules",
    "OneCycleLR": "schedules",
    "PolynomialLR": "schedules",
    "Schedule": "schedules",
    "StepLR": "schedules",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in LAZY:
        return importlib.import_module(f"ironmlp.{name}")
    if name in LAZY_NAMES:
        return getattr(importlib.import_module(f"ironmlp.{LAZY_NAMES[name]}"), name)
    raise AttributeError(f"module 'ironmlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
