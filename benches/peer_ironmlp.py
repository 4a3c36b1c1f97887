"""ironmlp through its public `fit`: one call a window, with all that `fit` checks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import ironmlp as im
from ironmlp.layers import Layer
from workloads import BETAS, Parameters, Workload, data, initial

PACKAGE = "ironmlp"

# Public names alone: builds of other days are timed, too.
ACTIVATIONS = {"sigmoid": im.Sigmoid, "tanh": im.Tanh, "relu": im.ReLU}
LOSSES = {"softmax": "cross_entropy", "binary": "binary_cross_entropy", "mse": "mse"}


def layers(workload: Workload) -> list[Layer]:
    """The layers of a network that is more than an MLP."""
    activation, found = ACTIVATIONS[workload.activation](), list[Layer]()
    for c, channels, _ in workload.stages:
        found += [im.Conv2d(channels, c.channels, c.kernel, padding=c.padding), activation]
        found += [im.AvgPool2d(c.pool)] if c.pool > 1 else []
    found += [im.Flatten()] if workload.image else []
    for inputs, outputs in itertools.pairwise(workload.sizes[:-1]):
        found.append(im.Linear(inputs, outputs))
        found += [im.BatchNorm1d(outputs)] if workload.norm else []
        found.append(activation)
    return [*found, im.Linear(*workload.sizes[-2:])]


def state(model: Any, parameters: Parameters) -> dict[str, np.ndarray]:
    """The parameters as `state_dict` of this model, or of one in `ironmlp.reference`, has them."""
    arrays = iter([w if w.ndim == 4 else w.T for pair in parameters for w in pair])
    first = model.state_dict()
    of_norms = {name.rpartition(".")[0] for name in first if name.endswith(".running_mean")}
    return {
        name: values if name.rpartition(".")[0] in of_norms else next(arrays)
        for name, values in first.items()
    }


def optimizer(workload: Workload) -> im.Optimizer:
    """Arguments that are not used are not given: older builds do not have them."""
    more = {"clip_norm": workload.clip_norm, "ema": workload.ema}
    options: dict[str, Any] = {name: value for name, value in more.items() if value is not None}
    if workload.optimizer == "adam":
        return im.Adam(lr=workload.lr, betas=BETAS, eps=workload.eps, **options)
    if workload.optimizer == "adamw":
        options["weight_decay"] = workload.weight_decay
        return im.AdamW(lr=workload.lr, betas=BETAS, eps=workload.eps, **options)
    return im.SGD(lr=workload.lr, momentum=workload.momentum, **options)


class Trainer:
    def __init__(self, workload: Workload, threads: int) -> None:
        self.workload = workload
        self.X, self.y = data(workload)
        settings: dict[str, Any] = {
            "loss": LOSSES[workload.loss],
            "optimizer": optimizer(workload),
            "dtype": workload.dtype,
            "seed": 0,
            "n_threads": threads,
        }
        if workload.image or workload.norm:
            self.model: im.Sequential = im.Sequential(layers(workload), **settings)
        else:
            self.model = im.MLP(workload.sizes, activation=workload.activation, **settings)
        self.start = state(self.model, initial(workload))
        self.reset()

    def reset(self) -> None:
        """Back to the initial parameters."""
        self.model.reset()
        self.model.load_state_dict(self.start)

    def train(self, epochs: int, *, shuffle: bool) -> list[float]:
        """The mean loss of each epoch, each batch before its update."""
        history = self.model.fit(
            self.X,
            self.y,
            epochs=epochs,
            batch_size=self.workload.batch,
            shuffle=shuffle,
            verbose=False,
        )
        return history["loss"].tolist()

    def averaged_loss(self) -> float:
        """The loss of the averaged parameters for the first batch."""
        batch = self.workload.batch
        return self.model.averaged().evaluate(self.X[:batch], self.y[:batch])["loss"]


def versions() -> dict[str, object]:
    config = im.config()
    return {"ironmlp": im.__version__, "isa": config["isa"], "numerics": config["numerics"]}
