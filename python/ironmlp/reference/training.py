"""The epochs of a `fit`, and what callbacks are told of them."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .specs import Array

Logs = dict[str, Any]


class Training:
    """Some epochs of a model, each of which `epoch()` trains and gives the numbers of.

    A callback is a function f(model, logs) for the ends of epochs, or an object with any of the
    methods on_train_begin, on_epoch_begin, on_epoch_end and on_train_end (model, logs). There is
    one dict of logs for each epoch; a number that a callback adds to it becomes a column.
    """

    def __init__(
        self, model: Any, epochs: int, epoch: Callable[[], Logs], callbacks: Iterable[Any]
    ) -> None:
        self.model, self.epochs, self.epoch = model, epochs, epoch
        # ironmlp's own say with `_rank` that they read what the others log.
        self.callbacks = sorted(callbacks, key=lambda callback: getattr(callback, "_rank", 0))
        self.finished: list[Logs] = []  # of each epoch
        self.stopped: tuple[str, str] | None = None  # why, and in which words

    def train(self) -> dict[str, Array]:
        """All epochs, or until a callback stops them: the columns, which the model keeps too."""
        try:
            self.tell("on_train_begin", {"epochs": self.epochs})
            while len(self.finished) < self.epochs and not self.stopped:
                logs: Logs = {"epoch": self.model.epoch}
                self.tell("on_epoch_begin", logs)
                if not self.stopped:
                    logs |= self.epoch()
                    self.finished.append(logs)
                    self.tell("on_epoch_end", logs)
        except BaseException as error:
            kinds = {KeyboardInterrupt: "interrupted", FloatingPointError: "diverged"}
            self.end(kinds.get(type(error), "error"), "")
            raise
        failures = self.end(*(self.stopped or ("epochs", "")))
        if failures:
            raise failures[0]
        history: dict[str, Array] = self.model.history
        return history

    def tell(self, hook: str, logs: Logs) -> None:
        for callback in self.callbacks:
            try:
                call(callback, hook, self.model, logs)
            except Exception as error:
                if not stops(error):
                    raise
                self.stopped = self.stopped or (getattr(error, "reason", "stopped"), str(error))
        if self.model.stop_training:
            self.stopped = self.stopped or ("stopped", "")

    def end(self, reason: str, message: str) -> list[BaseException]:
        """Tell all callbacks how it ended; what they raise keeps none of the others from it."""
        self.model.history = self.columns()
        logs = {**(self.finished or [{}])[-1], "stop_reason": reason, "stop_message": message}
        failures: list[BaseException] = []
        for callback in self.callbacks:
            try:
                call(callback, "on_train_end", self.model, logs)
            except BaseException as error:
                failures += [] if stops(error) else [error]
        return failures

    def columns(self) -> dict[str, Array]:
        """The loss and whatever was logged, a float64 array each; NaN where an epoch had none."""
        names = dict.fromkeys(["loss", *(name for logs in self.finished for name in logs)])
        return {
            name: np.array([float(logs.get(name, math.nan)) for logs in self.finished])
            for name in names
            if name != "epoch"
        }


def call(callback: Any, hook: str, model: Any, logs: Logs) -> None:
    if hasattr(callback, hook):
        getattr(callback, hook)(model, logs)
    elif callable(callback) and hook == "on_epoch_end":
        callback(model, logs)


def stops(error: BaseException) -> bool:
    """Whether it is ironmlp's StopTraining, or an exception of your own with this name."""
    return any(base.__name__ == "StopTraining" for base in type(error).__mro__)
