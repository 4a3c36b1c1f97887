"""A logged number that a callback watches, and which of two values of it is better."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.values import choice
from ironmlp._environment import computed
from ironmlp.callbacks.base import Logs, number

# The numbers of which it is known whether smaller or larger is better, with or without "val_".
SMALLER = ("loss", "log_loss", "mae", "mse", "rmse", "penalty")
LARGER = (
    *("accuracy", "balanced_accuracy", "top5", "f1", "roc_auc", "average_precision"),
    "r2",
)
DIRECTIONS = dict.fromkeys(SMALLER, "min") | dict.fromkeys(LARGER, "max")


def direction(name: str) -> str | None:
    """ "min" if a smaller number of this name is better, "max" if a larger one is, None if no table
    knows."""
    return DIRECTIONS.get(name.removeprefix("val_"))


def best_place(name: str, values: NDArray[np.float64]) -> int | None:
    """Where the best of the values of this name is, of equal ones the first; None if there is none,
    or nothing tells which is better."""
    better = direction(name)
    if better is None or np.isnan(values).all():
        return None
    return int(np.nanargmin(values) if better == "min" else np.nanargmax(values))


class Monitor:
    """An entry of the logs: a name, or "auto", "val_loss" if the first epoch logs it, else "loss".

    `mode` is "min" if smaller is better, "max" if larger is, "auto" if the table above says it.
    """

    def __init__(self, monitor: Any, mode: Any) -> None:
        if not isinstance(monitor, str):
            raise TypeError(
                f"monitor is {monitor!r} ({type(monitor).__name__}), it must be the name of an "
                "entry of the logs, or 'auto'"
            )
        self.given = monitor
        self.mode = choice("mode", mode, ("auto", "min", "max"))
        # Of columns whose metrics say what is better.
        self._modes: dict[str, str] = {}
        # Known from the first epoch's end on.
        self.name: str | None = None

    def begin(self, logs: Logs) -> None:
        """A training begins, with what `on_train_begin` gets: ValueError if nothing tells which of
        two numbers will be better."""
        self.name = None
        self._modes = logs.get("modes", {})
        if self.mode == "auto" and self.given != "auto" and self._direction(self.given) is None:
            known = ", ".join(DIRECTIONS)
            raise ValueError(
                f"monitor is {self.given!r}, and mode='auto' does not know whether smaller or "
                f"larger is better: give mode='min' or mode='max' (known are {known}, and these "
                "with val_ before them)"
            )

    def read(self, logs: dict[str, Any]) -> float | None:
        """The number of an epoch, None if it has none.

        ValueError if the first epoch does not have it, not even as NaN: then nobody logs it.
        """
        if self.name is None:
            self.name = self.given
            if self.name == "auto":
                self.name = "val_loss" if "val_loss" in logs else "loss"
            if self.name not in logs:
                known = ", ".join(repr(name) for name in logs)
                raise ValueError(
                    f"monitor is {self.name!r}, which nothing has logged by the end of the first "
                    f"epoch; the logs hold {known}"
                )
        value = number(self.name, logs.get(self.name, math.nan))
        return None if math.isnan(value) else value

    def _direction(self, name: str) -> str | None:
        """As `direction`, unless the training's metrics say it."""
        return self._modes.get(name) or direction(name)

    @property
    def smaller(self) -> bool:
        """Whether a smaller number is better."""
        if self.mode == "auto":
            return self._direction(self.name or "loss") == "min"
        return self.mode == "min"

    @computed
    def gain(self, before: float, after: float) -> float:
        """By how much the second number is better than the first."""
        return before - after if self.smaller else after - before
