"""What `fit` shows on stderr while it trains."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from ironmlp._core import Run
from ironmlp._spec import integer

# Seconds between two states of the progress line: ten a second look smooth.
REFRESH = 0.1


class Silent:
    """No output."""

    def update(self, run: Run) -> None:
        """Show where `run` is; called after each slice of training."""

    def close(self, run: Run) -> None:
        """Show the end."""


class ProgressLine(Silent):
    """One line, written again and again."""

    def __init__(self, epochs: int, stream: TextIO) -> None:
        self._epochs = epochs
        self._stream = stream
        self._begin = time.monotonic()
        self._shown = -REFRESH
        self._width = 0

    def update(self, run: Run) -> None:
        seconds = time.monotonic() - self._begin
        if seconds - self._shown >= REFRESH:
            self._write(run, seconds)

    def close(self, run: Run) -> None:
        self._write(run, time.monotonic() - self._begin)
        self._stream.write("\n")
        self._stream.flush()

    def _write(self, run: Run, seconds: float) -> None:
        self._shown = seconds
        done = run.epochs_done
        line = f"epoch {done}/{self._epochs}"
        if not run.done and run.batches_per_epoch > 1:
            line += f"  batch {run.batches_done}/{run.batches_per_epoch}"
        if done:
            line += f"  loss {run.losses(done - 1)[-1]:.6g}"
        line += f"  {seconds:.1f} s"
        # Blanks wipe out what a longer line before left behind.
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)


class EveryNth(Silent):
    """A line for the epochs 0, n, 2n, ..."""

    def __init__(self, n: int, stream: TextIO) -> None:
        self._n = n
        self._stream = stream
        self._next = 0

    def update(self, run: Run) -> None:
        done = run.epochs_done
        if self._next >= done:
            return
        first = self._next
        losses = run.losses(first)
        while self._next < done:
            self._stream.write(f"epoch {self._next}  loss {losses[self._next - first]:.6g}\n")
            self._next += self._n
        self._stream.flush()

    def close(self, run: Run) -> None:
        self.update(run)


def progress(verbose: Any, epochs: int) -> Silent:
    """What `verbose` asks for: "auto", True, False, or a number of epochs between two lines."""
    stream = sys.stderr
    # Programs without a console (pythonw) have none.
    if stream is None:
        return Silent()
    if isinstance(verbose, str):
        if verbose != "auto":
            raise ValueError(
                f"verbose is {verbose!r}, it must be 'auto', True, False or an integer"
            )
        return ProgressLine(epochs, stream) if stream.isatty() else Silent()
    if isinstance(verbose, bool):
        return ProgressLine(epochs, stream) if verbose else Silent()
    n = integer("verbose", verbose)
    if n < 0:
        raise ValueError(f"verbose is {n}, it must be at least 0")
    return EveryNth(n, stream) if n else Silent()
