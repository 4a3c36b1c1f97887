"""The learning rate of a model: a number, a schedule, or a function of the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ironmlp import _core
from ironmlp._arguments.rounding import check_rounded, rounded
from ironmlp._arguments.values import is_number
from ironmlp._engine.architecture import Architecture
from ironmlp.optimizers import Optimizer
from ironmlp.optimizers.base import rate

if TYPE_CHECKING:
    from ironmlp.schedules import Schedule


class Rated(Architecture):
    """The base of the models whose rates the core holds, or is given step by step."""

    _core: _core.Model

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer, with the present `learning_rate` unless it has a schedule."""
        if is_number(self._optimizer.lr):
            return self._optimizer._with_lr(self.learning_rate)
        return self._optimizer

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update; assign to change it, in callbacks too.

        With a schedule, or a function of the step, assigning a number v multiplies all rates from
        here on by a factor, so that the next is v; ValueError where the schedule's own is 0. To
        assign a schedule or a function takes the place of what the optimizer was made with;
        RuntimeError while the model is in training.
        """
        found = self._core.rates.next
        if found is not None:
            return found
        function = self._function
        if function is None:
            return self._core.rates.last
        return self._of_function(function, self._core.steps) * (self._core.rates.factor or 0.0)

    @learning_rate.setter
    def learning_rate(self, value: float | Schedule | Callable[[int], float]) -> None:
        new = rate("learning_rate", value)
        if is_number(new):
            rounded("learning_rate", new, self._dtype)
            if not self._is_forgotten():
                self._tabulate_next()
                self._core.rates.set(new)
                return
        optimizer = self._optimizer._with_lr(new)
        check_rounded(optimizer, self._dtype)
        if callable(new):
            self._of_function(new, self._core.steps)
        # The function that a file could not hold goes on as it was, as a resumed training does.
        self._core.rates.follow(optimizer, self._is_forgotten() and callable(new))
        self._optimizer = optimizer
        self._tabulate_next()

    @property
    def _last_rate(self) -> float:
        """The learning rate of the last update."""
        return self._core.rates.last

    @property
    def _function(self) -> Callable[[int], float] | None:
        """What gives the rates, if that is a function."""
        lr = self._optimizer.lr
        return lr if callable(lr) else None

    def _of_function(self, function: Callable[[int], float], step: int) -> float:
        found: Any = function(step)
        try:
            number = float(found)
        except (TypeError, ValueError, OverflowError):
            number = -1.0
        if isinstance(found, str | bytes | bool) or not 0.0 <= number < float("inf"):
            raise ValueError(
                f"lr gave {found!r:.60} for step {step}, it must give a finite number of at least 0"
            )
        return rounded(f"lr of step {step}", number, self._dtype)

    def _tabulate(self, steps: int) -> None:
        """Ask the function for the rates of the next steps."""
        if (function := self._function) is not None:
            first = self._core.steps
            rates = [self._of_function(function, step) for step in range(first, first + steps)]
            self._core.rates.tabulate(first, rates)

    def _tabulate_next(self) -> None:
        """Ask the function for the rate of the next step, if it is not known yet."""
        if not is_number(self._optimizer.lr) and self._core.rates.next is None:
            self._check_rate()
            self._tabulate(1)

    def _is_forgotten(self) -> bool:
        return type(self._optimizer.lr).__name__ == "Forgotten"

    def _check_rate(self) -> None:
        """Refuse to train a model whose rates came from a function that a file could not hold."""
        if self._is_forgotten():
            raise RuntimeError(
                "the model's learning rate was a function of the step, which its file could not "
                "hold: assign model.learning_rate a number, a schedule or the function"
            )
