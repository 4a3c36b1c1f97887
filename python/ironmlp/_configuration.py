"""What this installation is and uses."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ironmlp import _core
from ironmlp._arguments.values import size

__version__ = _core.config()["version"]

_complaint = _core.thread_complaint()
if _complaint is not None:
    # At the line that imports ironmlp.
    warnings.warn(_complaint, RuntimeWarning, stacklevel=3)


def config() -> _core.Config:
    """A dict: `version`; `numerics`, the version of the formulas that decide every bit; `isa`, the
    instruction set in use; `isas`, all that this host can run; `num_threads`."""
    return _core.config()


def show_config() -> None:
    """Print `config()`, one entry a line."""
    for name, value in config().items():
        print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


def set_num_threads(n: int) -> None:
    """Let models made without `n_threads` use at most `n` threads, n >= 1; no result depends on it.

    Before any call it is the first of the environment's IRONMLP_NUM_THREADS and OMP_NUM_THREADS
    that is set, or the cores that this process may use. The second belongs to others too: where it
    holds no number of threads it is ignored, with a RuntimeWarning at the import.
    """
    _core.set_num_threads(size("n", n))


def get_num_threads() -> int:
    """The most threads that models made without `n_threads` use, in this thread."""
    return _core.get_num_threads()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """`with threads(n):` whatever this thread begins takes at most `n` threads, n >= 1, also models
    that were made for more; no result depends on it. Other threads of Python are not concerned."""
    most = size("n", n)
    before = _core.cap_threads(most)
    if before is not None and before < most:
        _core.cap_threads(before)
    try:
        yield
    finally:
        _core.cap_threads(before)
