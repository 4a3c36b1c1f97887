"""Networks of images in `ironmlp.reference`: plain NumPy, to compare losses with."""

from __future__ import annotations

import ironmlp as im
from ironmlp import reference
from peer_ironmlp import LOSSES, layers, state
from workloads import Workload, data, initial


class Trainer:
    """A network of images and its data in `dtype`."""

    def __init__(self, workload: Workload, threads: int, dtype: str) -> None:
        del threads  # those of NumPy's BLAS
        self.workload = workload
        self.X, self.y = data(workload)
        optimizer = im.SGD(lr=workload.lr, momentum=workload.momentum)
        self.model = reference.Sequential(
            layers(workload), loss=LOSSES[workload.loss], optimizer=optimizer, dtype=dtype, seed=0
        )
        self.model.load_state_dict(state(self.model, initial(workload)))

    def train(self, epochs: int, *, shuffle: bool) -> list[float]:
        """The mean loss of each epoch, each batch before its update."""
        batch = self.workload.batch
        history = self.model.fit(self.X, self.y, epochs=epochs, batch_size=batch, shuffle=shuffle)
        losses: list[float] = history["loss"].tolist()
        return losses
