"""The training loop around `_core.Run`: slices of training, callbacks, progress, and the ending."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ironmlp._core import Run
from ironmlp._training.advance import Advance
from ironmlp._training.course import Course
from ironmlp._training.displays import Silent
from ironmlp._training.logs import Record
from ironmlp._training.resume import Resumption, with_keeper
from ironmlp._training.validation import Validation
from ironmlp.callbacks import Callback, Logs, StopTraining
from ironmlp.callbacks.base import OWN
from ironmlp.history import History

# Seconds of training between two looks at Ctrl-C and the progress line; it is answered within 100
# ms, and returning to Python costs about a microsecond.
SLICE = 0.05


P = ParamSpec("P")
T = TypeVar("T")


class Trainee(Protocol):
    """What a training changes of its model beside parameters, and reads of it."""

    stop_training: bool
    _history: History | None

    @property
    def epoch(self) -> int: ...

    @property
    def _function(self) -> Callable[[int], float] | None: ...

    def _tabulate(self, steps: int) -> None: ...


class Training:
    """One `fit`: its run, its callbacks in the order of their calls, what they log, how it ends."""

    def __init__(
        self,
        model: Trainee,
        run: Run,
        advance: Advance,
        course: Course,
        callbacks: list[Callback],
        shown: Silent,
        validation: Validation | None,
        resumption: Resumption,
    ) -> None:
        self.model, self.run, self.course = model, run, course
        self.shown, self.resumption = shown, resumption
        self.callbacks = with_keeper(self, callbacks)
        self.validation = validation
        # Whether each epoch needs Python at its end.
        self.by_epoch = (
            bool(callbacks)
            or model._function is not None
            or (validation is not None and validation.by_epoch)
        )
        self._advance = advance
        self.first = model.epoch
        self.record = Record(resumption.history)
        # Why and with which words callbacks stopped the training; the first of them counts.
        self.stops = resumption.stops()
        # The callbacks that have more in a hook of epochs or batches than the base.
        self.listeners: dict[str, list[Callback]] = {}
        self.diverged: FloatingPointError | None = None
        self.ended = False

    def train(self) -> History:
        """Train to the end of the run, or until something stops it."""
        try:
            self.shown.begin(self.first)
            if self.by_epoch:
                self.epoch_by_epoch()
            else:
                self.in_slices()
            history, failures = self.end(*(self.stops or [("epochs", "")])[0])
        except BaseException as error:
            # A Ctrl-C may come when the ending has begun.
            if not self.ended:
                _, failures = self.end(self.reason(error), "")
                note(error, failures)
            raise
        if failures:
            note(failures[0], failures[1:])
            raise failures[0]
        return history

    def in_slices(self) -> None:
        """Without callbacks as many epochs as fit into a slice go by."""
        while not self.run.done:
            stopping = self.model.stop_training
            if stopping and self.run.batches_done == 0:
                self.stops.append(("stopped", ""))
                return
            self.advance(stopping)

    def epoch_by_epoch(self) -> None:
        logs: Logs = {"epochs": self.course.epochs}
        if self.validation is not None and self.validation.modes:
            logs["modes"] = self.validation.modes
        self.call("on_train_begin", logs)
        self.resumption.remind(self.model)
        for moment in ("on_epoch_begin", "on_train_batch_end", "on_epoch_end"):
            self.listeners[moment] = [c for c in self.callbacks if c._overrides(moment)]
        while not (self.run.done or self.stops):
            row = self.run.epochs_done
            self.call("on_epoch_begin", self.record.begin(self.model.epoch))
            if self.stops:
                return
            self._advance.prepare(self.model._tabulate, self.run)
            if self.listeners["on_train_batch_end"]:
                self.batch_by_batch()
            else:
                while not self.advance(True):
                    pass
            if self.run.epochs_done == row:
                return
            found = {"loss": float(self.run.losses(row)[0])}
            found |= {name: float(column[0]) for name, column in self.run.penalties(row).items()}
            if self.validation is not None:
                found |= self.validation.numbers(self.run, row, self.record.epochs[-1])
            self.call("on_epoch_end", self.record.end(found))

    def batch_by_batch(self) -> None:
        """To the end of the epoch, or until a callback stops the training."""
        of_epoch = {"epoch": self.record.epochs[-1], "batch": -1}
        while not self.stops:
            loss = self.watched(self._advance.step, self.run)
            if loss is None:
                return
            of_epoch["batch"] += 1
            self.shown.update(self.run)
            logs: Logs = {**of_epoch, "loss": loss}
            if (penalty := self.run.penalty) is not None:
                logs["penalty"] = penalty
            self.call("on_train_batch_end", logs)
        # The training ends here.
        self.watched(self.run.look)

    def advance(self, stop_at_epoch: bool) -> bool:
        """A slice of training; whether an epoch has ended."""
        ended = self.watched(self._advance.train, self.run, SLICE, stop_at_epoch)
        # The end of an epoch is shown with what callbacks log.
        if not (ended and self.by_epoch):
            self.shown.update(self.run)
        return ended

    def watched(self, train: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Let the run go on; an error of its numbers is known as one."""
        try:
            return train(*args, **kwargs)
        except FloatingPointError as error:
            self.diverged = error
            raise

    def call(self, moment: str, logs: Logs) -> None:
        """Call a hook of each callback; one that stops the training does not stop the others."""
        listeners = self.listeners.get(moment, self.callbacks)
        # Those of the user's own, which come first, may print.
        aside = bool(listeners) and listeners[0]._rank == OWN
        if aside:
            self.shown.step_aside()
        for callback in listeners:
            try:
                getattr(callback, moment)(self.model, logs)
            except StopTraining as stop:
                self.stops.append((stop.reason, str(stop)))
            if logs is self.record.logs:
                self.record.note(callback)
        if self.model.stop_training:
            self.stops.append(("stopped", ""))
        ended = moment == "on_epoch_end"
        if aside or ended:
            self.shown.update(self.run, logs if ended else None)

    def reason(self, error: BaseException) -> str:
        if isinstance(error, KeyboardInterrupt):
            return "interrupted"
        return "diverged" if error is self.diverged else "error"

    def end(self, reason: str, message: str) -> tuple[History, list[BaseException]]:
        """Make the history, which is the model's from here on, and call the last hooks; it, and
        what they raise."""
        record, columns = self.record, self.columns()
        first, rows = self.resumption.first(self.first), len(columns["loss"])
        history = History(columns, range(first, first + rows), reason, message)
        history._restored = self.resumption.restored
        logs = {**record.finished, "stop_reason": reason, "stop_message": message}
        self.model._history, self.ended = history, True
        failures: list[BaseException] = []
        try:
            self.shown.close(self.run)
        except BaseException as error:
            failures.append(error)
        for callback in self.callbacks:
            try:
                callback.on_train_end(self.model, logs)
                record.note_ending(logs, rows)
                if callback._restored is not None:
                    history._restored = callback._restored
            except StopTraining:
                pass  # It has stopped.
            except BaseException as error:
                failures.append(error)
        if self.callbacks:
            history._columns = self.columns()
        return history, failures

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """The history's, so far."""
        computed = {"loss": self.run.losses(0), **self.run.penalties(0)}
        if self.validation is not None:
            computed |= self.run.validation(0)
        return self.record.columns(computed)


def note(error: BaseException, others: list[BaseException]) -> None:
    """Let an exception tell of those that came after it."""
    for other in others:
        error.add_note(f"Afterwards at the end of training: {type(other).__name__}: {other}")
