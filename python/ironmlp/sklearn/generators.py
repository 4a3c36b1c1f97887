"""Random numbers as scikit-learn draws them: initial values, splits, and the orders of epochs."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils.extmath import _approximate_mode

from ironmlp import _core

Random: TypeAlias = np.random.RandomState
Arrays: TypeAlias = "list[NDArray[Any]]"


def initial(
    random: Random, units: list[int], activation: str, dtype: np.dtype[Any]
) -> tuple[Arrays, Arrays]:
    """Weights (in, out) and biases (out,) of layers with so many units, uniform within
    +-sqrt(6 / (in + out)), of "logistic" sqrt(2 / (in + out)) (Glorot and Bengio, 2010)."""
    coefs, intercepts = [], []
    for inputs, outputs in itertools.pairwise(units):
        bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (inputs + outputs))
        coefs.append(random.uniform(-bound, bound, (inputs, outputs)).astype(dtype, copy=False))
        intercepts.append(random.uniform(-bound, bound, outputs).astype(dtype, copy=False))
    return coefs, intercepts


def split(
    random: Random, rows: int, share: float, labels: NDArray[Any] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows to train on and those that are held out, as `train_test_split` draws and orders
    them, stratified by the two labels (rows,) if there are some.

    `train_test_split` itself takes 2.5 ms of a thousand rows, and makes a text of each label.
    """
    held = math.ceil(share * rows)
    counts = np.bincount(labels, minlength=2) if labels is not None else None
    if not 0 < held < rows or (counts is not None and min(*counts, rows - held, held) < 2):
        # What is too few is refused there.
        stratify = None if labels is None else labels[:, None]
        trained, held_out = train_test_split(
            np.arange(rows), random_state=random, test_size=share, stratify=stratify
        )
        return trained, held_out
    if labels is None or counts is None:
        order = random.permutation(rows)
        return order[held:], order[:held]
    into_training = _approximate_mode(counts, rows - held, random)
    into_validation = _approximate_mode(counts - into_training, held, random)
    parts: tuple[Arrays, Arrays] = ([], [])
    for label, (first, second) in enumerate(zip(into_training, into_validation, strict=True)):
        members = np.flatnonzero(labels == label)
        members = members[random.permutation(len(members))]
        parts[0].append(members[:first])
        parts[1].append(members[first : first + second])
    trained, held_out = (random.permutation(np.concatenate(part)) for part in parts)
    return trained, held_out


class Orders(ABC):
    """Where a run gets the orders of its epochs from: `argument` is for `_core.Model.fit`."""

    argument: _core.LegacyShuffle | Literal["given"]

    @abstractmethod
    def begin(self, run: _core.Run) -> None:
        """Make the order of the next epoch, if the run does not."""

    @abstractmethod
    def skip(self, rows: int) -> None:
        """Draw what the order of an epoch takes that is not trained."""


class LegacyOrders(Orders):
    """From MT19937, within the run."""

    def __init__(self, generator: _core.LegacyShuffle) -> None:
        self.argument: _core.LegacyShuffle = generator

    def begin(self, run: _core.Run) -> None:
        """The run makes it."""

    def skip(self, rows: int) -> None:
        self.argument.permutation(rows)


class GivenOrders(Orders):
    """From another bit generator, by NumPy."""

    argument: Literal["given"] = "given"

    def __init__(self, random: Random, rows: int) -> None:
        self.random, self.order = random, np.arange(rows)

    def begin(self, run: _core.Run) -> None:
        places = np.arange(len(self.order))
        self.random.shuffle(places)
        self.order = self.order[places]
        run.set_order(self.order)

    def skip(self, rows: int) -> None:
        self.random.shuffle(np.arange(rows))


@contextmanager
def orders(random: Random, rows: int, shuffle: bool) -> Iterator[Orders | None]:
    """Orders of `rows` rows; afterwards, in every ending, the caller's generator stands where
    scikit-learn would have left it."""
    if not shuffle:
        yield None
        return
    state: Any = random.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        yield GivenOrders(random, rows)
        return
    generator = _core.LegacyShuffle(state["state"]["key"], int(state["state"]["pos"]))
    try:
        yield LegacyOrders(generator)
    finally:
        key, pos = generator.state()
        random.set_state(state | {"state": {"key": key, "pos": pos}})
