"""What a `fit` learns of its rows before the first step: their mean and standard deviation."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ironmlp._engine import Engine
from ironmlp._training.data import TrainingData
from ironmlp._training.streams import Stream


class learned_standards:  # noqa: N801  (it is used as a function is)
    """`with learned_standards(model, data):` a model that standardizes knows by what, from these
    rows if it did not before. In the end it forgets that again if it has made no step. A stream has
    no rows yet, and the core refuses it."""

    def __init__(self, model: Engine, data: TrainingData | Stream) -> None:
        self.model, self.data = model, data
        self.known: Any = None

    def __enter__(self) -> None:
        model, data = self.model, self.data
        if not (model._standardize or model._standardize_y):
            return
        core = model._core
        self.steps, self.known, self.learns = core.steps, core.standards(), False
        if self.known is None and isinstance(data, TrainingData):
            self.learns = True
            try:
                core.adapt(data.X, data.targets if model._standardize_y else None, data.trained)
                self.known = core.standards()
            except BaseException:  # also a Ctrl-C between the two
                core.set_standards(None)
                raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.known is None:
            return
        core = self.model._core
        if core.steps == self.steps:
            if self.learns:
                core.set_standards(None)
        elif core.standards() is None:  # by a reset() in a callback, after which steps were made
            core.set_standards(self.known)
