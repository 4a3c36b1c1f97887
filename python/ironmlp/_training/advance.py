"""How a run goes on, for a slice of time or a batch."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from ironmlp._core import Run
from ironmlp._engine.own_loss import LossOfRows


class Advance(ABC):
    """The base: two ways to go on, of which a run goes one."""

    def prepare(self, tabulate: Callable[[int], None], run: Run) -> None:
        """Before an epoch: `tabulate` asks for the learning rates of so many steps, where those
        come from a function."""
        tabulate(run.batches_per_epoch)

    @abstractmethod
    def train(self, run: Run, seconds: float, stop_at_epoch: bool) -> bool:
        """Train for some seconds, or to the end of the epoch; True at the end of an epoch."""

    @abstractmethod
    def step(self, run: Run) -> float | None:
        """Train on one batch; its mean loss, or None where an epoch has ended."""


class ByCore(Advance):
    """All rows are the compiled part's, and so is the loss."""

    def train(self, run: Run, seconds: float, stop_at_epoch: bool) -> bool:
        return run.advance(seconds, stop_at_epoch)

    def step(self, run: Run) -> float | None:
        return run.step()


class ByStep(Advance):
    """The base of those in which each batch needs Python."""

    def train(self, run: Run, seconds: float, stop_at_epoch: bool) -> bool:
        end = time.monotonic() + seconds
        while True:
            if self.step(run) is None and (stop_at_epoch or run.done):
                return True
            if time.monotonic() >= end:
                return False


class ByFunction(ByStep):
    """The loss is a function of the user's."""

    def __init__(self, loss: LossOfRows) -> None:
        self._loss = loss

    def step(self, run: Run) -> float | None:
        return run.step_with(self._loss)
