"""What all callbacks have in common: the hooks, their order, and how to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np

# The `Sequential` that is trained. It stands above the callbacks, and hooks of the user's own may
# name it as what they take.
Model: TypeAlias = Any
Logs = dict[str, Any]
Hook = Callable[[Model, Logs], object]

# When a callback's turn is: those of the user's own, those that read what others log and act on it,
# those that write it into a file, and displays.
OWN, READER, LOGGER, CHECKPOINT, DISPLAY = range(5)


class StopTraining(Exception):  # noqa: N818 - no error, like StopIteration
    """Raised in a callback it ends the training; its text becomes `History.stop_message`."""

    # What `History.stop_reason` says.
    reason: ClassVar[str] = "stopped"


class Callback:
    """The base of all callbacks: override what you need."""

    _rank: ClassVar[int] = OWN
    # The epoch whose state it gave the model back when training ended.
    _restored: int | None = None

    def on_train_begin(self, model: Model, logs: Logs) -> None:
        """Before the first epoch; `logs` holds the number of "epochs" of this call."""

    def on_epoch_begin(self, model: Model, logs: Logs) -> None:
        """Before each epoch; `logs` holds its number, "epoch"."""

    def on_train_batch_end(self, model: Model, logs: Logs) -> None:
        """After each batch; `logs` holds the numbers of its epoch and of the batch in it, "epoch"
        and "batch", its mean "loss" before the update, and, if there is one, the "penalty" on
        weights.

        Overriding it takes one or two microseconds a batch, beside what it does. What is added to
        `logs` is seen by the callbacks after it, and in no history. What stops the training ends it
        with this batch: the steps stay, `History` and `model.epoch` count finished epochs alone,
        and the next `fit` begins the unfinished one again. A new `learning_rate` holds from the
        next batch on.
        """

    def on_epoch_end(self, model: Model, logs: Logs) -> None:
        """After each epoch; `logs` is the dict of its begin, with "loss" and all that was added."""

    def on_train_end(self, model: Model, logs: Logs) -> None:
        """After the last epoch, however the training ended, also by an exception.

        `logs` holds what the last finished epoch logged, "stop_reason" and "stop_message" (see
        `History`). `model.history` is there already; a number that is added here belongs to the
        last finished epoch. An exception here does not keep other callbacks from being called; it
        comes out of `fit` afterwards, unless another one ended the training.
        """

    def state(self) -> dict[str, Any]:
        """What the callback remembers from epoch to epoch, for a `Checkpoint` to keep: a dict whose
        values are numbers, strings, bools, None, arrays in float32 or float64, and lists and dicts
        of them. {} unless you override it."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave, with lists for tuples: `fit(resume=True)` calls it after
        `on_train_begin` if the model comes from a `Checkpoint`'s file."""
        if state:
            raise TypeError(
                f"{self!r} gave a Checkpoint its state, and cannot take it back: override "
                "set_state beside state"
            )

    def _arguments(self) -> dict[str, Any]:
        """What tells it from others of its class, where that decides about the training: if it
        differs, a training cannot be resumed."""
        return {}

    def _check_state(self, model: Model, state: dict[str, Any]) -> None:
        """ValueError for a state that `set_state` would take, and that `model` could not have."""

    def _overrides(self, hook: str) -> bool:
        """Whether this hook is another than the base's, which does nothing."""
        return getattr(getattr(self, hook), "__func__", None) is not getattr(Callback, hook)

    def __repr__(self) -> str:
        if arguments := self._arguments():
            listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            return f"{type(self).__name__}({listed})"
        return f"<{type(self).__name__} callback>"


class LambdaCallback(Callback):
    """A callback made of functions f(model, logs), one for each moment that is given."""

    def __init__(
        self,
        on_epoch_end: Hook | None = None,
        *,
        on_epoch_begin: Hook | None = None,
        on_train_batch_end: Hook | None = None,
        on_train_begin: Hook | None = None,
        on_train_end: Hook | None = None,
    ) -> None:
        hooks = {
            "on_epoch_end": on_epoch_end,
            "on_epoch_begin": on_epoch_begin,
            "on_train_batch_end": on_train_batch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
        }
        self._hooks = {name: hook for name, hook in hooks.items() if hook is not None}
        for name, hook in self._hooks.items():
            if not callable(hook):
                raise TypeError(f"{name} is {hook!r}, it must be a function f(model, logs)")
            setattr(self, name, hook)

    def _arguments(self) -> dict[str, Any]:
        # In another process the functions are others, of the same names.
        return {
            name: getattr(function, "__qualname__", type(function).__qualname__)
            for name, function in self._hooks.items()
        }

    def __repr__(self) -> str:
        named = (f"{name}={getattr(f, '__name__', repr(f))}" for name, f in self._hooks.items())
        return f"LambdaCallback({', '.join(named)})"


def number(name: str, value: Any) -> float:
    """What `float` makes of a logged value."""
    if isinstance(value, np.ndarray) and value.size == 1:
        # NumPy's own conversion warns if there are axes.
        value = value.item()
    try:
        return float(value)
    except Exception as error:
        raise TypeError(
            f"logs[{name!r}] is {value!r:.60} ({type(value).__name__}), it must be a number "
            f"that float() takes: {error}"
        ) from error


def shown(logs: Mapping[str, Any]) -> dict[str, str]:
    """The numbers of an epoch as displays have them; those of validation are left out where it was
    not due."""
    found = {name: number(name, value) for name, value in logs.items() if name != "epoch"}
    return {
        name: f"{value:.6g}"
        for name, value in found.items()
        if not (name.startswith("val_") and math.isnan(value))
    }


def remembered(callback: Callback, state: dict[str, Any], **kinds: Any) -> list[Any]:
    """The entries of a state in this order, each of one of its kinds, which are types and None.

    ValueError for what `state` never gives: it may come out of a file that somebody made.
    """
    if state.keys() != kinds.keys():
        raise ValueError(
            f"a state of {callback!r} has {', '.join(kinds)}, this one has {', '.join(state)}"
        )
    for name, allowed in kinds.items():
        if not any(state[name] is kind or type(state[name]) is kind for kind in allowed):
            raise ValueError(f"in the state of {callback!r} {name} is {state[name]!r:.60}")
    return [state[name] for name in kinds]
