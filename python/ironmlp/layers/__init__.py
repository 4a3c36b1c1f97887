"""Layers as data: what a network is made of. They hold no parameters and do no arithmetic.

`Linear` maps a batch of rows, shape (n, in), to (n, out); `Conv2d` and the pools map a batch of
images, (n, C, H, W), and `Flatten` makes rows of them. The activations and `Dropout` work element
by element on either. `BatchNorm2d` works on images, `LayerNorm` and `BatchNorm1d` on rows, and
`Residual` goes around layers that do the latter. In their formulas x is the input and y the output.

Constructors raise TypeError for a value of the wrong kind (a float where an integer belongs) and
ValueError for one out of range; the message names the argument and what it must be.
"""

from ironmlp.layers.activations import (
    ELU,
    GELU,
    SELU,
    Hardswish,
    Identity,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ironmlp.layers.base import Layer
from ironmlp.layers.dropout import Dropout
from ironmlp.layers.images import AvgPool2d, Conv2d, Flatten, MaxPool2d
from ironmlp.layers.linear import Linear
from ironmlp.layers.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from ironmlp.layers.residual import Residual

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "Hardswish",
    "Identity",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Mish",
    "PReLU",
    "ReLU",
    "Residual",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]


def __dir__() -> list[str]:
    return __all__
