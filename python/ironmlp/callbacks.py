"""Code of your own at the beginnings and ends of epochs.

`fit(callbacks=[...])` takes `Callback` objects and plain functions f(model, logs), which are called
at the end of each epoch. `logs` is a dict: "epoch" counts the epochs of this call from 0, "loss" is
the epoch's mean loss. A number that a callback adds to `logs` is seen by the callbacks after it,
and becomes a column of the `History`.

Two ways to stop: `model.stop_training = True`, or `raise StopTraining("why")`; the epoch counts.
Every method of the model but `fit` may be called. Another exception comes out of `fit`, and the
finished epochs stay trained.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ironmlp._spec import choice, flag, integer, real

if TYPE_CHECKING:
    from ironmlp.model import Sequential

__all__ = ["Callback", "EarlyStopping", "LambdaCallback", "ProgressBar", "StopTraining"]

Logs = dict[str, Any]
Hook = Callable[["Sequential", Logs], object]


class StopTraining(Exception):  # noqa: N818 - no error, like StopIteration
    """Raised in a callback it ends the training; its message becomes `History.stop_reason`."""


class Callback:
    """The base of all callbacks: override what you need."""

    def on_train_begin(self, model: Sequential, logs: Logs) -> None:
        """Before the first epoch; `logs` holds the number of "epochs"."""

    def on_epoch_begin(self, model: Sequential, logs: Logs) -> None:
        """Before each epoch; `logs` holds its number, "epoch"."""

    def on_epoch_end(self, model: Sequential, logs: Logs) -> None:
        """After each epoch; `logs` holds "epoch" and "loss"."""

    def on_train_end(self, model: Sequential, logs: Logs) -> None:
        """After the last epoch, with its `logs`; also after a stop, not after an exception."""


class LambdaCallback(Callback):
    """A callback made of functions f(model, logs), one for each moment that is given."""

    def __init__(
        self,
        on_epoch_end: Hook | None = None,
        *,
        on_epoch_begin: Hook | None = None,
        on_train_begin: Hook | None = None,
        on_train_end: Hook | None = None,
    ) -> None:
        hooks = {
            "on_epoch_end": on_epoch_end,
            "on_epoch_begin": on_epoch_begin,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
        }
        for name, hook in hooks.items():
            if hook is None:
                continue
            if not callable(hook):
                raise TypeError(f"{name} is {hook!r}, it must be a function f(model, logs)")
            setattr(self, name, hook)


class EarlyStopping(Callback):
    """Stop when a logged number has not improved for `patience` epochs.

    `monitor` names an entry of the logs: "loss", the training loss, or one that a callback before
    this one adds. An epoch improves if it is better than the best one so far by more than
    `min_delta`; `mode` "min" means that smaller is better. With `restore_best_weights` the model
    ends with the parameters that it had at the end of the best epoch, however training ended.

    After training, `best` and `best_epoch` tell the best value and its epoch.
    """

    def __init__(
        self,
        monitor: str = "loss",
        min_delta: float = 0.0,
        patience: int = 0,
        *,
        mode: Literal["min", "max"] = "min",
        restore_best_weights: bool = False,
    ) -> None:
        self.monitor = monitor
        self.min_delta = real("min_delta", min_delta, at_least=0.0)
        self.patience = integer("patience", patience)
        if self.patience < 0:
            raise ValueError(f"patience is {patience}, it must be at least 0")
        self.mode = choice("mode", mode, ("min", "max"))
        self.restore_best_weights = flag("restore_best_weights", restore_best_weights)
        self._begin()

    def _begin(self) -> None:
        self.best = math.inf if self.mode == "min" else -math.inf
        self.best_epoch: int | None = None
        self._best_state: dict[str, Any] | None = None
        self._waited = 0

    def on_train_begin(self, model: Sequential, logs: Logs) -> None:  # noqa: ARG002
        self._begin()

    def on_epoch_end(self, model: Sequential, logs: Logs) -> None:
        if self.monitor not in logs:
            known = ", ".join(repr(name) for name in logs)
            raise ValueError(f"monitor is {self.monitor!r}, the logs hold {known}")
        value = float(logs[self.monitor])
        gain = self.best - value if self.mode == "min" else value - self.best
        if gain > self.min_delta:
            self.best, self.best_epoch, self._waited = value, logs["epoch"], 0
            if self.restore_best_weights:
                self._best_state = model.state_dict()
            return
        self._waited += 1
        if self._waited >= self.patience:
            raise StopTraining(
                f"early stopping: no better {self.monitor} than {self.best:.6g} of epoch "
                f"{self.best_epoch}"
            )

    def on_train_end(self, model: Sequential, logs: Logs) -> None:  # noqa: ARG002
        if self._best_state is not None:
            model.load_state_dict(self._best_state)
            self._best_state = None


class ProgressBar(Callback):
    """A tqdm bar over the epochs, in notebooks a widget. ImportError without tqdm.

    `fit`'s own progress line (`verbose`) needs no package.
    """

    def __init__(self) -> None:
        try:
            self._tqdm = importlib.import_module("tqdm.auto").tqdm
        except ImportError as error:
            raise ImportError("ProgressBar needs tqdm: pip install 'ironmlp[progress]'") from error
        self._bar: Any = None

    def on_train_begin(self, model: Sequential, logs: Logs) -> None:  # noqa: ARG002
        self._bar = self._tqdm(total=logs["epochs"], unit="epoch")

    def on_epoch_end(self, model: Sequential, logs: Logs) -> None:  # noqa: ARG002
        self._bar.set_postfix(loss=f"{logs['loss']:.6g}", refresh=False)
        self._bar.update()

    def on_train_end(self, model: Sequential, logs: Logs) -> None:  # noqa: ARG002
        self._bar.close()
