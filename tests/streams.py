"""The rows of `hostile` as streams, and a model for them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import ironmlp as im
from hostile import N

SIZE = 8
CUTS = [slice(row, row + SIZE) for row in range(0, N, SIZE)]
WEIGHTS = np.random.default_rng(2).random(N)


def net(outputs: int = 1, **settings: Any) -> im.MLP:
    return im.MLP([4, 5, outputs], **{"loss": "mse", "seed": 1, **settings})


def items(*arrays: Any) -> list[tuple[Any, ...]]:
    return [tuple(array[cut] for array in arrays) for cut in CUTS]


class Loader:
    """What a DataLoader is to `fit`: lists, a length, and another iterator for each epoch."""

    def __init__(self, *arrays: Any) -> None:
        self.arrays = arrays
        self.epochs = 0

    def __len__(self) -> int:
        return len(CUTS)

    def __iter__(self) -> Iterator[Any]:
        self.epochs += 1
        return (list(item) for item in items(*self.arrays))
