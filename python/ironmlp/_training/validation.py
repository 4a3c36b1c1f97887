"""What rows that do not train say of the model at the end of epochs.

The compiled part makes one forward pass, and computes from it the loss and the score of "auto". All
else is computed here from its outputs: other metrics, and a loss function of the user's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.arrays import check_counted
from ironmlp._arguments.values import flag, given, is_auto, real, size
from ironmlp._core import Run
from ironmlp._engine import Engine
from ironmlp._engine.inputs import Names
from ironmlp._engine.own_loss import LossOfRows
from ironmlp._labels import Reading
from ironmlp._training.data import TrainingData
from ironmlp._training.split import Split, last, split
from ironmlp._training.weights import classes_of
from ironmlp.losses import Loss

if TYPE_CHECKING:
    from ironmlp._metrics.choice import Asked

FORM = "a tuple (X, y) or (X, y, sample_weight)"


class Validation(NamedTuple):
    """The rows of a `fit` that validate, and what is computed of them."""

    # As the compiled part takes them: X, targets and weights, or the two parts of a split.
    rows: tuple[Any, ...]
    # After which epochs, counted from the model's birth.
    every: int
    # The metrics; None for those of "auto".
    asked: Asked | None
    # The user's own loss, of these rows of its targets; None for all.
    loss: LossOfRows | None
    own_rows: NDArray[np.uint32] | None
    # By which the rows are known in another process: their targets, or which they are.
    identity: Any

    @property
    def given(self) -> tuple[tuple[Any, ...], int, bool]:
        """What the compiled part is to know."""
        return self.rows, self.every, self.asked is None or self.asked.score

    @property
    def by_epoch(self) -> bool:
        """Whether something is computed here."""
        return self.loss is not None or (self.asked is not None and bool(self.asked.functions))

    @property
    def modes(self) -> dict[str, str]:
        """Whether a "min" or a "max" is better, of the columns whose metrics say so."""
        modes = {} if self.asked is None else self.asked.modes
        return {f"val_{name}": mode for name, mode in modes.items()}

    def settings(self, checksum: Callable[[Any], str]) -> dict[str, Any]:
        """What the numbers depend on: which rows, how often, which metrics."""
        names = "auto" if self.asked is None else list(self.asked.names)
        rows = checksum(self.identity)
        return {"validation": rows, "validation_freq": self.every, "metrics": names}

    def numbers(self, run: Run, row: int, epoch: int) -> dict[str, float]:
        """The columns of `epoch`, the run's epoch `row`; NaN if it was not due, or if nothing can
        be predicted."""
        found = {name: float(column[0]) for name, column in run.validation(row).items()}
        if not self.by_epoch:
            return found
        due = (epoch + 1) % self.every == 0
        outputs = run.validation_outputs() if due else None
        if self.loss is not None:
            found["val_loss"] = math.nan
            if outputs is not None:
                found["val_loss"] = self.loss(outputs, self.own_rows)[0]
        if self.asked is None:
            return found
        others = None if outputs is None else self.asked.compute(outputs)
        for name in self.asked.functions:
            found[f"val_{name}"] = math.nan if others is None else others[name]
        return {name: found[name] for name in ("val_loss", *map("val_{}".format, self.asked.names))}


def read_validation(
    model: Engine,
    data: TrainingData | None,
    reading: Reading,
    validation_data: Any,
    validation_split: Any,
    validation_freq: Any,
    metrics: Any,
    shuffle: Any,
) -> tuple[Validation | None, Split | None]:
    """The arguments of these names, for a `fit` of the data or of a stream (None)."""
    share = real("validation_split", validation_split, at_least=0.0, below=1.0)
    every = size("validation_freq", validation_freq)
    if validation_data is None and not share:
        if not is_auto(metrics):
            raise ValueError(
                f"metrics is {metrics!r}, and nothing validates: metrics are computed of the rows "
                "of validation_data=(X, y) or validation_split=0.1"
            )
        return None, None
    if validation_data is not None and share:
        raise ValueError(
            f"validation_data and validation_split={share:.12g} are given, it must be one of them"
        )
    part, rows = None, None
    if validation_data is not None:
        X, targets, weights = own_rows(
            model, reading, validation_data, data.names if data else None
        )
        core: tuple[Any, ...] = X, targets, weights
        if not isinstance(model._loss, Loss):
            core = X, None, None
        watched, watched_weights = targets, weights
    elif data is not None:
        part = split_of(data, share, model.seed, flag("shuffle", given(shuffle)))
        core, rows = (part.trained, part.held_out), part.held_out
        targets, weights = data.targets, data.weights
        watched, watched_weights = rows_of(targets, rows), rows_of(weights, rows)
        check_counted("sample_weight of the rows held out by validation_split", watched_weights)
    asked, loss = None, None
    if not is_auto(metrics):
        from ironmlp._metrics.choice import asked_for  # which few programs need

        has_loss = isinstance(model._loss, Loss)
        asked = asked_for(metrics, reading, watched, watched_weights, has_loss)
    if not isinstance(model._loss, Loss):
        loss = partial(model._core.call_reading, model._loss_of_rows(targets, weights))
    identity = targets if rows is None else rows
    return Validation(core, every, asked, loss, rows, identity), part


def own_rows(
    model: Engine, reading: Reading, validation_data: Any, names: Names
) -> tuple[Any, Any, Any]:
    """X, targets and weights of `validation_data`, beside an X whose columns have these names."""
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        what = type(validation_data).__name__
        if isinstance(validation_data, tuple | list):
            what += f" of {len(validation_data)}"
        raise TypeError(f"validation_data is a {what}, it must be {FORM}")
    try:
        X, y, *weight = validation_data
        X = model._samples(X, names)
        targets = reading.encode(y, len(X))
        weights = model._weights(weight[0] if weight else None, len(X))
        check_counted("sample_weight", weights)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from error
    return X, targets, weights


def split_of(data: TrainingData, share: float, seed: int, shuffle: bool) -> Split:
    classes = classes_of(data.reading, data.targets)
    if not shuffle:
        return last(share, len(data.X), classes)
    return split(share, len(data.X), seed, classes)


def rows_of(arrays: Any, rows: NDArray[np.uint32]) -> Any:
    """These rows of an array, of a tuple of them, or of None."""
    if isinstance(arrays, tuple):
        return tuple(array[rows] for array in arrays)
    return None if arrays is None else arrays[rows]
