"""Which display `fit` gets by its arguments, and by where its messages go."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ironmlp._arguments.values import count, flag
from ironmlp._training.displays import (
    Lines,
    NotebookLine,
    ProgressLine,
    Silent,
    SparseLines,
    writer,
)


def progress(
    verbose: Any, log_every: Any, epochs: int, above: Callable[[str], object] | None
) -> Silent:
    """What `verbose` and `log_every` ask for; `above` writes a line above a bar that is there."""
    shows, every = checked_verbose(verbose), count("log_every", log_every)
    stream = sys.stderr
    # Programs without a console (pythonw) have none.
    if stream is None:
        return Silent()
    if above:
        return Lines(every, above) if every else Silent()
    if shows is not False:
        if type(stream).__module__.partition(".")[0] == "ipykernel":
            return NotebookLine(epochs, stream, every)
        # What stands for stderr may have no more than `write`.
        if getattr(stream, "isatty", bool)():
            return ProgressLine(epochs, stream, every)
    if every:
        return Lines(every, writer(stream))
    return SparseLines(epochs, writer(stream)) if shows else Silent()


def checked_verbose(verbose: Any) -> bool | None:
    """Whether to show where the training is; None if that depends."""
    if isinstance(verbose, str):
        if verbose == "auto":
            return None
        raise ValueError(f"verbose is {verbose!r}, it must be 'auto', True or False")
    if isinstance(verbose, int):
        # Other libraries say 0 and 1.
        if verbose in (0, 1):
            return bool(verbose)
        raise ValueError(
            f"verbose is {verbose}, it must be 'auto', True or False; a line for every n-th epoch "
            "is log_every=n"
        )
    return flag("verbose", verbose)
