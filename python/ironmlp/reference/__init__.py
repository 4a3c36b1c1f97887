"""Multilayer perceptrons and small convolutional networks in plain NumPy: to read, and to compare
the fast ones with.

This folder needs NumPy alone and may be copied beside a notebook. It has the constructors and
methods of `ironmlp.MLP` and `ironmlp.Sequential`, takes ironmlp's layers, losses and optimizers as
they are (it reads their class names and attributes), and draws the same random numbers: a seed
gives the same initial parameters, batches and dropout masks. Without ironmlp, `spec` makes the
rest:

    model = MLP([2, 3, 2, 1], activation="tanh", loss="mse", optimizer=spec("SGD", lr=0.1), seed=7)

In the comments n is the number of rows of a batch, K the number of outputs of the network, and dy
stands for dloss/dy, an array of y's shape. Images are (n, C, H, W): channels, height, width.

To read it from below: `specs.py` (what layers, losses and optimizers are), `draws.py` (random
numbers), `activations.py`, `layers.py`, `losses.py`, `optimizers.py`, `schedules.py` (learning
rates), `standard.py` (columns on one scale), then `network.py` (forward pass, gradients, updates),
`labels.py`, `training.py` (epochs and callbacks), `model.py` (steps, predictions) and `mlp.py`.
"""

from .mlp import MLP
from .model import Sequential
from .specs import spec

__all__ = ["MLP", "Sequential", "spec"]


def __dir__() -> list[str]:
    return __all__
