"""ironmlp through its public `fit`: one call a window, with all that `fit` checks."""

from __future__ import annotations

import ironmlp as im
from workloads import ADAM, Workload, data, initial

PACKAGE = "ironmlp"

LOSSES = {"softmax": "cross_entropy", "binary": "binary_cross_entropy", "mse": "mse"}


class Trainer:
    def __init__(self, workload: Workload, threads: int) -> None:
        self.workload = workload
        self.X, self.y = data(workload)
        if workload.optimizer == "adam":
            optimizer: im.Adam | im.SGD = im.Adam(lr=workload.lr, **ADAM)
        else:
            optimizer = im.SGD(lr=workload.lr, momentum=workload.momentum)
        self.model = im.MLP(
            workload.sizes,
            activation=workload.activation,
            loss=LOSSES[workload.loss],
            optimizer=optimizer,
            dtype=workload.dtype,
            seed=0,
            n_threads=threads,
        )
        self.start = {}
        for layer, (weight, bias) in enumerate(initial(workload)):
            # Activations are layers too, so every second one has parameters.
            self.start[f"{2 * layer}.weight"], self.start[f"{2 * layer}.bias"] = weight.T, bias
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


def versions() -> dict[str, object]:
    config = im.config()
    return {"ironmlp": im.__version__, "isa": config["isa"], "numerics": config["numerics"]}
