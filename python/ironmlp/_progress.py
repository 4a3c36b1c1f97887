"""What `fit` shows on stderr while it trains."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from ironmlp._core import Run
from ironmlp._spec import flag, integer
from ironmlp.callbacks.base import number

# Seconds between two states of the progress line: ten a second look smooth.
REFRESH = 0.1
# Seconds between two lines where they stay, and the share of the time passed: at first a line a
# second, 265 lines in the first hour, 420 in a day.
PAUSE, PAUSE_SHARE = 1.0, 0.02
# Seconds between two states where the line gives way to what callbacks print: with epochs of
# microseconds it would be a stream of characters.
RETURN = 0.001

Numbers = Mapping[str, Any]


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

    def __init__(self, n: int, write: Callable[[str], object]) -> None:
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
        losses = run.losses(self._next - self._first)
        for loss in losses[:: self._n]:
            # With logs each epoch comes here by itself.
            self._write(f"epoch {self._next}{numbers(logs or {'loss': loss})}")
            self._next += self._n

    def close(self, run: Run) -> None:
        self.update(run)


class Watch(Silent):
    """The base of those that show where the training is, now and then."""

    def __init__(self, epochs: int, stream: TextIO) -> None:
        self._epochs = epochs
        self._stream = stream
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
            text += f"  batch {run.batches_done}/{run.batches_per_epoch}"
        if done:
            text += self._numbers or numbers({"loss": run.losses(done - 1)[-1]})
        return f"{text}  {self.seconds():.1f} s"


class ProgressLine(Watch):
    """One line, written again and again, with `lines` above it."""

    def __init__(self, epochs: int, stream: TextIO, log_every: int = 0) -> None:
        super().__init__(epochs, stream)
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
            self._write(self.state(run)[: columns(self._stream) - 1])

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


class SparseLines(Watch):
    """Whole lines, at most one an epoch, and fewer as time goes on: for files and pipes."""

    def begin(self, first: int) -> None:
        super().begin(first)
        self._due = 0.0
        self._written = 0

    def update(self, run: Run, logs: Numbers | None = None) -> None:
        self.take(logs)
        seconds = self.seconds()
        if run.epochs_done > self._written and seconds >= self._due:
            self._due = seconds + max(PAUSE, PAUSE_SHARE * seconds)
            self._write(run)

    def close(self, run: Run) -> None:
        if run.epochs_done > self._written or run.batches_done:
            self._write(run)

    def _write(self, run: Run) -> None:
        self._written = run.epochs_done
        self._stream.write(self.state(run) + "\n")
        self._stream.flush()


def numbers(logs: Numbers) -> str:
    """The loss and what else was logged."""
    return "".join(f"  {k} {number(k, value):.6g}" for k, value in logs.items() if k != "epoch")


def columns(stream: TextIO) -> int:
    """The width of a terminal; 80 if it is not known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


def rewrites(stream: TextIO) -> bool:
    """Whether a line can be written again: on terminals and in notebooks."""
    # What stands for stderr may have no more than `write`.
    return (
        getattr(stream, "isatty", bool)()
        or type(stream).__module__.partition(".")[0] == "ipykernel"
    )


def progress(
    verbose: Any, log_every: Any, epochs: int, above: Callable[[str], object] | None
) -> Silent:
    """What `verbose` and `log_every` ask for; `above` writes a line above a bar that is there."""
    if verbose == "auto" and isinstance(verbose, str):
        shows = None
    elif isinstance(verbose, str):
        raise ValueError(f"verbose is {verbose!r}, it must be 'auto', True or False")
    elif isinstance(verbose, int) and verbose not in (0, 1):
        raise ValueError(
            f"verbose is {verbose}, it must be 'auto', True or False; a line for every n-th epoch "
            "is log_every=n"
        )
    else:
        shows = bool(verbose) if isinstance(verbose, int) else flag("verbose", verbose)
    every = integer("log_every", log_every)
    if every < 0:
        raise ValueError(f"log_every is {every}, it must be at least 0")
    stream = sys.stderr
    # Programs without a console (pythonw) have none.
    if stream is None:
        return Silent()
    if above:
        return Lines(every, above) if every else Silent()
    if shows is not False and rewrites(stream):
        return ProgressLine(epochs, stream, every)
    if every:
        return Lines(every, lambda line: write_line(stream, line))
    return SparseLines(epochs, stream) if shows else Silent()


def write_line(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()
