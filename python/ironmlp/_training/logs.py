"""What is logged in the epochs of one `fit`: a dict for each, and a column for each number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp.callbacks.base import Logs, number
from ironmlp.history import History

# Entries that are no columns of their own.
OF_THE_EPOCH = ("epoch", "loss")
OF_THE_ENDING = ("stop_reason", "stop_message")


class Record:
    """The logs of the present epoch, and the columns so far, those of a `past` included."""

    def __init__(self, past: History | None = None) -> None:
        self.logs: Logs = {}
        # Those of the last finished epoch.
        self.finished: Logs = {}
        # Numbers of the epochs since the model's birth, the present one included.
        self.epochs: list[int] = []
        self._given: Logs = {}
        self._columns: dict[str, list[float]] = {}
        self._past = past
        if past is not None:
            self._take(past)

    def _take(self, past: History) -> None:
        self.epochs = past.epochs.tolist()
        self._columns = {name: past[name].tolist() for name in past.keys() if name != "loss"}  # noqa: SIM118
        if self.epochs:
            last = {name: float(past[name][-1]) for name in past.keys()}  # noqa: SIM118
            self.finished = {"epoch": self.epochs[-1], **last}

    def begin(self, epoch: int) -> Logs:
        """The dict of an epoch that begins."""
        self.epochs.append(epoch)
        self._given = {"epoch": epoch}
        self.logs = dict(self._given)
        return self.logs

    def end(self, found: dict[str, float]) -> Logs:
        """The same dict at the epoch's end, with the loss and what validation found."""
        self._given |= found
        self.logs |= found
        self.finished = self.logs
        self.note_row(found, len(self.epochs) - 1)
        return self.logs

    def note(self, by: object) -> None:
        """Take the numbers of the present epoch over, after the callback `by` has added some."""
        for name in (*OF_THE_EPOCH, *self._given):
            if not same(self.logs.get(name), self._given.get(name)):
                got = f"to {self.logs[name]!r}" if name in self.logs else "by taking it out"
                raise ValueError(
                    f"{by!r} changed logs[{name!r}] {got}, which callbacks must leave as it is: "
                    "log a number under a name of its own"
                )
        self.note_row(self.logs, len(self.epochs) - 1)

    def note_ending(self, logs: Logs, epochs: int) -> None:
        """Take over what was added at the end of training, after so many finished epochs."""
        if epochs:
            self.note_row(logs, epochs - 1)

    def note_row(self, logs: Logs, row: int) -> None:
        for name, value in logs.items():
            if name not in OF_THE_EPOCH and name not in OF_THE_ENDING:
                column = padded(self._columns.setdefault(name, []), row + 1)
                column[row] = number(name, value)

    def columns(self, computed: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """A column for each number, one entry for each finished epoch; those of the run that the
        compiled part computes, the "loss" among them, are here already."""
        if self._past is not None:
            computed = continued(self._past, computed)
        rows = len(computed["loss"])
        logged = {
            name: np.array(padded(column, rows)[:rows])
            for name, column in self._columns.items()
            if name not in computed
        }
        return {**computed, **logged}


def continued(
    past: History, columns: dict[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """The columns with those of the epochs before in front of them."""
    none = np.full(len(past), math.nan)
    return {
        name: np.concatenate([past._columns.get(name, none), column])
        for name, column in columns.items()
    }


def same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and bool(a == b or (a != a and b != b)))


def padded(values: list[float], length: int) -> list[float]:
    """NaN for the epochs in which a number was not logged."""
    values.extend([math.nan] * (length - len(values)))
    return values
