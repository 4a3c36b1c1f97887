"""`Checkpoint`: the model and its training in a file, from which `fit(resume=True)` goes on."""

from __future__ import annotations

import os
from typing import Any, Literal

from ironmlp._arguments.keywords import explains_keywords
from ironmlp._arguments.values import choice, size
from ironmlp.callbacks.base import CHECKPOINT, Callback, Logs, Model, remembered
from ironmlp.callbacks.monitor import Monitor


class Checkpoint(Callback):
    """Write the model into a file at the end of each epoch, to go on from after a crash.

    `ironmlp.load` makes the model of it, with its `history`, and `fit(resume=True)` on that goes on
    as if nothing had happened: the file also holds the history, the settings of the `fit`, and what
    its callbacks remember (`Callback.state`). It is written beside the old one and takes its name
    when it is complete, so that whenever the process is killed there is a whole file, the old one
    or the new one.

    `every` n writes after the epochs n, 2n, ..., counted from the model's birth, and after the last
    one of the `fit`. With `monitor`, an entry of the logs or "auto" as in `EarlyStopping`, only
    those whose number is better than that of the last one written; `mode` is as there.

    `path` may hold "{epoch}", the number of finished epochs, which the model of that file has as
    its `epoch`, also with a format as in "{epoch:04d}"; then every file stays. Braces that mean
    themselves are doubled.

    The file holds the model as the epoch left it. What `EarlyStopping` gives back when the training
    has ended is the model of `fit`, and of `fit(resume=True)` on the last file, which returns at
    once.

    Before the first step of a `fit`, TypeError for a model that no file can hold, as in
    `Sequential.save`, and OSError if there is no such folder, or nothing may be written in it.
    """

    _rank = CHECKPOINT

    @explains_keywords
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        monitor: str | None = None,
        mode: Literal["auto", "min", "max"] = "auto",
        every: int = 1,
    ) -> None:
        self.path = checked_path(path)
        self._monitor = None if monitor is None else Monitor(monitor, mode)
        self.monitor = monitor
        self.mode = choice("mode", mode, ("auto", "min", "max"))
        self.every = size("every", every)
        self._forget()

    def _forget(self) -> None:
        self._best: float | None = None
        # Of the last file, the model's epoch.
        self._written: int | None = None

    def on_train_begin(self, model: Model, logs: Logs) -> None:
        from ironmlp._files.atomic import check_place
        from ironmlp._files.saving import strings

        strings(model)
        check_place(self.path.format(epoch=model.epoch))
        self._forget()
        if self._monitor is not None:
            self._monitor.begin(logs)

    def _is_due(self, model: Model, logs: Logs, last: bool) -> bool:
        """Whether this epoch, the `last` one of the training or not, is to be written."""
        value = None if self._monitor is None else self._monitor.read(logs)
        if model.epoch % self.every and not last:
            return False
        if self._monitor is not None:
            best = self._best
            if value is None or (best is not None and self._monitor.gain(best, value) <= 0):
                return False
            self._best = value
        self._written = model.epoch
        return True

    def _write(self, model: Model, training: dict[str, Any]) -> None:
        """Write the model with what is known of its training."""
        from ironmlp._files.saving import save

        save(model, self.path.format(epoch=model.epoch), training)

    def state(self) -> dict[str, Any]:
        name = self._monitor and self._monitor.name
        return {"monitor": name, "best": self._best, "written": self._written}

    def set_state(self, state: dict[str, Any]) -> None:
        name, self._best, self._written = remembered(
            self, state, monitor=(str, None), best=(float, None), written=(int, None)
        )
        if self._monitor is not None:
            self._monitor.name = name

    def _arguments(self) -> dict[str, Any]:
        # The path is left out: a training goes on in another folder, too.
        return {"monitor": self.monitor, "mode": self.mode, "every": self.every}

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self._arguments().items())
        return f"Checkpoint({self.path!r}{arguments})"


def checked_path(path: Any) -> str:
    """The path, if its braces hold nothing but "epoch" and its format."""
    import string  # which little else needs

    given = os.fsdecode(os.fspath(path))
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(given) if name is not None]
        if all(name == "epoch" for name in fields):
            given.format(epoch=0)
            return given
        wrong = f"{{{next(name for name in fields if name != 'epoch')}}}"
    except ValueError as error:
        wrong = str(error)
    raise ValueError(
        f"path is {given!r}, its braces may hold epoch alone, as in 'model-{{epoch:04d}}', and are "
        f"doubled to mean themselves: {wrong}"
    )
