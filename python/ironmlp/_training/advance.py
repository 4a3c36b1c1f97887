"""How a run goes on for a slice of time: with a loss of the compiled part, or one of the user's."""

from __future__ import annotations

import time
from collections.abc import Callable

from ironmlp._arguments.arrays import Array
from ironmlp._core import Run
from ironmlp._engine.own_loss import call_loss
from ironmlp._labels import in_dtype
from ironmlp.losses import Loss, LossFunction

# Trains for some seconds, or to the end of the epoch; True at the end of an epoch.
Advance = Callable[[Run, float, bool], bool]


def by_core(run: Run, seconds: float, stop_at_epoch: bool) -> bool:
    """Train with a loss that the compiled part knows."""
    return run.advance(seconds, stop_at_epoch)


def by_function(function: LossFunction, targets: Array) -> Advance:
    """`Run.advance` with this loss."""

    def advance(run: Run, seconds: float, stop_at_epoch: bool) -> bool:
        end = time.monotonic() + seconds
        while True:
            batch = run.next_batch()
            if batch is not None:
                outputs, rows = batch
                run.finish_batch(*call_loss(function, outputs, targets[rows]))
            elif stop_at_epoch or run.done:
                return True
            if time.monotonic() >= end:
                return False

    return advance


def advance_of(
    loss: Loss | LossFunction, targets: Array, dtype: str
) -> tuple[Advance, Array | None]:
    """How a run with this loss goes on, and the targets that the core is to know."""
    if isinstance(loss, Loss):
        return by_core, targets
    return by_function(loss, in_dtype(targets, dtype)), None
