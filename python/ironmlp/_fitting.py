"""The training loop around `_core.Run`: slices of training, callbacks, progress."""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ironmlp._arrays import Array, real_array
from ironmlp._core import Run
from ironmlp._progress import Silent
from ironmlp.callbacks import Callback, LambdaCallback, Logs, StopTraining
from ironmlp.history import History
from ironmlp.losses import LossFunction

if TYPE_CHECKING:
    from ironmlp.model import Sequential

# Seconds of training between two looks at Ctrl-C and the progress line; it is answered within 100
# ms, and returning to Python costs about a microsecond.
SLICE = 0.05

# Trains for some seconds, or to the end of the epoch; True at the end of an epoch.
Advance = Callable[[Run, float, bool], bool]


def checked_callbacks(callbacks: Any) -> list[Callback]:
    """A list of callbacks; plain functions are called at the end of each epoch."""
    if isinstance(callbacks, str | Callback) or not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks is {callbacks!r} ({type(callbacks).__name__}), it must be a list of them"
        )
    checked = []
    for index, callback in enumerate(callbacks):
        if isinstance(callback, Callback):
            checked.append(callback)
        elif callable(callback) and not isinstance(callback, type):
            checked.append(LambdaCallback(callback))
        else:
            got = f"{callback!r} ({type(callback).__name__})"
            raise TypeError(f"callbacks[{index}] is {got}, it must be a Callback or a function")
    return checked


def train(
    model: Sequential,
    run: Run,
    advance: Advance,
    epochs: int,
    callbacks: list[Callback],
    shown: Silent,
) -> History:
    """Train `run` to its end, or until a callback stops it."""
    if callbacks:
        return train_with_callbacks(model, run, advance, epochs, callbacks, shown)
    while not run.done:
        advance(run, SLICE, False)
        shown.update(run)
    return History({"loss": run.losses(0)}, "epochs")


def train_with_callbacks(
    model: Sequential,
    run: Run,
    advance: Advance,
    epochs: int,
    callbacks: list[Callback],
    shown: Silent,
) -> History:
    stopped: list[str] = []
    logged: dict[str, list[float]] = {}
    logs: Logs = {}

    def call(moment: str, logs: Logs) -> None:
        # A callback that stops the training does not keep the others from being called.
        for callback in callbacks:
            try:
                getattr(callback, moment)(model, logs)
            except StopTraining as stop:
                stopped.append(str(stop) or "StopTraining")
        if model.stop_training and not stopped:
            stopped.append("stop_training")

    call("on_train_begin", {"epochs": epochs})
    while not (run.done or stopped):
        epoch = run.epochs_done
        call("on_epoch_begin", {"epoch": epoch})
        if stopped:
            break
        while not advance(run, SLICE, True):
            shown.update(run)
        shown.update(run)
        logs = {"epoch": epoch, "loss": float(run.losses(epoch)[0])}
        call("on_epoch_end", logs)
        note(logs, logged)
    call("on_train_end", logs)
    columns = {"loss": run.losses(0)}
    for name, values in logged.items():
        columns[name] = np.array(padded(values, run.epochs_done), dtype=np.float64)
    return History(columns, stopped[0] if stopped else "epochs")


def note(logs: Logs, logged: dict[str, list[float]]) -> None:
    """Append the numbers that callbacks added to the epoch's logs."""
    for name, value in logs.items():
        if name not in ("epoch", "loss") and isinstance(value, numbers.Real):
            padded(logged.setdefault(name, []), logs["epoch"]).append(float(value))


def padded(values: list[float], length: int) -> list[float]:
    """NaN for the epochs in which a number was not logged."""
    values.extend([math.nan] * (length - len(values)))
    return values


def by_core(run: Run, seconds: float, stop_at_epoch: bool) -> bool:
    """Train with a loss that the compiled part knows."""
    return run.advance(seconds, stop_at_epoch)


def by_function(function: LossFunction, targets: Array) -> Advance:
    """Train with a loss of the user's own: one call of `function` a batch."""

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


def call_loss(function: LossFunction, outputs: Array, targets: Array) -> tuple[float, Array]:
    """The loss and its gradient by the outputs, checked."""
    returned = function(outputs, targets)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(
            f"the loss function returned {returned!r}, it must return a tuple: the loss and its "
            "gradient by the outputs"
        )
    loss, gradient = returned
    value = real_array("the loss", loss)
    if value.ndim:
        raise ValueError(f"the loss has shape {value.shape}, it must be one number")
    gradient = real_array("the gradient of the loss", gradient)
    if gradient.shape != outputs.shape:
        raise ValueError(
            f"the gradient of the loss has shape {gradient.shape}, the outputs {outputs.shape}"
        )
    return float(value), gradient
