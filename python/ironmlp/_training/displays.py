"""What can be shown of a training: lines that stay, or one that is written again and again."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ironmlp._core import Run
from ironmlp.callbacks.base import shown

# Seconds between two states of the progress line: ten a second look smooth.
REFRESH = 0.1
# Seconds between two lines where they stay, and the share of the time passed: at first a line a
# second, 265 lines in the first hour, 420 in a day.
PAUSE, PAUSE_SHARE = 1.0, 0.02
# Seconds between two states where the line gives way to what callbacks print: with epochs of
# microseconds it would be a stream of characters.
RETURN = 0.001

Numbers = Mapping[str, Any]
Write = Callable[[str], object]


class Silent:
    """No output."""

    def begin(self, first: int) -> None:
        """Training begins with this epoch, counted from the model's birth."""

    def update(self, run: Run, logs: Numbers | None = None) -> None:
        """Show where `run` is: after each slice of training, with `logs` after an epoch's end."""

    def step_aside(self) -> None:
        """Make room for what callbacks print."""

    def close(self, run: Run) -> None:
        """Show the end."""


class Lines(Silent):
    """A line for the epochs 0, n, 2n, ..., counted from the model's birth."""

    def __init__(self, n: int, write: Write) -> None:
        self._n = n
        self._write = write

    def begin(self, first: int) -> None:
        self._first = first
        # The next epoch to show.
        self._next = -(-first // self._n) * self._n

    def update(self, run: Run, logs: Numbers | None = None) -> None:
        end = self._first + run.epochs_done
        if self._next >= end:
            return
        found = columns(run, self._next - self._first)
        for row in range(0, len(found["loss"]), self._n):
            # With logs each epoch comes here by itself.
            self._write(f"epoch {self._next}{numbers(logs or of_row(found, row))}")
            self._next += self._n

    def close(self, run: Run) -> None:
        self.update(run)


class Watch(Silent):
    """The base of those that show where the training is, now and then."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._numbers = ""

    def begin(self, first: int) -> None:
        self._first = first
        self._begun = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def take(self, logs: Numbers | None) -> None:
        if logs:
            self._numbers = numbers(logs)

    def state(self, run: Run) -> str:
        done = run.epochs_done
        text = f"epoch {self._first + done}/{self._first + self._epochs}"
        if run.batches_done:
            of = run.batches_per_epoch
            text += f"  batch {run.batches_done}" + (f"/{of}" if of else "")
        if done:
            text += self._numbers or numbers(of_row(columns(run, done - 1), -1))
        return f"{text}  {self.seconds():.1f} s"


class ProgressLine(Watch):
    """One line, written again and again, with `lines` above it."""

    def __init__(self, epochs: int, stream: TextIO, log_every: int = 0) -> None:
        super().__init__(epochs)
        self._stream = stream
        self._lines = Lines(log_every, self.write_above) if log_every else Silent()
        self._shown = -REFRESH
        # Characters that stand on the terminal.
        self._width = 0

    def begin(self, first: int) -> None:
        super().begin(first)
        self._lines.begin(first)

    def update(self, run: Run, logs: Numbers | None = None) -> None:
        self.take(logs)
        self._lines.update(run, logs)
        seconds = self.seconds()
        if seconds - self._shown >= (REFRESH if self._width else RETURN):
            self._shown = seconds
            self._write(self.state(run)[: columns_of(self._stream) - 1])

    def step_aside(self) -> None:
        if self._width:
            self._write("", "\r")

    def close(self, run: Run) -> None:
        self._lines.close(run)
        self.write_above(self.state(run))

    def write_above(self, line: str) -> None:
        self._write(line, "\n")
        self._width = 0

    def _write(self, line: str, end: str = "") -> None:
        # Blanks wipe out what a longer line before left behind.
        self._stream.write("\r" + line.ljust(self._width) + end)
        self._stream.flush()
        self._width = len(line)


class NotebookLine(Watch):
    """One line of a notebook's output that is updated where it stands, whatever else is shown."""

    def __init__(self, epochs: int, stream: TextIO, log_every: int = 0) -> None:
        super().__init__(epochs)
        self._lines = Lines(log_every, writer(stream)) if log_every else Silent()
        self._shown = -REFRESH
        self._handle: Any = None

    def begin(self, first: int) -> None:
        super().begin(first)
        self._lines.begin(first)

    def update(self, run: Run, logs: Numbers | None = None) -> None:
        self.take(logs)
        self._lines.update(run, logs)
        if self.seconds() - self._shown >= REFRESH:
            self._show(run)

    def close(self, run: Run) -> None:
        self._lines.close(run)
        self._show(run)

    def _show(self, run: Run) -> None:
        self._shown = self.seconds()
        shown = {"text/plain": self.state(run)}
        if self._handle is None:
            display = importlib.import_module("IPython.display").display
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


class SparseLines(Watch):
    """Whole lines, at most one an epoch, and fewer as time goes on: for files and pipes."""

    def __init__(self, epochs: int, write: Write) -> None:
        super().__init__(epochs)
        self._write = write

    def begin(self, first: int) -> None:
        super().begin(first)
        self._due = 0.0
        self._written = 0

    def update(self, run: Run, logs: Numbers | None = None) -> None:
        self.take(logs)
        seconds = self.seconds()
        if run.epochs_done > self._written and seconds >= self._due:
            self._due = seconds + max(PAUSE, PAUSE_SHARE * seconds)
            self._show(run)

    def close(self, run: Run) -> None:
        if run.epochs_done > self._written or run.batches_done:
            self._show(run)

    def _show(self, run: Run) -> None:
        self._written = run.epochs_done
        self._write(self.state(run))


def writer(stream: TextIO) -> Write:
    """A function that writes a line."""

    def write(line: str) -> None:
        stream.write(line + "\n")
        stream.flush()

    return write


def columns(run: Run, start: int) -> dict[str, NDArray[np.float64]]:
    """The columns of the compiled part, from the run's epoch `start` on."""
    return {"loss": run.losses(start), **run.penalties(start), **run.validation(start)}


def of_row(columns: dict[str, NDArray[np.float64]], row: int) -> Numbers:
    return {name: values[row] for name, values in columns.items()}


def numbers(logs: Numbers) -> str:
    """The loss and what else was logged."""
    return "".join(f"  {name} {text}" for name, text in shown(logs).items())


def columns_of(stream: TextIO) -> int:
    """The width of a terminal; 80 if it is not known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80
