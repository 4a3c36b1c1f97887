"""`EarlyStopping`: training ends when a logged number gets no better."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from ironmlp._arguments.keywords import explains_keywords
from ironmlp._arguments.values import count, flag, real
from ironmlp.callbacks.base import READER, Callback, Logs, Model, StopTraining, remembered
from ironmlp.callbacks.monitor import Monitor


class NoBetter(StopTraining):
    """What `EarlyStopping` raises."""

    reason: ClassVar[str] = "early_stopping"


class EarlyStopping(Callback):
    """Stop when a logged number has not become better for `patience` epochs.

    `monitor` names an entry of the logs, which a callback has logged by the end of the first epoch
    (ValueError); "auto" is "val_loss" if the first epoch logs it, else "loss", the training loss.
    An epoch is better if its number is better than the best one so far by more than `min_delta`.
    `mode` "min" means that smaller is better, "max" that larger is; "auto" knows it of the usual
    names: "loss", "log_loss", "mae", "mse", "rmse" and "penalty" are better smaller, "accuracy",
    "balanced_accuracy", "top5", "f1", "roc_auc", "average_precision" and "r2" larger, also with
    "val_" before them. Any other name with "auto" is a ValueError before the first step.

    Training ends after `patience` epochs in a row that were no better (0 is as 1). An epoch without
    a number, which is not logged or NaN, is skipped: it is no better, and is not counted.

    With `restore_best_weights` the model is in the end what it was at the end of the best epoch, in
    whatever way training ended, also by an exception or Ctrl-C: parameters, optimizer state,
    learning rate and epoch count. So it is the model of a `fit` up to that epoch, bit for bit, and
    goes on like it. This keeps a copy of parameters and optimizer state.

    After training, `best` and `best_epoch` are the best number and its epoch, counted from 0 at the
    model's birth; None before an epoch had a number.
    """

    _rank = READER

    @explains_keywords
    def __init__(
        self,
        monitor: str = "auto",
        min_delta: float = 0.0,
        patience: int = 10,
        *,
        mode: Literal["auto", "min", "max"] = "auto",
        restore_best_weights: bool = True,
    ) -> None:
        self._monitor = Monitor(monitor, mode)
        self.monitor = self._monitor.given
        self.min_delta = real("min_delta", min_delta, at_least=0.0)
        self.patience = count("patience", patience)
        self.mode = self._monitor.mode
        self.restore_best_weights = flag("restore_best_weights", restore_best_weights)
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch: int | None = None
        self._best_state: Any = None
        self._restored = None
        self._waited = 0

    def on_train_begin(self, model: Model, logs: Logs) -> None:  # noqa: ARG002
        self._forget()
        self._monitor.begin(logs)

    def on_epoch_end(self, model: Model, logs: Logs) -> None:
        value = self._monitor.read(logs)
        if value is None:
            return
        if self.best is None or self._monitor.gain(self.best, value) > self.min_delta:
            self.best, self.best_epoch, self._waited = value, logs["epoch"], 0
            if self.restore_best_weights:
                self._best_state = model._snapshot()
            return
        self._waited += 1
        if self._waited >= self.patience:
            raise NoBetter(
                f"no better {self._monitor.name} than {self.best:.6g} of epoch {self.best_epoch}"
            )

    def on_train_end(self, model: Model, logs: Logs) -> None:  # noqa: ARG002
        if self._best_state is not None:
            model._set_trained(self._best_state)
            self._best_state = None
            self._restored = self.best_epoch

    def state(self) -> dict[str, Any]:
        return {
            "monitor": self._monitor.name,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self._waited,
            "best_state": self._best_state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self._monitor.name, self.best, self.best_epoch, self._waited, self._best_state = remembered(
            self,
            state,
            monitor=(str, None),
            best=(float, None),
            best_epoch=(int, None),
            waited=(int,),
            best_state=(dict, None),
        )

    def _check_state(self, model: Model, state: dict[str, Any]) -> None:
        if isinstance(best := state.get("best_state"), dict):
            try:
                model.copy()._set_trained(best)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"best_state of {self!r} is none of this model: {error}") from None

    def _arguments(self) -> dict[str, Any]:
        names = ("monitor", "min_delta", "patience", "mode", "restore_best_weights")
        return {name: getattr(self, name) for name in names}
