"""How a training goes on where another process has left it: `fit(resume=True)`, and what the file
of a `Checkpoint` tells for it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from ironmlp._core import Run
from ironmlp._engine import Engine
from ironmlp._training.course import Course
from ironmlp._training.data import TrainingData
from ironmlp._training.logs import Record
from ironmlp._training.past import BROKEN_OFF, Past
from ironmlp._training.streams import Stream
from ironmlp._training.validation import Validation
from ironmlp.callbacks.base import CHECKPOINT, DISPLAY, Callback, Logs, Model
from ironmlp.callbacks.checkpoint import Checkpoint
from ironmlp.history import History

# Reasons for which a training has ended for good. The other ones are of the user's own, who asks
# for more.
FINAL = ("early_stopping",)

# What a message calls a setting that is no argument of `fit`.
CALLED = {
    "rows": "the number of rows that are trained on",
    "targets": "y's checksum",
    "sample_weight": "the checksum of sample_weight and class_weight",
    "validation": "the checksum of the rows that validate",
}


class Resumption(NamedTuple):
    """What a training goes on with, and what one can go on with after it."""

    settings: Mapping[str, Any]
    # But for displays, in the order of their calls.
    callbacks: list[Callback]
    # None where it does not go on with a checkpoint.
    past: Past | None

    @property
    def history(self) -> History | None:
        """Of the epochs before."""
        return None if self.past is None else self.past.history

    @property
    def restored(self) -> int | None:
        """The epoch whose model has come back when the training ended, if it had ended."""
        return None if self.past is None else self.past.history._restored

    def first(self, epoch: int) -> int:
        """The first epoch of the training, if the model begins with this one."""
        history = self.history
        return int(history.epochs[0]) if history and len(history) else epoch

    def stops(self) -> list[tuple[str, str]]:
        """Why the training has ended already, if it has."""
        history = self.history
        if history and history.stop_reason in FINAL:
            return [(history.stop_reason, history.stop_message)]
        return []

    def remind(self, model: Model) -> None:
        """Give the callbacks back what they have remembered, and write the files anew that they
        remember of this epoch: of several, a kill may have come between one and the next."""
        if self.past is None or not self.past.callbacks:
            return
        for callback, kept in zip(self.callbacks, self.past.callbacks, strict=True):
            # Copies of the model have this past too, and a callback may change what it gets.
            callback.set_state(copy.deepcopy(kept["state"]))
        for callback in self.callbacks:
            if isinstance(callback, Checkpoint) and callback._written == model.epoch:
                callback._write(model, self.past.value())

    def present(self, columns: Mapping[str, Any], epochs: list[int], stop: tuple[str, str]) -> Any:
        """What a file is to hold of the training at the end of an epoch."""
        states = [{**identity(one), "state": state_of(one)} for one in self.callbacks]
        return Past(dict(self.settings), states, History(columns, epochs, *stop), 0).value()


# Of a training that goes on with nothing, and that nothing goes on with.
ALONE = Resumption({}, [], None)


def resumed(
    model: Any,
    resume: bool,
    course: Course,
    data: TrainingData | Stream,
    callbacks: list[Callback],
    validation: Validation | None,
) -> tuple[Course, Resumption]:
    """The epochs that are left of the training, and how it goes on.

    ValueError if it is not the training of the model's checkpoint.
    """
    if not callbacks and not resume:
        return course, ALONE
    remembering = [callback for callback in callbacks if callback._rank < DISPLAY]
    past = None
    if resume:
        left = max(0, course.epochs - model.epoch)
        course = course._replace(epochs=left)
        past = model._past or ended(model, left)
    keeps = any(isinstance(callback, Checkpoint) for callback in callbacks)
    settings = settings_of(course, data, validation) if keeps or past else {}
    if past is not None and past is model._past:
        check(past, model, settings, remembering)
    return course, Resumption(settings, remembering, past)


def ended(model: Any, left: int) -> Past | None:
    """The past of a model that was trained in this process, and has no epoch left: its history."""
    history = model._history
    if not history:
        return None
    none_left = not left and len(history) and history.epochs[-1] + 1 == model.epoch
    if none_left or history.stop_reason in FINAL:
        return Past({}, [], history, model._core.steps)
    return None


def settings_of(
    course: Course, data: TrainingData | Stream, validation: Validation | None
) -> dict[str, Any]:
    """What the epochs of a training and its callbacks depend on.

    X may be of any kind and size: of it the number of rows tells, and y. Rows in another order, as
    after a split without a seed, have another y.
    """
    validating = {} if validation is None else validation.settings(checksum)
    if isinstance(data, Stream):
        return {"streamed": True, **validating}
    return {
        "rows": data.rows,
        "targets": checksum(data.targets),
        "sample_weight": None if data.weights is None else checksum(data.weights),
        "batch_size": course.batch_size,
        "shuffle": course.shuffle,
        **validating,
    }


def checksum(values: Any) -> str:
    """Of the values of an array, or of a tuple of them, 8 hexadecimal digits."""
    import zlib  # which nothing else needs

    found = 0
    for array in values if isinstance(values, tuple) else (values,):
        found = zlib.crc32(np.ascontiguousarray(array).tobytes(), found)
    return f"{found:08x}"


def state_of(callback: Callback) -> dict[str, Any]:
    state: Any = callback.state()
    if not isinstance(state, dict):
        raise TypeError(f"state of {callback!r} gave {state!r:.60}, it must be a dict")
    return state


def identity(callback: Callback) -> dict[str, Any]:
    """By what a callback is known in another process."""
    return {"class": type(callback).__qualname__, "arguments": callback._arguments()}


def check(
    past: Past, model: Engine, settings: Mapping[str, Any], callbacks: list[Callback]
) -> None:
    """ValueError for another model, other settings or other callbacks than those of the past."""
    if past.steps != model._core.steps:
        raise ValueError(
            f"resume=True needs the model of a Checkpoint's file as it was loaded, this one has "
            f"made {model._core.steps} steps, at the checkpoint it had made {past.steps}: load the "
            "file again"
        )
    differ = [
        f"{CALLED.get(name, name)} is {settings.get(name)}, it was {past.settings.get(name)}"
        for name in {**settings, **past.settings}
        if settings.get(name) != past.settings.get(name)
    ]
    given = [identity(callback) for callback in callbacks]
    kept = [{"class": one["class"], "arguments": one["arguments"]} for one in past.callbacks]
    if given != kept:
        new = [one for one in given if one not in kept]
        gone = [one for one in kept if one not in given]
        if not new and not gone:  # their order or number is another
            new, gone = given, kept
        differ.append(f"of callbacks there is {listed(new)}, there was {listed(gone)}")
    if differ:
        raise ValueError(
            "resume=True goes on with the training of the model's checkpoint, which was another: "
            f"{'; '.join(differ)}. Give what was given there, or train on without resume"
        )
    for callback, one in zip(callbacks, past.callbacks, strict=True):
        callback._check_state(model, one["state"])


def listed(callbacks: list[dict[str, Any]]) -> str:
    """Callbacks as they are written."""
    calls = (
        f"{one['class']}({', '.join(f'{k}={v!r}' for k, v in one['arguments'].items())})"
        for one in callbacks
    )
    return ", ".join(calls) or "none"


class Ongoing(Protocol):
    """What a file tells of a training that goes on."""

    model: Any
    run: Run
    record: Record
    stops: list[tuple[str, str]]
    resumption: Resumption

    def columns(self) -> Mapping[str, Any]: ...


class Keeper(Callback):
    """Writes the files of a training's Checkpoints at their turn.

    Each file holds what all of them remember, so all of them look at an epoch before one is
    written.
    """

    _rank = CHECKPOINT

    def __init__(self, training: Ongoing, checkpoints: list[Checkpoint]) -> None:
        self._training = training
        self._checkpoints = checkpoints

    def on_epoch_end(self, model: Model, logs: Logs) -> None:
        training = self._training
        last = training.run.done or bool(training.stops) or model.stop_training
        due = [one for one in self._checkpoints if one._is_due(model, logs, last)]
        if not due:
            return
        stops = [*training.stops]
        if model.stop_training:
            stops.append(("stopped", ""))
        stops.append(("epochs" if training.run.done else BROKEN_OFF, ""))
        present = training.resumption.present(training.columns(), training.record.epochs, stops[0])
        for checkpoint in due:
            checkpoint._write(model, present)


def with_keeper(training: Ongoing, callbacks: list[Callback]) -> list[Callback]:
    """The callbacks, and after the last `Checkpoint` what writes their files."""
    checkpoints = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
    if not checkpoints:
        return callbacks
    together = [*callbacks, Keeper(training, checkpoints)]
    return sorted(together, key=lambda callback: callback._rank)
