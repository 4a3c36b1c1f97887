"""`CSVLogger`: what the epochs log, as a table in a file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

from ironmlp._arguments.keywords import explains_keywords
from ironmlp.callbacks.base import LOGGER, Callback, Logs, Model, number

# The cells of an epoch by the names of their columns.
Row = dict[str, str]

# Entries of the logs that are no numbers of an epoch.
OF_THE_ENDING = ("stop_reason", "stop_message")


class CSVLogger(Callback):
    """Write a row of numbers into a CSV file at the end of each epoch.

    The columns are those of the `History`, with "epoch" before them. A number that an epoch does
    not have, or NaN, is an empty cell; all others have all their digits. A reader sees each row as
    soon as its epoch has ended. Where an epoch logs a number under a new name, the file is written
    anew with one column more.

    The first epoch of a `fit` replaces a file of that name. With `fit(resume=True)` on the model of
    a `Checkpoint`'s file the epochs before have the rows that the model's history has: the file
    becomes what it would be without the break.

    OSError before the first step if there is no such folder, or nothing may be written in it.
    """

    _rank = LOGGER

    @explains_keywords
    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fsdecode(os.fspath(path))
        self._forget()

    def _forget(self) -> None:
        self._rows: list[Row] = []
        # The columns that the file has.
        self._names: list[str] = []
        self._resumed = False

    def on_train_begin(self, model: Model, logs: Logs) -> None:  # noqa: ARG002
        from ironmlp._files.atomic import check_place

        check_place(self.path)
        self._forget()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._resumed = True

    def on_epoch_end(self, model: Model, logs: Logs) -> None:
        if self._resumed:
            self._rows, self._resumed = rows_of(model.history), False
        self._append(row_of(logs))

    def on_train_end(self, model: Model, logs: Logs) -> None:  # noqa: ARG002
        # Before the first epoch's end there is nothing to write.
        if self._resumed or "epoch" not in logs:
            return
        row = row_of(logs)
        if not self._rows or row["epoch"] != self._rows[-1]["epoch"]:
            # An exception has kept this callback from its turn.
            self._append(row)
        elif row != self._rows[-1]:
            # What other callbacks log at the end belongs to the last epoch.
            self._rows[-1] = row
            self._write_all()

    def _append(self, row: Row) -> None:
        self._rows.append(row)
        if all(name in self._names for name in row):
            with open(self.path, "ab") as file:
                file.write(lines(self._names, [row]))
        else:
            self._write_all()

    def _write_all(self) -> None:
        from ironmlp._files.atomic import write

        self._names = [*dict.fromkeys(name for row in self._rows for name in row)]
        header = {name: name for name in self._names}
        write(self.path, [lines(self._names, [header, *self._rows])])

    def __repr__(self) -> str:
        return f"CSVLogger({self.path!r})"


def row_of(logs: Logs) -> Row:
    """The cells of an epoch, "epoch" and "loss" first."""
    ordered = {"epoch": logs["epoch"], "loss": logs["loss"], **logs}
    return {k: cell(k, value) for k, value in ordered.items() if k not in OF_THE_ENDING}


def rows_of(history: Any) -> list[Row]:
    """The cells of all epochs of a history."""
    columns = {"epoch": history.epochs, **{name: history[name] for name in history.keys()}}  # noqa: SIM118
    listed = {name: column.tolist() for name, column in columns.items()}
    return [
        {name: cell(name, column[row]) for name, column in listed.items()}
        for row in range(len(history))
    ]


def cell(name: str, value: Any) -> str:
    if name == "epoch":
        return str(value)
    found = number(name, value)
    return "" if math.isnan(found) else repr(found)


def lines(names: list[str], rows: Iterable[Row]) -> bytes:
    """The lines of a table in UTF-8."""
    import csv  # which few programs need
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writerows(rows)
    return text.getvalue().encode()
