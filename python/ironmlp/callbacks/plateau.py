"""`ReduceLROnPlateau`: a smaller learning rate when a logged number gets no better."""

from __future__ import annotations

import math
from typing import Any, Literal

from ironmlp._arguments.keywords import explains_keywords
from ironmlp._arguments.values import count, real
from ironmlp._environment import computed
from ironmlp.callbacks.base import READER, Callback, Logs, Model, remembered
from ironmlp.callbacks.monitor import Monitor

# A rate that would change by no more than this stays; torch's default.
EPS = 1e-8


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by `factor` when a logged number has not become better.

    The rule is that of `torch.optim.lr_scheduler.ReduceLROnPlateau` with `threshold_mode="rel"`. An
    epoch is better if its number is below best * (1 - `threshold`), or, where larger is better,
    above best * (1 + `threshold`). After more than `patience` epochs in a row that were no better
    the rate becomes rate * `factor`, at least `min_lr`, unless that changes it by no more than
    1e-8. The `cooldown` epochs after that are not counted.

    `monitor` and `mode` are as in `EarlyStopping`. An epoch without a number, which is not logged
    or NaN, is skipped altogether.

    The rate that each epoch was trained with, of one whose rate a schedule changes that of its last
    step, is logged as "learning_rate", unless a callback has logged something under this name. Of a
    schedule it cuts the factor, and all later rates with it.
    """

    _rank = READER

    @explains_keywords
    def __init__(
        self,
        monitor: str = "auto",
        factor: float = 0.1,
        patience: int = 10,
        *,
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        mode: Literal["auto", "min", "max"] = "auto",
    ) -> None:
        self._monitor = Monitor(monitor, mode)
        self.monitor = self._monitor.given
        self.factor = real("factor", factor, at_least=0.0, below=1.0)
        self.patience = count("patience", patience)
        self.threshold = real("threshold", threshold, at_least=0.0)
        self.cooldown = count("cooldown", cooldown)
        self.min_lr = real("min_lr", min_lr, at_least=0.0)
        self.mode = self._monitor.mode
        self._forget()

    def _forget(self) -> None:
        self._best: float | None = None
        # Epochs in a row that were no better, and those of the cooldown that are left.
        self._bad = self._cooling = 0

    def on_train_begin(self, model: Model, logs: Logs) -> None:  # noqa: ARG002
        self._forget()
        self._monitor.begin(logs)

    def on_epoch_end(self, model: Model, logs: Logs) -> None:
        logs.setdefault("learning_rate", model._last_rate)
        value = self._monitor.read(logs)
        if value is None:
            return
        if self._is_better(value):
            self._best, self._bad = value, 0
        else:
            self._bad += 1
        if self._cooling:
            self._cooling -= 1
            self._bad = 0
        if self._bad > self.patience:
            self._reduce(model)
            self._cooling, self._bad = self.cooldown, 0

    @computed
    def _is_better(self, value: float) -> bool:
        if self._monitor.smaller:
            best = math.inf if self._best is None else self._best
            return value < best * (1.0 - self.threshold)
        best = -math.inf if self._best is None else self._best
        return value > best * (1.0 + self.threshold)

    @computed
    def _reduce(self, model: Model) -> None:
        rate: float = model.learning_rate
        reduced = max(rate * self.factor, self.min_lr)
        if rate - reduced > EPS:
            model.learning_rate = reduced

    def state(self) -> dict[str, Any]:
        return {
            "monitor": self._monitor.name,
            "best": self._best,
            "bad": self._bad,
            "cooling": self._cooling,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self._monitor.name, self._best, self._bad, self._cooling = remembered(
            self, state, monitor=(str, None), best=(float, None), bad=(int,), cooling=(int,)
        )

    def _arguments(self) -> dict[str, Any]:
        names = ("monitor", "factor", "patience", "threshold", "cooldown", "min_lr", "mode")
        return {name: getattr(self, name) for name in names}
